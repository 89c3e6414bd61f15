-- The people who run the server, their sign-ins and the record of what they do. They belong to no
-- tenant, and no tenant's person is one of them.

-- +goose Up
CREATE TABLE operators (
	id          BLOB NOT NULL PRIMARY KEY,
	email       TEXT NOT NULL UNIQUE,
	name        TEXT NOT NULL,
	password    TEXT NOT NULL, -- argon2id; empty until the link was used
	secret      BLOB NOT NULL, -- of the authenticator app, sealed; empty until the link was used
	last_step   BIGINT NOT NULL, -- the last code used: no code works twice
	created_at  BIGINT NOT NULL,
	disabled_at BIGINT NOT NULL
) WITHOUT ROWID;

-- Codes in place of a lost phone. A used one is deleted.
CREATE TABLE operator_codes (
	operator_id BLOB NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
	hash        BLOB NOT NULL,
	PRIMARY KEY (operator_id, hash)
) WITHOUT ROWID;

-- The link with which an operator chooses a password and an app. One at a time for each.
CREATE TABLE operator_links (
	operator_id BLOB NOT NULL PRIMARY KEY REFERENCES operators (id) ON DELETE CASCADE,
	hash        BLOB NOT NULL UNIQUE, -- of the link's secret
	expires_at  BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE operator_sign_ins (
	hash        BLOB NOT NULL PRIMARY KEY, -- of the cookie's secret
	operator_id BLOB NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
	half        BOOLEAN NOT NULL, -- the password was right, the code is still to be given
	created_at  BIGINT NOT NULL,
	idle_at     BIGINT NOT NULL,
	expires_at  BIGINT NOT NULL,
	ip          TEXT NOT NULL,
	user_agent  TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX operator_sign_ins_operator ON operator_sign_ins (operator_id);
CREATE INDEX operator_sign_ins_age ON operator_sign_ins (expires_at);

-- The end of the chain below: one row, which is held while an entry is added.
CREATE TABLE operator_chain (
	n    BIGINT NOT NULL PRIMARY KEY,
	seq  BIGINT NOT NULL,
	hash BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO operator_chain (n, seq, hash) VALUES (1, 0, x'');

-- What operators did. The columns and the hash are those of audits.
CREATE TABLE operator_audits (
	seq         BIGINT NOT NULL PRIMARY KEY,
	at          BIGINT NOT NULL,
	actor_kind  TEXT   NOT NULL,
	actor_id    BLOB NOT NULL,
	actor_name  TEXT   NOT NULL,
	action      TEXT   NOT NULL,
	target      TEXT   NOT NULL,
	detail      TEXT   NOT NULL,
	ip          TEXT   NOT NULL,
	request_id  TEXT   NOT NULL,
	times       BIGINT NOT NULL,
	last_at     BIGINT NOT NULL,
	target_name TEXT   NOT NULL,
	changes     TEXT   NOT NULL,
	result      TEXT   NOT NULL,
	salts       BLOB NOT NULL,
	erased      BLOB NOT NULL,
	hash        BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX operator_audits_target ON operator_audits (target, seq);

ALTER TABLE tenants ADD COLUMN suspended_why TEXT NOT NULL DEFAULT ''; -- what its people read while it is suspended

-- +goose StatementBegin
CREATE TRIGGER operator_audits_changed BEFORE UPDATE ON operator_audits
BEGIN
	SELECT RAISE(ABORT, 'the record of operators is kept as it is');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER operator_audits_removed BEFORE DELETE ON operator_audits
BEGIN
	SELECT RAISE(ABORT, 'the record of operators is kept as it is');
END;
-- +goose StatementEnd

-- +goose Down
ALTER TABLE tenants DROP COLUMN suspended_why;
DROP TABLE operator_audits;
DROP TABLE operator_chain;
DROP TABLE operator_sign_ins;
DROP TABLE operator_links;
DROP TABLE operator_codes;
DROP TABLE operators;
