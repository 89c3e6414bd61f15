-- The audit log without the changes of rings.

-- +goose Up
CREATE INDEX audits_changes ON audits (tenant_id, seq) WHERE substr(action, 1, 5) <> 'ring.';

-- +goose Down
DROP INDEX audits_changes;
