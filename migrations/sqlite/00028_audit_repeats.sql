-- What is repeated about a target is written before another entry about it.

-- +goose Up
ALTER TABLE audit_repeats ADD COLUMN target TEXT NOT NULL DEFAULT '';
CREATE INDEX audit_repeats_target ON audit_repeats (tenant_id, target);

-- +goose Down
DROP INDEX audit_repeats_target;
ALTER TABLE audit_repeats DROP COLUMN target;
