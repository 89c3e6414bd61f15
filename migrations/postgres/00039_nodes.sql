-- The servers that run on this database. Times in it are by the database's clock, because the
-- clocks of two machines differ.

-- +goose Up
CREATE TABLE nodes (
	id         UUID NOT NULL PRIMARY KEY, -- another one for each start of a server
	name       TEXT   NOT NULL,
	shared     BOOLEAN NOT NULL, -- it has a message system, so that other nodes may run beside it
	started_at BIGINT NOT NULL,
	seen_at    BIGINT NOT NULL  -- its last heartbeat; 0 = it has stopped
);

-- +goose Down
DROP TABLE nodes;
