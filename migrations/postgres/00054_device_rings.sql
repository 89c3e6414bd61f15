-- On SQLite this step has a table of the rings of a device, because an index of attempts by device
-- had too many pages of each commit there. PostgreSQL keeps its index.

-- +goose Up
SELECT 1;

-- +goose Down
SELECT 1;
