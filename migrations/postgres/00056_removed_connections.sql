-- Connections whose rows are still to be removed.

-- +goose Up
CREATE INDEX connections_removed ON connections (state, tenant_id, id) WHERE state = 'removed';

-- +goose Down
DROP INDEX connections_removed;
