-- The record of changes keeps names, and what a field was before and after.

-- +goose Up
ALTER TABLE audits ADD COLUMN target_name TEXT NOT NULL DEFAULT ''; -- as it was at that moment
ALTER TABLE audits ADD COLUMN changes TEXT NOT NULL DEFAULT ''; -- JSON: field, before, after; never a secret
ALTER TABLE audits ADD COLUMN result TEXT NOT NULL DEFAULT ''; -- empty = done; 'refused'

-- +goose Down
ALTER TABLE audits DROP COLUMN result;
ALTER TABLE audits DROP COLUMN changes;
ALTER TABLE audits DROP COLUMN target_name;
