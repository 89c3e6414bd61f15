-- What the roles of connections keep.

-- +goose Up

ALTER TABLE devices ADD COLUMN phone_number TEXT NOT NULL DEFAULT ''; -- E.164; for texts

-- How far the record of changes was given to a connection.
CREATE TABLE audit_marks (
	tenant_id     UUID   NOT NULL,
	connection_id UUID   NOT NULL,
	seq           BIGINT NOT NULL, -- of the last entry
	PRIMARY KEY (tenant_id, connection_id),
	FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id) ON DELETE CASCADE
);

-- The text about a missed ring: one at most.
CREATE TABLE texts (
	tenant_id     UUID   NOT NULL,
	ring_id       UUID   NOT NULL,
	connection_id UUID   NOT NULL,
	phone_number  TEXT   NOT NULL,
	at            BIGINT NOT NULL,
	state         TEXT   NOT NULL, -- sending, sent, unknown
	sid           TEXT   NOT NULL, -- the provider's id
	PRIMARY KEY (tenant_id, ring_id),
	FOREIGN KEY (tenant_id, ring_id) REFERENCES rings (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX texts_number ON texts (tenant_id, phone_number, at);
CREATE INDEX texts_connection ON texts (tenant_id, connection_id, at);

-- Who has answered STOP.
CREATE TABLE text_stops (
	tenant_id    UUID   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	phone_number TEXT   NOT NULL,
	at           BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, phone_number)
);

SELECT carillon_isolation();

-- +goose Down
DROP TABLE text_stops;
DROP TABLE texts;
DROP TABLE audit_marks;
ALTER TABLE devices DROP COLUMN phone_number;
