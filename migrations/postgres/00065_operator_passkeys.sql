-- Passkeys of operators, and when an operator proved last who they are.

-- +goose Up
SET LOCAL lock_timeout = '2s';
CREATE TABLE operator_passkeys (
	id            UUID   NOT NULL PRIMARY KEY,
	operator_id   UUID   NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
	credential_id BYTEA  NOT NULL UNIQUE, -- the authenticator's own
	credential    TEXT   NOT NULL, -- JSON: public key, counter and flags
	name          TEXT   NOT NULL,
	created_at    BIGINT NOT NULL,
	used_at       BIGINT NOT NULL
);
CREATE INDEX operator_passkeys_operator ON operator_passkeys (operator_id);

ALTER TABLE operator_sign_ins ADD COLUMN proved_at BIGINT NOT NULL DEFAULT 0; -- the last proof of who they are

-- +goose Down
ALTER TABLE operator_sign_ins DROP COLUMN proved_at;
DROP TABLE operator_passkeys;
