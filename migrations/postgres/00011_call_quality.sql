-- How calls sounded.

-- +goose Up

-- One row for a call, replaced while it lasts.
CREATE TABLE call_quality (
	tenant_id  UUID   NOT NULL,
	ring_id    UUID   NOT NULL,
	updated_at BIGINT NOT NULL,
	counted    BOOLEAN NOT NULL, -- the call has ended, and is in call_figures
	samples    TEXT   NOT NULL, -- JSON
	PRIMARY KEY (tenant_id, ring_id),
	FOREIGN KEY (tenant_id, ring_id) REFERENCES rings (tenant_id, id) ON DELETE CASCADE
);

-- How many calls had a figure in a bucket, by the hour in which they ended.
CREATE TABLE call_figures (
	tenant_id UUID   NOT NULL,
	hour      BIGINT NOT NULL,
	figure    TEXT   NOT NULL,
	bucket    BIGINT NOT NULL,
	n         BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, hour, figure, bucket)
);

SELECT carillon_isolation();

-- +goose Down
DROP TABLE call_figures;
DROP TABLE call_quality;
