-- A credential's pushes may be kept from being sent again while a connection is silent.

-- +goose Up
ALTER TABLE credentials ADD COLUMN no_hedge BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down
ALTER TABLE credentials DROP COLUMN no_hedge;
