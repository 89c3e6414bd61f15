-- The fields of a push, by credential.

-- +goose Up
ALTER TABLE credentials ADD COLUMN profile TEXT NOT NULL DEFAULT 'carillon';

-- +goose Down
ALTER TABLE credentials DROP COLUMN profile;
