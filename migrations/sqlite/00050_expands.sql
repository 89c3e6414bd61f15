-- Which steps leave an earlier program working, so that servers of two versions may run side by
-- side. Only one server at a time runs on SQLite, so none of its steps says so.

-- +goose Up
ALTER TABLE schema_sums ADD COLUMN expands BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
ALTER TABLE schema_sums DROP COLUMN expands;
