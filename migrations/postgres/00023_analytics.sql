-- What pages say about rings, counted as rings happen.

-- +goose Up

-- Rings by span and by one property. Rings and how they ended count when the ring was placed; pushes
-- and failures of agents count when they happened.
CREATE TABLE ring_counts (
	tenant_id    UUID   NOT NULL,
	span         BIGINT NOT NULL, -- seconds: 300, 3600 or 86400 (a day of UTC)
	split        TEXT   NOT NULL, -- '' = all rings; app_version, os_version, environment, agent, key
	value        TEXT   NOT NULL, -- of that property
	at           BIGINT NOT NULL, -- first moment of the span
	rings        BIGINT NOT NULL,
	answered     BIGINT NOT NULL,
	missed       BIGINT NOT NULL,
	declined     BIGINT NOT NULL,
	cancelled    BIGINT NOT NULL,
	failed       BIGINT NOT NULL,
	silent       BIGINT NOT NULL, -- answered, and the phone never sent a sound
	accepted     BIGINT NOT NULL, -- pushes
	refused      BIGINT NOT NULL, -- pushes
	agent_failed BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, span, split, value, at)
);
CREATE INDEX ring_counts_age ON ring_counts (tenant_id, span, at);

-- How long the steps of rings took, by the buckets of tallies.
CREATE TABLE step_times (
	tenant_id UUID   NOT NULL,
	span      BIGINT NOT NULL,
	split     TEXT   NOT NULL,
	value     TEXT   NOT NULL,
	fact      TEXT   NOT NULL,
	at        BIGINT NOT NULL,
	bucket    BIGINT NOT NULL,
	n         BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, span, split, value, fact, at, bucket)
);
CREATE INDEX step_times_age ON step_times (tenant_id, span, at);

SELECT carillon_isolation();

-- +goose Down
DROP TABLE step_times;
DROP TABLE ring_counts;
