-- What start checks before anything is served.

-- +goose Up

-- The content of each applied step, so that a step that was changed later is found.
CREATE TABLE schema_sums (
	version BIGINT NOT NULL PRIMARY KEY,
	sum     BLOB   NOT NULL -- SHA-256
) WITHOUT ROWID;

-- A known text, sealed under the master key: a key that does not open it is the wrong one.
CREATE TABLE key_checks (
	name   TEXT NOT NULL PRIMARY KEY,
	sealed BLOB NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE key_checks;
DROP TABLE schema_sums;
