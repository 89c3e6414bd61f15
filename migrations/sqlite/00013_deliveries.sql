-- Events on their way to tenants' own systems, and how each attempt went.

-- +goose Up

CREATE TABLE deliveries (
	seq           INTEGER PRIMARY KEY, -- the order in which the events of one ring go out
	tenant_id     BLOB   NOT NULL,
	connection_id BLOB   NOT NULL,
	event_id      BLOB   NOT NULL, -- the webhook-id
	kind          TEXT   NOT NULL,
	ring_id       BLOB   NOT NULL, -- the empty id = of no ring
	body          TEXT   NOT NULL,
	at            BIGINT NOT NULL, -- when it happened
	begun_at      BIGINT NOT NULL, -- when it was put here, or sent again
	due_at        BIGINT NOT NULL, -- when the next attempt is due, or until when one is under way; 0 = there will be none
	state         TEXT   NOT NULL,
	tries         BIGINT NOT NULL, -- since begun_at
	status        BIGINT NOT NULL, -- HTTP's, of the last attempt; 0 = no answer
	error         TEXT   NOT NULL, -- of the last attempt
	ended_at      BIGINT NOT NULL,
	UNIQUE (tenant_id, connection_id, event_id),
	FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX deliveries_listed ON deliveries (tenant_id, connection_id, seq);
CREATE INDEX deliveries_due ON deliveries (tenant_id, connection_id, due_at) WHERE due_at > 0;
CREATE INDEX deliveries_ring ON deliveries (tenant_id, connection_id, ring_id, seq) WHERE due_at > 0;

CREATE TABLE delivery_attempts (
	seq           INTEGER PRIMARY KEY,
	tenant_id     BLOB   NOT NULL,
	connection_id BLOB   NOT NULL,
	delivery      BIGINT NOT NULL REFERENCES deliveries (seq) ON DELETE CASCADE,
	at            BIGINT NOT NULL,
	took          BIGINT NOT NULL, -- microseconds
	status        BIGINT NOT NULL,
	error         TEXT   NOT NULL,
	sent          TEXT   NOT NULL, -- JSON: headers, without secrets
	answer        TEXT   NOT NULL, -- its first bytes
	good          BOOLEAN NOT NULL
);
CREATE INDEX delivery_attempts_of ON delivery_attempts (delivery);
-- The figures of a connection read thousands of attempts, and need no row of them.
CREATE INDEX delivery_attempts_listed ON delivery_attempts (tenant_id, connection_id, seq, at, took, status, good);

-- +goose Down
DROP TABLE delivery_attempts;
DROP TABLE deliveries;
