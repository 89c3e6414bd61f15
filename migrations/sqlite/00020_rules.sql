-- The rules of its industry that a tenant has changed, as JSON; empty = none.

-- +goose Up
ALTER TABLE tenants ADD COLUMN rules TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE tenants DROP COLUMN rules;
