-- PostgreSQL stores here what a search looks for; SQLite's indexes do without.

-- +goose Up
SELECT 1;

-- +goose Down
SELECT 1;
