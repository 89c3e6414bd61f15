-- A fact about an agent may happen several times in one attempt: the index tells the repeats apart.
-- SQLite cannot change an index that belongs to its table, so the table is written again.

-- +goose Up
CREATE TABLE facts_again (
	seq         INTEGER PRIMARY KEY,
	tenant_id   BLOB    NOT NULL,
	ring_id     BLOB    NOT NULL,
	attempt_id  BLOB    NOT NULL,
	kind        TEXT    NOT NULL,
	at          BIGINT  NOT NULL,
	received_at BIGINT  NOT NULL,
	raw_at      BIGINT  NOT NULL, -- by the phone's clock, as it said; 0 = not from a phone
	raw_sent_at BIGINT  NOT NULL,
	detail      TEXT    NOT NULL,
	xact        BIGINT  NOT NULL DEFAULT 0, -- PostgreSQL's; here one writer makes seq the order of commits
	nth         BIGINT  NOT NULL DEFAULT 0, -- how many of this kind came before, where a kind may repeat
	UNIQUE (ring_id, attempt_id, kind, nth) -- without the tenant, which no ring id needs: a shorter index
);
INSERT INTO facts_again SELECT seq, tenant_id, ring_id, attempt_id, kind, at, received_at, raw_at, raw_sent_at, detail, xact, 0 FROM facts;
DROP TABLE facts;
ALTER TABLE facts_again RENAME TO facts;

-- +goose Down
CREATE TABLE facts_before (
	seq         INTEGER PRIMARY KEY,
	tenant_id   BLOB    NOT NULL,
	ring_id     BLOB    NOT NULL,
	attempt_id  BLOB    NOT NULL,
	kind        TEXT    NOT NULL,
	at          BIGINT  NOT NULL,
	received_at BIGINT  NOT NULL,
	raw_at      BIGINT  NOT NULL,
	raw_sent_at BIGINT  NOT NULL,
	detail      TEXT    NOT NULL,
	xact        BIGINT  NOT NULL DEFAULT 0,
	UNIQUE (ring_id, attempt_id, kind)
);
INSERT INTO facts_before SELECT seq, tenant_id, ring_id, attempt_id, kind, at, received_at, raw_at, raw_sent_at, detail, xact
	FROM facts WHERE nth = 0;
DROP TABLE facts;
ALTER TABLE facts_before RENAME TO facts;
