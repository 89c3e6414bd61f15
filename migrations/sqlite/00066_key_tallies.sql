-- The funnel of each API key. Rings of before this step are in tallies only.

-- +goose Up
CREATE TABLE key_tallies (
	tenant_id BLOB   NOT NULL,
	hour      BIGINT NOT NULL, -- its first moment
	key_id    BLOB   NOT NULL, -- of the ring's key; empty = the console placed it
	hops      BLOB   NOT NULL, -- the steps of the funnel with their buckets, as keyHops packs them
	PRIMARY KEY (tenant_id, hour, key_id)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE key_tallies;
