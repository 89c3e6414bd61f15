-- Calls that are up, which a plan limits, are counted without reading those that are over.

-- +goose Up
CREATE INDEX calls_up ON calls (tenant_id) WHERE ended_at = 0;

-- +goose Down
DROP INDEX calls_up;
