-- What agents write down about calls.

-- +goose Up

-- The notes of one call, in one sealed document: they are read and changed as a whole.
CREATE TABLE notes (
	tenant_id  BLOB   NOT NULL,
	ring_id    BLOB   NOT NULL,
	version    BIGINT NOT NULL,
	person     TEXT   NOT NULL, -- whose call it was; empty = nobody named
	updated_at BIGINT NOT NULL,
	sealed     BLOB   NOT NULL, -- JSON: lines and summary
	PRIMARY KEY (tenant_id, ring_id),
	FOREIGN KEY (tenant_id, ring_id) REFERENCES rings (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX notes_person ON notes (tenant_id, person) WHERE person <> '';

-- +goose Down
DROP TABLE notes;
