-- What people prove themselves with beside a password, and when they did so last.

-- +goose Up
ALTER TABLE users ADD COLUMN two_steps BOOLEAN NOT NULL DEFAULT FALSE; -- has an authenticator app or a passkey
ALTER TABLE tenants ADD COLUMN two_steps BOOLEAN NOT NULL DEFAULT FALSE; -- everybody must
ALTER TABLE sign_ins ADD COLUMN proved_at BIGINT NOT NULL DEFAULT 0; -- the last time the person proved who they are
ALTER TABLE sign_ins ADD COLUMN origin TEXT NOT NULL DEFAULT ''; -- the same under every token of the sign-in

-- A person's authenticator app.
CREATE TABLE authenticators (
	user_id    BLOB   NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
	secret     BLOB   NOT NULL, -- sealed
	last_step  BIGINT NOT NULL, -- the last one used: no code works twice
	created_at BIGINT NOT NULL
) WITHOUT ROWID;

-- Codes in place of a lost phone. A used one is deleted.
CREATE TABLE recovery_codes (
	user_id    BLOB   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	hash       BLOB   NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (user_id, hash)
) WITHOUT ROWID;

CREATE TABLE passkeys (
	id            BLOB   NOT NULL PRIMARY KEY,
	user_id       BLOB   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	credential_id BLOB   NOT NULL UNIQUE, -- the authenticator's own
	credential    TEXT   NOT NULL, -- JSON: public key, counter and flags
	name          TEXT   NOT NULL,
	created_at    BIGINT NOT NULL,
	used_at       BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX passkeys_user ON passkeys (user_id);

-- What an authenticator must sign. Each is used once.
CREATE TABLE passkey_challenges (
	hash       BLOB   NOT NULL PRIMARY KEY, -- of the cookie's secret
	session    TEXT   NOT NULL, -- JSON
	expires_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX passkey_challenges_age ON passkey_challenges (expires_at);

-- People whose password was right and who still have to give a second proof.
CREATE TABLE half_sign_ins (
	hash       BLOB   NOT NULL PRIMARY KEY, -- of the cookie's secret
	user_id    BLOB   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	tenant     BLOB   NOT NULL, -- that they will look at
	expires_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX half_sign_ins_age ON half_sign_ins (expires_at);
CREATE INDEX half_sign_ins_user ON half_sign_ins (user_id);

-- Links that prove a person's new address. One is open for a person at a time.
CREATE TABLE email_changes (
	user_id    BLOB   NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
	hash       BLOB   NOT NULL UNIQUE, -- of the link's secret
	email      TEXT   NOT NULL, -- the new address
	expires_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX email_changes_age ON email_changes (expires_at);

-- +goose Down
DROP TABLE email_changes;
DROP TABLE half_sign_ins;
DROP TABLE passkey_challenges;
DROP TABLE passkeys;
DROP TABLE recovery_codes;
DROP TABLE authenticators;
ALTER TABLE sign_ins DROP COLUMN origin;
ALTER TABLE sign_ins DROP COLUMN proved_at;
ALTER TABLE tenants DROP COLUMN two_steps;
ALTER TABLE users DROP COLUMN two_steps;
