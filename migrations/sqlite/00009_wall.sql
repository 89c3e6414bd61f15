-- PostgreSQL gets its second wall here. SQLite has no roles and no policies: the conditions of our statements are its only one.

-- +goose Up
SELECT 1;

-- +goose Down
SELECT 1;
