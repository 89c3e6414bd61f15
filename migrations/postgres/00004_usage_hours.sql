-- Usage is counted by the hour, so that a page can add it up to days of a time zone.

-- +goose Up

-- What was counted by the day stays in the first hour of its day, UTC.
ALTER TABLE usage RENAME COLUMN day TO hour;

-- +goose Down
ALTER TABLE usage RENAME COLUMN hour TO day;
