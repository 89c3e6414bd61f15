-- Who would like to try, and who has tried. Neither belongs to a tenant: the one comes before it, the other outlives it.

-- +goose Up
CREATE TABLE signups (
	hash       BYTEA  NOT NULL PRIMARY KEY, -- of the secret in the link
	browser    BYTEA  NOT NULL,             -- of the secret that the signing browser keeps
	email      TEXT   NOT NULL,
	name       TEXT   NOT NULL,
	password   TEXT   NOT NULL, -- argon2id
	company    TEXT   NOT NULL,
	industry   TEXT   NOT NULL,
	time_zone  TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX signups_email ON signups (email);
CREATE INDEX signups_age ON signups (expires_at);

-- One trial for a company's domain, or for an address where strangers share the domain.
CREATE TABLE trials (
	key       TEXT   NOT NULL PRIMARY KEY,
	tenant    TEXT   NOT NULL, -- that it opened; it may be gone
	began_at  BIGINT NOT NULL
);

-- +goose Down
DROP TABLE trials;
DROP TABLE signups;
