-- Tenants' own systems, to which we send what happens.

-- +goose Up

CREATE TABLE connections (
	tenant_id     BLOB   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id            BLOB   NOT NULL,
	name          TEXT   NOT NULL,
	role          TEXT   NOT NULL,
	url           TEXT   NOT NULL,
	settings      TEXT   NOT NULL, -- JSON: the events, the names of headers, and what the role needs
	sealed        BLOB   NOT NULL, -- JSON: signing secrets, values of headers, the role's password
	state         TEXT   NOT NULL,
	created_at    BIGINT NOT NULL,
	failing_since BIGINT NOT NULL, -- the first failure since the last delivery; 0 = none
	warned_at     BIGINT NOT NULL, -- people were written to of these failures; 0 = not
	disabled_at   BIGINT NOT NULL,
	delivered_at  BIGINT NOT NULL, -- the last delivery
	overlap_ends  BIGINT NOT NULL, -- until then the old signing secret signs too
	PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX connections_by_id ON connections (id); -- a provider of texts names the connection only

-- +goose Down
DROP TABLE connections;
