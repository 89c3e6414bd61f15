-- What each server is: `carillon doctor` and the operator console compare them. A server of an
-- earlier program leaves these as they are.

-- +goose Up
ALTER TABLE nodes ADD COLUMN program TEXT NOT NULL DEFAULT '';    -- what it was built from
ALTER TABLE nodes ADD COLUMN step BIGINT NOT NULL DEFAULT 0;      -- the newest step of the schema that it knows
ALTER TABLE nodes ADD COLUMN clock_off BIGINT NOT NULL DEFAULT 0; -- how far its own clock is ahead of the database's

-- +goose Down
ALTER TABLE nodes DROP COLUMN clock_off;
ALTER TABLE nodes DROP COLUMN step;
ALTER TABLE nodes DROP COLUMN program;
