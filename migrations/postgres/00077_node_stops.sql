-- When a server has stopped by itself: only then is it known how long its version ran.

-- +goose Up
SET LOCAL lock_timeout = '2s';
ALTER TABLE nodes ADD COLUMN stopped_at BIGINT NOT NULL DEFAULT 0; -- 0 = it never has, or its program does not say

-- +goose Down
ALTER TABLE nodes DROP COLUMN stopped_at;
