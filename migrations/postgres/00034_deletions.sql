-- Deleting tenants, and erasing people.

-- +goose Up
ALTER TABLE tenants ADD COLUMN delete_at BIGINT NOT NULL DEFAULT 0; -- when the tenant is deleted; 0 = never

-- What is left of a deleted tenant: when, how much it was, and the signed end of its audit chain.
CREATE TABLE tenant_deletions (
	tenant    UUID   NOT NULL PRIMARY KEY,
	began_at  BIGINT NOT NULL,
	done_at   BIGINT NOT NULL, -- 0 = rows are still being removed
	row_count BIGINT NOT NULL, -- removed, without those that went with another row
	seq       BIGINT NOT NULL, -- of the last audit row
	hash      BYTEA   NOT NULL,
	at        BIGINT NOT NULL, -- when it was signed
	key_id    TEXT   NOT NULL,
	signature BYTEA   NOT NULL
);

-- People whose names are being removed. A row goes when that is done.
CREATE TABLE erasures (
	tenant_id  UUID   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id         UUID   NOT NULL,
	kind       TEXT   NOT NULL, -- member, person
	sealed     BYTEA   NOT NULL, -- JSON: who
	seq        BIGINT NOT NULL, -- the audit rows up to this one are done
	values_gone BIGINT NOT NULL, -- erased values of audit rows
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, id)
);

SELECT carillon_isolation();

-- +goose Down
DROP TABLE erasures;
DROP TABLE tenant_deletions;
ALTER TABLE tenants DROP COLUMN delete_at;
