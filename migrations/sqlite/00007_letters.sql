-- Of each alert, whether the tenant's people were written to.

-- +goose Up
ALTER TABLE alerts ADD COLUMN tell_at BIGINT NOT NULL DEFAULT 0; -- when they are to be written to; 0 = they were, or it is over
ALTER TABLE alerts ADD COLUMN told_at BIGINT NOT NULL DEFAULT 0; -- when they last were
CREATE INDEX alerts_untold ON alerts (tell_at) WHERE tell_at <> 0;

-- +goose Down
DROP INDEX alerts_untold;
ALTER TABLE alerts DROP COLUMN told_at;
ALTER TABLE alerts DROP COLUMN tell_at;
