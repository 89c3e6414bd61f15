-- Connections whose rows are still to be removed.
-- contract: earlier programs list a connection in the state removed, and may resume it.

-- +goose Up
SET LOCAL lock_timeout = '2s';
CREATE INDEX connections_removed ON connections (state, tenant_id, id) WHERE state = 'removed';

-- +goose Down
DROP INDEX connections_removed;
