-- The language of a person's pages, and of an organisation's; empty: as the browser asks.
-- +goose Up
SET LOCAL lock_timeout = '2s';
ALTER TABLE users ADD COLUMN language TEXT NOT NULL DEFAULT '';
ALTER TABLE tenants ADD COLUMN language TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE tenants DROP COLUMN language;
ALTER TABLE users DROP COLUMN language;
