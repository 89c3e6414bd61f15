-- What Apple and the phones say that somebody should hear of, and what counts are made of it.

-- +goose Up
-- One row for each thing that is wrong: it is raised again, never doubled.
CREATE TABLE alerts (
	tenant_id   TEXT   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	kind        TEXT   NOT NULL,
	target      TEXT   NOT NULL, -- a credential's id, or a version of the app
	detail      TEXT   NOT NULL,
	first_at    BIGINT NOT NULL,
	last_at     BIGINT NOT NULL,
	count       BIGINT NOT NULL,
	resolved_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, kind, target)
);

-- Facts with a reason, by hour; and pushes that woke the app after the ring had expired. bucket -1 counts, the others say how late.
CREATE TABLE outcomes (
	tenant_id   TEXT   NOT NULL,
	hour        BIGINT NOT NULL,
	fact        TEXT   NOT NULL, -- failed_to_show, silenced, refused; late
	detail      TEXT   NOT NULL,
	app_version TEXT   NOT NULL,
	bucket      BIGINT NOT NULL,
	n           BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, hour, fact, detail, app_version, bucket)
);

-- Rings a second that a key may place; 0 = as many as its tenant.
ALTER TABLE keys ADD COLUMN per_second BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE keys DROP COLUMN per_second;
DROP TABLE outcomes;
DROP TABLE alerts;
