-- Exports of tenants: files with everything that is stored of one.

-- +goose Up
CREATE TABLE exports (
	tenant_id  BLOB   NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
	id         BLOB   NOT NULL,
	state      TEXT   NOT NULL, -- waiting, running, ready, failed
	node       TEXT   NOT NULL, -- the server that writes the file, and has it
	by_kind    TEXT   NOT NULL,
	by_id      BLOB   NOT NULL,
	by_name    TEXT   NOT NULL,
	asked_at   BIGINT NOT NULL,
	lease_at   BIGINT NOT NULL, -- running: until then nobody else begins it again
	ended_at   BIGINT NOT NULL,
	expires_at BIGINT NOT NULL, -- ready: when it is removed
	at         TEXT   NOT NULL, -- the file that is being written
	row_count  BIGINT NOT NULL, -- written so far
	size       BIGINT NOT NULL, -- bytes of the zip
	tries      BIGINT NOT NULL,
	why        TEXT   NOT NULL, -- it failed
	sealed     BLOB   NOT NULL  -- the key of the file
);

-- +goose Down
DROP TABLE exports;
