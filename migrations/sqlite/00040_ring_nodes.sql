-- Which node holds the sound of a ring. Only where several nodes run; from the moment that a node
-- needs it, which may be before the ring is answered or even committed.

-- +goose Up
CREATE TABLE ring_nodes (
	tenant_id BLOB NOT NULL,
	ring_id   BLOB NOT NULL,
	node      BLOB NOT NULL,
	since     BIGINT NOT NULL, -- by the database's clock
	PRIMARY KEY (tenant_id, ring_id)
) WITHOUT ROWID;
CREATE INDEX ring_nodes_node ON ring_nodes (node);
CREATE INDEX ring_nodes_ring ON ring_nodes (ring_id); -- for those who know only the ring, and a secret of it

-- +goose Down
DROP TABLE ring_nodes;
