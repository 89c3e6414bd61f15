-- Which server pushes a ring, once another than the one that placed it has taken it over.

-- +goose Up
ALTER TABLE rings ADD COLUMN pushed_by BLOB; -- a running server, until it ends; NULL = the one that placed the ring

-- +goose Down
ALTER TABLE rings DROP COLUMN pushed_by;
