-- The funnel of each API key. Rings of before this step are in tallies only.

-- +goose Up
CREATE TABLE key_tallies (
	tenant_id UUID   NOT NULL,
	hour      BIGINT NOT NULL, -- its first moment
	key_id    UUID   NOT NULL, -- of the ring's key; zeros = the console placed it
	hops      BYTEA  NOT NULL, -- the steps of the funnel with their buckets, as keyHops packs them
	PRIMARY KEY (tenant_id, hour, key_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);

SELECT carillon_isolation();

-- +goose Down
DROP TABLE key_tallies;
