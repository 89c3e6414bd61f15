-- Rules that raise alerts, targets that get them, and the weekly mail.

-- +goose Up

CREATE TABLE alert_rules (
	tenant_id  BLOB    NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id         BLOB    NOT NULL,
	name       TEXT    NOT NULL,
	metric     TEXT    NOT NULL,
	detail     TEXT    NOT NULL, -- a reason, or a step
	split      TEXT    NOT NULL, -- which rings; empty = all
	value      TEXT    NOT NULL,
	above      BOOLEAN NOT NULL, -- else below
	threshold  BIGINT  NOT NULL, -- thousandths of the unit of the metric
	window_s   BIGINT  NOT NULL,
	least      BIGINT  NOT NULL, -- what must have been counted for the figure to mean anything
	quiet_s    BIGINT  NOT NULL, -- between two alerts
	mail       BOOLEAN NOT NULL, -- owners and administrators get mail
	targets    TEXT    NOT NULL, -- ids of alert_targets, separated by blanks
	active     BOOLEAN NOT NULL,
	created_at BIGINT  NOT NULL,
	due_at     BIGINT  NOT NULL, -- when it is looked at next; a node that looks moves it first
	firing     BOOLEAN NOT NULL,
	fired_at   BIGINT  NOT NULL, -- 0 = never
	PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
CREATE INDEX alert_rules_due ON alert_rules (due_at) WHERE active;

-- secret is sealed: the address, and the key that signs.
CREATE TABLE alert_targets (
	tenant_id  BLOB    NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id         BLOB    NOT NULL,
	kind       TEXT    NOT NULL, -- email, webhook, chat
	name       TEXT    NOT NULL,
	roles      TEXT    NOT NULL, -- of email, separated by blanks
	every      BOOLEAN NOT NULL, -- gets every alert
	shown      TEXT    NOT NULL, -- what of the address may be shown
	secret     BLOB    NOT NULL,
	created_at BIGINT  NOT NULL,
	tried_at   BIGINT  NOT NULL, -- 0 = never
	answer     TEXT    NOT NULL, -- of the last try, as a sentence
	good       BOOLEAN NOT NULL, -- the last try arrived
	PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;

-- What is still to be sent to targets. It is written with the alert, and removed once it arrived or
-- was given up.
CREATE TABLE alert_sends (
	tenant_id BLOB   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id        BLOB   NOT NULL,
	target_id BLOB   NOT NULL,
	body      TEXT   NOT NULL, -- JSON
	due_at    BIGINT NOT NULL,
	tries     BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
CREATE INDEX alert_sends_due ON alert_sends (due_at);

-- Who got the mail of a week, by the first day of that week. token_hash is of the link that turns
-- it off.
CREATE TABLE digests (
	tenant_id  BLOB   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	week       TEXT   NOT NULL,
	user_id    BLOB   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	token_hash BLOB   NOT NULL,
	sent_at    BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, week, user_id)
) WITHOUT ROWID;
CREATE INDEX digests_token ON digests (token_hash);
CREATE TABLE digest_off (
	tenant_id BLOB NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	user_id   BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	PRIMARY KEY (tenant_id, user_id)
) WITHOUT ROWID;

-- How long steps took is kept by day too where rings are split, as it was for all rings already.
INSERT INTO step_times (tenant_id, span, split, value, fact, at, bucket, n)
SELECT tenant_id, 86400, split, value, fact, at / 86400000000 * 86400000000, bucket, SUM(n) FROM step_times
WHERE span = 3600 AND split <> '' GROUP BY tenant_id, split, value, fact, at / 86400000000 * 86400000000, bucket;

-- +goose Down
DELETE FROM step_times WHERE span = 86400;
DROP TABLE digest_off;
DROP TABLE digests;
DROP TABLE alert_sends;
DROP TABLE alert_targets;
DROP TABLE alert_rules;
