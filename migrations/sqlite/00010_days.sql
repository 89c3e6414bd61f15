-- The tallies of a whole day, UTC, without what nobody asks of a month: a page that looks back thirty days reads days, and hours only at
-- its ends.

-- +goose Up
CREATE TABLE tally_days (
	tenant_id TEXT   NOT NULL,
	day       BIGINT NOT NULL, -- its first moment
	fact      TEXT   NOT NULL,
	bucket    BIGINT NOT NULL,
	n         BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, day, fact, bucket)
) WITHOUT ROWID;
INSERT INTO tally_days (tenant_id, day, fact, bucket, n)
	SELECT tenant_id, hour / 86400000000 * 86400000000, fact, bucket, SUM(n) FROM tallies GROUP BY 1, 2, 3, 4;

-- +goose Down
DROP TABLE tally_days;
