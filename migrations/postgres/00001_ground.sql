-- Times are Unix microseconds, UTC; 0 means never. Ids are UUIDs in lower case. Every tenant's table has tenant_id first in its key.

-- +goose Up
CREATE TABLE tenants (
	id            TEXT    NOT NULL PRIMARY KEY,
	slug          TEXT    NOT NULL UNIQUE,
	name          TEXT    NOT NULL,
	industry      TEXT    NOT NULL,
	state         TEXT    NOT NULL,
	time_zone     TEXT    NOT NULL,
	ring_ttl      BIGINT  NOT NULL,
	default_agent TEXT    NOT NULL,
	audit_seq     BIGINT  NOT NULL DEFAULT 0, -- the last seq given out in audits; grows by one, without a gap
	created_at    BIGINT  NOT NULL
);

CREATE TABLE users (
	id          TEXT   NOT NULL PRIMARY KEY,
	email       TEXT   NOT NULL UNIQUE,
	name        TEXT   NOT NULL,
	password    TEXT   NOT NULL,
	theme       TEXT   NOT NULL,
	created_at  BIGINT NOT NULL,
	disabled_at BIGINT NOT NULL
);

-- A person's sign-in is the person's, not a tenant's: tenant_id is only where they are looking now.
CREATE TABLE sign_ins (
	hash       BYTEA  NOT NULL PRIMARY KEY,
	user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	tenant_id  TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	idle_at    BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	ip         TEXT   NOT NULL,
	user_agent TEXT   NOT NULL
);
CREATE INDEX sign_ins_user ON sign_ins (user_id);

CREATE TABLE members (
	tenant_id  TEXT   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	role       TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, user_id)
);
CREATE INDEX members_user ON members (user_id);

CREATE TABLE invitations (
	tenant_id  TEXT   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	email      TEXT   NOT NULL,
	hash       BYTEA  NOT NULL UNIQUE,
	role       TEXT   NOT NULL,
	by_kind    TEXT   NOT NULL,
	by_id      TEXT   NOT NULL,
	by_name    TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, email)
);

CREATE TABLE agents (
	tenant_id  TEXT   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id         TEXT   NOT NULL,
	name       TEXT   NOT NULL,
	kind       TEXT   NOT NULL,
	caller     TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, id)
);

CREATE TABLE keys (
	tenant_id    TEXT    NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id           TEXT    NOT NULL,
	hash         BYTEA  NOT NULL UNIQUE,
	name         TEXT    NOT NULL,
	test         BOOLEAN NOT NULL,
	last4        TEXT    NOT NULL,
	permissions  TEXT    NOT NULL, -- separated by blanks
	created_at   BIGINT  NOT NULL,
	last_used_at BIGINT  NOT NULL,
	revoked_at   BIGINT  NOT NULL,
	PRIMARY KEY (tenant_id, id)
);

CREATE TABLE devices (
	tenant_id       TEXT   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id              TEXT   NOT NULL,
	token           TEXT   NOT NULL,
	bundle          TEXT   NOT NULL,
	environment     TEXT   NOT NULL,
	learnt          TEXT   NOT NULL,
	person          TEXT   NOT NULL,
	name            TEXT   NOT NULL,
	model           TEXT   NOT NULL,
	os_version      TEXT   NOT NULL,
	app_version     TEXT   NOT NULL,
	time_zone       TEXT   NOT NULL,
	platform        TEXT   NOT NULL,
	state           TEXT   NOT NULL,
	disabled_reason TEXT   NOT NULL,
	registered_at   BIGINT NOT NULL,
	seen_at         BIGINT NOT NULL,
	created_at      BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, id)
);
-- One live device per token; dead ones may pile up under the same token.
CREATE UNIQUE INDEX devices_token ON devices (tenant_id, bundle, environment, token) WHERE state = 'active';
CREATE INDEX devices_person ON devices (tenant_id, person) WHERE person <> '';
CREATE INDEX devices_created ON devices (tenant_id, created_at, id);

