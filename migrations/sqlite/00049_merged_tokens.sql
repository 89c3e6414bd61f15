-- The token of a row that was merged. When it registers again, it belongs to a phone of its own.

-- +goose Up
ALTER TABLE device_merges ADD COLUMN token_hash BLOB; -- NULL = merged before this was kept

-- +goose Down
ALTER TABLE device_merges DROP COLUMN token_hash;
