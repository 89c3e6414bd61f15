-- A domain that was proved is looked up again from time to time.

-- +goose Up
SET LOCAL lock_timeout = '2s';
ALTER TABLE oidc_domains ADD COLUMN check_at BIGINT NOT NULL DEFAULT 0;  -- when its record is looked up next
ALTER TABLE oidc_domains ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;  -- times in a row that the record was not there
ALTER TABLE oidc_domains ADD COLUMN failed_at BIGINT NOT NULL DEFAULT 0; -- the first of them; 0 = none
ALTER TABLE oidc_domains ADD COLUMN lost_at BIGINT NOT NULL DEFAULT 0;   -- since when it counts as not verified any more; 0 = it does not

-- +goose Down
ALTER TABLE oidc_domains DROP COLUMN lost_at;
ALTER TABLE oidc_domains DROP COLUMN failed_at;
ALTER TABLE oidc_domains DROP COLUMN failures;
ALTER TABLE oidc_domains DROP COLUMN check_at;
