-- The list of consents by the day on which they were given, and the few that were withdrawn.
-- +goose Up
SET LOCAL lock_timeout = '2s';
CREATE INDEX consents_given ON consents (tenant_id, given_at, id);
CREATE INDEX consents_withdrawn ON consents (tenant_id, id) WHERE withdrawn_at <> 0;

-- +goose Down
DROP INDEX consents_withdrawn;
DROP INDEX consents_given;
