-- What servers that share this database agree on: the provider tokens that they show to Apple, and
-- when a device may be pushed to again. Neither says anything of a tenant.

-- +goose Up
CREATE TABLE provider_tokens (
	key       TEXT   NOT NULL PRIMARY KEY, -- SHA-256 of team, key id and public key
	issued_at BIGINT NOT NULL              -- every server signs the same token from this and the key
);

CREATE TABLE device_paces (
	device_id UUID   NOT NULL PRIMARY KEY,
	free_at   BIGINT NOT NULL -- from when on the next push to the device may go
);
CREATE INDEX device_paces_age ON device_paces (free_at);

-- +goose Down
DROP TABLE device_paces;
DROP TABLE provider_tokens;
