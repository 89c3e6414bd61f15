-- What was read of tenants' calendars.

-- +goose Up

CREATE TABLE schedules (
	tenant_id     BLOB   NOT NULL,
	connection_id BLOB   NOT NULL,
	address       TEXT   NOT NULL, -- that was read
	due_at        BIGINT NOT NULL, -- the next read
	read_at       BIGINT NOT NULL, -- the last try
	good_at       BIGINT NOT NULL, -- the last read that worked
	full_at       BIGINT NOT NULL, -- the last that was not "unchanged"
	failed        BIGINT NOT NULL, -- reads in a row
	cause         TEXT   NOT NULL, -- of the last failure; empty = it worked
	etag          TEXT   NOT NULL,
	modified      TEXT   NOT NULL, -- Last-Modified, as the server wrote it
	duties        TEXT   NOT NULL, -- JSON
	notes         TEXT   NOT NULL, -- JSON
	PRIMARY KEY (tenant_id, connection_id),
	FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;

-- +goose Down
DROP TABLE schedules;
