-- Recordings of calls.

-- +goose Up

-- Whether a tenant's calls are recorded. No row = off.
CREATE TABLE recording_rules (
	tenant_id UUID   NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
	policy    TEXT   NOT NULL,
	reason    TEXT   NOT NULL,
	ogg       BYTEA  NOT NULL, -- the announcement as it was uploaded; empty = none
	pcmu      BYTEA  NOT NULL, -- the same, decoded
	set_by    TEXT   NOT NULL,
	set_at    BIGINT NOT NULL
);

-- The key of a tenant's recordings, sealed: without it no chunk opens, and a new master key seals
-- this row again and no chunk.
CREATE TABLE recording_keys (
	tenant_id UUID   NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
	sealed    BYTEA  NOT NULL
);

CREATE TABLE recordings (
	tenant_id UUID   NOT NULL,
	ring_id   UUID   NOT NULL,
	person    TEXT   NOT NULL, -- as in notes
	codec     TEXT   NOT NULL,
	policy    TEXT   NOT NULL,
	consent   TEXT   NOT NULL, -- how it was agreed to
	began_at  BIGINT NOT NULL,
	length    BIGINT NOT NULL, -- ticks of the codec
	bytes     BIGINT NOT NULL, -- of the chunks
	chunks    BIGINT NOT NULL,
	lost      BIGINT NOT NULL, -- packets that could not be stored
	PRIMARY KEY (tenant_id, ring_id),
	FOREIGN KEY (tenant_id, ring_id) REFERENCES rings (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX recordings_person ON recordings (tenant_id, person) WHERE person <> '';

CREATE TABLE recording_chunks (
	tenant_id UUID   NOT NULL,
	ring_id   UUID   NOT NULL,
	n         BIGINT NOT NULL,
	sealed    BYTEA  NOT NULL, -- under the tenant's recording key
	PRIMARY KEY (tenant_id, ring_id, n),
	FOREIGN KEY (tenant_id, ring_id) REFERENCES recordings (tenant_id, ring_id) ON DELETE CASCADE
);

SELECT carillon_isolation();

-- +goose Down
DROP TABLE recording_chunks;
DROP TABLE recordings;
DROP TABLE recording_keys;
DROP TABLE recording_rules;