-- A device's bearer credentials: more than one while a new one has not been used yet.
CREATE TABLE device_credentials (
	tenant_id  TEXT   NOT NULL,
	device_id  TEXT   NOT NULL,
	hash       BYTEA  NOT NULL UNIQUE,
	created_at BIGINT NOT NULL,
	used_at    BIGINT NOT NULL, -- first use
	PRIMARY KEY (tenant_id, device_id, hash),
	FOREIGN KEY (tenant_id, device_id) REFERENCES devices (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE pairings (
	tenant_id  TEXT   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id         TEXT   NOT NULL,
	hash       BYTEA  NOT NULL UNIQUE,
	person     TEXT   NOT NULL,
	by_kind    TEXT   NOT NULL,
	by_id      TEXT   NOT NULL,
	by_name    TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at    BIGINT NOT NULL,
	device_id  TEXT   NOT NULL,
	PRIMARY KEY (tenant_id, id)
);
CREATE INDEX pairings_expiry ON pairings (expires_at);

-- What lets a tenant push. secret is sealed; its associated data is tenant, 'credentials', id.
CREATE TABLE credentials (
	tenant_id     TEXT   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id            TEXT   NOT NULL,
	kind          TEXT   NOT NULL,
	bundle        TEXT   NOT NULL,
	environment   TEXT   NOT NULL,
	team          TEXT   NOT NULL,
	key_id        TEXT   NOT NULL,
	topics        TEXT   NOT NULL, -- separated by blanks
	fingerprint   TEXT   NOT NULL,
	not_after     BIGINT NOT NULL,
	state         TEXT   NOT NULL,
	last_error    TEXT   NOT NULL,
	last_error_at BIGINT NOT NULL,
	last_used_at  BIGINT NOT NULL,
	created_at    BIGINT NOT NULL,
	secret        BYTEA  NOT NULL,
	PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX credentials_once ON credentials (tenant_id, bundle, environment, fingerprint) WHERE state = 'active';

CREATE TABLE rings (
	tenant_id  TEXT    NOT NULL,
	id         TEXT    NOT NULL,
	version    BIGINT  NOT NULL,
	state      TEXT    NOT NULL,
	to_device  TEXT    NOT NULL,
	to_person  TEXT    NOT NULL,
	agent_id   TEXT    NOT NULL,
	caller     TEXT    NOT NULL,
	reference  TEXT    NOT NULL,
	test       BOOLEAN NOT NULL,
	by_kind    TEXT    NOT NULL,
	by_id      TEXT    NOT NULL,
	by_name    TEXT    NOT NULL,
	created_at BIGINT  NOT NULL,
	expires_at BIGINT  NOT NULL,
	ended_at   BIGINT  NOT NULL,
	end_reason TEXT    NOT NULL,
	due_at     BIGINT,           -- when the sweep must look at it; NULL once it has ended
	PRIMARY KEY (tenant_id, id)
);
CREATE INDEX rings_created ON rings (tenant_id, created_at, id);
CREATE INDEX rings_due ON rings (due_at) WHERE due_at IS NOT NULL;

-- An answered ring's sound. In a table of its own, because most rings have none.
CREATE TABLE calls (
	tenant_id    TEXT   NOT NULL,
	ring_id      TEXT   NOT NULL,
	device_id    TEXT   NOT NULL,
	answered_at  BIGINT NOT NULL,
	connected_at BIGINT NOT NULL,
	ended_at     BIGINT NOT NULL,
	ended_by     TEXT   NOT NULL,
	jitter       BIGINT NOT NULL, -- microseconds
	loss         DOUBLE PRECISION NOT NULL, -- share, 0 to 1
	round_trip   BIGINT NOT NULL, -- microseconds
	PRIMARY KEY (tenant_id, ring_id),
	FOREIGN KEY (tenant_id, ring_id) REFERENCES rings (tenant_id, id) ON DELETE CASCADE
);

-- An attempt is always reached through its ring, so the ring stands in the key and no second index is needed.
CREATE TABLE attempts (
	tenant_id     TEXT   NOT NULL,
	ring_id       TEXT   NOT NULL,
	id            TEXT   NOT NULL,
	device_id     TEXT   NOT NULL,
	credential_id TEXT   NOT NULL,
	state         TEXT   NOT NULL,
	app_version   TEXT   NOT NULL, -- of the device when it was rung
	os_version    TEXT   NOT NULL,
	apns_id       TEXT   NOT NULL,
	topic         TEXT   NOT NULL,
	token         TEXT   NOT NULL,
	environment   TEXT   NOT NULL,
	tries         BIGINT NOT NULL,
	status        BIGINT NOT NULL,
	reason        TEXT   NOT NULL,
	sent_at       BIGINT NOT NULL,
	answered_at   BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, ring_id, id),
	FOREIGN KEY (tenant_id, ring_id) REFERENCES rings (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX attempts_device ON attempts (tenant_id, device_id, ring_id);

-- IDENTITY: a seq is never given out twice, not even after rows were deleted; readers resume by it.
CREATE TABLE facts (
	seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	tenant_id   TEXT   NOT NULL,
	ring_id     TEXT   NOT NULL,
	attempt_id  TEXT   NOT NULL,
	kind        TEXT   NOT NULL,
	at          BIGINT NOT NULL,
	received_at BIGINT NOT NULL,
	raw_at      BIGINT NOT NULL,
	raw_sent_at BIGINT NOT NULL,
	detail      TEXT   NOT NULL,
	xact        BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text::bigint), -- commits may overtake each other; the roller reads only what is below every open transaction
	UNIQUE (tenant_id, ring_id, attempt_id, kind)
);
CREATE INDEX facts_order ON facts (xact, seq);

CREATE TABLE idempotency (
	tenant_id  TEXT   NOT NULL,
	key        TEXT   NOT NULL,
	body       BYTEA  NOT NULL,
	ring_id    TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE audits (
	tenant_id  TEXT   NOT NULL,
	seq        BIGINT NOT NULL,
	at         BIGINT NOT NULL,
	actor_kind TEXT   NOT NULL,
	actor_id   TEXT   NOT NULL,
	actor_name TEXT   NOT NULL,
	action     TEXT   NOT NULL,
	target     TEXT   NOT NULL,
	detail     TEXT   NOT NULL,
	ip         TEXT   NOT NULL,
	request_id TEXT   NOT NULL,
	PRIMARY KEY (tenant_id, seq)
);

-- bucket -1 counts attempts; the others count latencies since the hop before.
CREATE TABLE tallies (
	tenant_id   TEXT   NOT NULL,
	hour        BIGINT NOT NULL,
	fact        TEXT   NOT NULL,
	environment TEXT   NOT NULL,
	app_version TEXT   NOT NULL,
	os_version  TEXT   NOT NULL,
	agent_id    TEXT   NOT NULL,
	bucket      BIGINT NOT NULL,
	n           BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, hour, fact, environment, app_version, os_version, agent_id, bucket)
);

-- How far the roller has read: facts up to (xact, seq) are in tallies.
CREATE TABLE watermarks (
	name TEXT   NOT NULL PRIMARY KEY,
	xact BIGINT NOT NULL,
	seq  BIGINT NOT NULL
);
INSERT INTO watermarks (name, xact, seq) VALUES ('tallies', 0, 0);

-- +goose Down
DROP TABLE watermarks;
DROP TABLE tallies;
DROP TABLE audits;
DROP TABLE idempotency;
DROP TABLE facts;
DROP TABLE attempts;
DROP TABLE calls;
DROP TABLE rings;
DROP TABLE credentials;
DROP TABLE pairings;
DROP TABLE device_credentials;
DROP TABLE devices;
DROP TABLE keys;
DROP TABLE agents;
DROP TABLE invitations;
DROP TABLE members;
DROP TABLE sign_ins;
DROP TABLE users;
DROP TABLE tenants;
