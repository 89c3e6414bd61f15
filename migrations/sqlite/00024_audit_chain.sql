-- The record of changes: names, what a field was before and after, and the hash chain.

-- +goose Up
ALTER TABLE audits ADD COLUMN target_name TEXT NOT NULL DEFAULT ''; -- as it was at that moment
ALTER TABLE audits ADD COLUMN changes TEXT NOT NULL DEFAULT ''; -- JSON: field, before, after; never a secret
ALTER TABLE audits ADD COLUMN result TEXT NOT NULL DEFAULT ''; -- empty = done; 'refused'
-- The salts of the values that are there, 16 bytes each, in the order of the values; what is left of
-- erased values: the number of each and 32 bytes; the hash of the row. A row of an earlier version
-- has no hash until the migration or the next write of its tenant gives it one.
ALTER TABLE audits ADD COLUMN salts BLOB NOT NULL DEFAULT x'';
ALTER TABLE audits ADD COLUMN erased BLOB NOT NULL DEFAULT x'';
ALTER TABLE audits ADD COLUMN hash BLOB NOT NULL DEFAULT x'';
CREATE INDEX audits_refused ON audits (tenant_id, seq) WHERE result = 'refused';
ALTER TABLE tenants ADD COLUMN audit_hash BLOB NOT NULL DEFAULT x''; -- PostgreSQL's; of the row audit_seq

-- The keys that sign heads of chains. The private half is sealed under the master key.
CREATE TABLE audit_keys (
	n          BIGINT NOT NULL PRIMARY KEY, -- 1 is the first key
	id         TEXT   NOT NULL,
	public     BLOB  NOT NULL,
	sealed     BLOB  NOT NULL,
	created_at BIGINT NOT NULL
);

-- Signed heads of the tenants' chains. Rows up to an anchor may be removed.
CREATE TABLE audit_heads (
	tenant_id BLOB   NOT NULL,
	seq       BIGINT  NOT NULL,
	anchor    BOOLEAN NOT NULL,
	hash      BLOB   NOT NULL,
	at        BIGINT  NOT NULL,
	key_id    TEXT    NOT NULL,
	signature BLOB   NOT NULL,
	PRIMARY KEY (tenant_id, seq, anchor)
);

-- What the same actor repeated within ten minutes of a row: it becomes one row when they are over.
CREATE TABLE audit_repeats (
	tenant_id BLOB   NOT NULL,
	seq       BIGINT NOT NULL, -- the row
	due_at    BIGINT NOT NULL,
	times     BIGINT NOT NULL,
	first_at  BIGINT NOT NULL,
	last_at   BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX audit_repeats_due ON audit_repeats (due_at);

-- No row is ever changed: but for the hash of a row that has none yet, and for values that are erased
-- with their salts. None is removed, but for those up to an anchor.
-- +goose StatementBegin
CREATE TRIGGER audits_changed BEFORE UPDATE ON audits WHEN length(OLD.hash) > 0 AND NOT (
	NEW.tenant_id = OLD.tenant_id AND NEW.seq = OLD.seq AND NEW.at = OLD.at AND NEW.actor_kind =
	OLD.actor_kind AND NEW.actor_id = OLD.actor_id AND NEW.action = OLD.action AND NEW.request_id =
	OLD.request_id AND NEW.result = OLD.result AND NEW.times = OLD.times AND NEW.last_at = OLD.last_at
	AND NEW.hash = OLD.hash
	AND NEW.actor_name IN ('', OLD.actor_name) AND NEW.target IN ('', OLD.target) AND NEW.target_name IN
	('', OLD.target_name) AND NEW.detail IN ('', OLD.detail) AND NEW.changes IN ('', OLD.changes) AND
	NEW.ip IN ('', OLD.ip)
	AND length(NEW.salts) < length(OLD.salts) AND length(NEW.erased) > length(OLD.erased))
BEGIN
	SELECT RAISE(ABORT, 'the record of changes is never changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audits_removed BEFORE DELETE ON audits
WHEN OLD.seq > COALESCE((SELECT MAX(seq) FROM audit_heads WHERE tenant_id = OLD.tenant_id AND anchor), 0)
BEGIN
	SELECT RAISE(ABORT, 'the record of changes is kept');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_heads_changed BEFORE UPDATE ON audit_heads
BEGIN
	SELECT RAISE(ABORT, 'a signed head is never changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_heads_removed BEFORE DELETE ON audit_heads
WHEN OLD.seq >= COALESCE((SELECT MAX(seq) FROM audit_heads WHERE tenant_id = OLD.tenant_id AND anchor), 0)
BEGIN
	SELECT RAISE(ABORT, 'a signed head is kept');
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER audits_changed;
DROP TRIGGER audits_removed;
DROP TABLE audit_repeats;
DROP TABLE audit_heads;
DROP TABLE audit_keys;
DROP INDEX audits_refused;
ALTER TABLE tenants DROP COLUMN audit_hash;
ALTER TABLE audits DROP COLUMN hash;
ALTER TABLE audits DROP COLUMN erased;
ALTER TABLE audits DROP COLUMN salts;
ALTER TABLE audits DROP COLUMN result;
ALTER TABLE audits DROP COLUMN changes;
ALTER TABLE audits DROP COLUMN target_name;
