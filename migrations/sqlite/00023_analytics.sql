-- What pages, alert rules and digests say about rings, counted as rings happen.

-- +goose Up

-- Rings by span and by one property. Rings and how they ended count when the ring was placed; pushes
-- and failures of agents count when they happened.
CREATE TABLE ring_counts (
	tenant_id    BLOB   NOT NULL,
	span         BIGINT NOT NULL, -- seconds: 300, 3600 or 86400 (a day of UTC)
	split        TEXT   NOT NULL, -- '' = all rings; app_version, os_version, environment, agent, key
	value        TEXT   NOT NULL, -- of that property
	at           BIGINT NOT NULL, -- first moment of the span
	rings        BIGINT NOT NULL,
	answered     BIGINT NOT NULL,
	missed       BIGINT NOT NULL,
	declined     BIGINT NOT NULL,
	cancelled    BIGINT NOT NULL,
	failed       BIGINT NOT NULL,
	silent       BIGINT NOT NULL, -- answered, and the phone never sent a sound
	accepted     BIGINT NOT NULL, -- pushes
	refused      BIGINT NOT NULL, -- pushes
	agent_failed BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, span, split, value, at)
) WITHOUT ROWID;
CREATE INDEX ring_counts_age ON ring_counts (tenant_id, span, at);

-- How long the steps of rings took, by the buckets of tallies.
CREATE TABLE step_times (
	tenant_id BLOB   NOT NULL,
	span      BIGINT NOT NULL,
	split     TEXT   NOT NULL,
	value     TEXT   NOT NULL,
	fact      TEXT   NOT NULL,
	at        BIGINT NOT NULL,
	bucket    BIGINT NOT NULL,
	n         BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, span, split, value, fact, at, bucket)
) WITHOUT ROWID;
CREATE INDEX step_times_age ON step_times (tenant_id, span, at);

-- Rules that raise an alert when a figure passes a threshold. due_at is also the lease of the node
-- that looks at the rule.
CREATE TABLE alert_rules (
	tenant_id  BLOB    NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id         BLOB    NOT NULL,
	name       TEXT    NOT NULL,
	metric     TEXT    NOT NULL,
	split      TEXT    NOT NULL,
	value      TEXT    NOT NULL,
	above      BOOLEAN NOT NULL, -- else below
	threshold  BIGINT  NOT NULL, -- in the unit of the metric
	window_s   BIGINT  NOT NULL,
	least      BIGINT  NOT NULL, -- what must have been counted for the figure to mean anything
	quiet_s    BIGINT  NOT NULL, -- between two alerts
	members    BOOLEAN NOT NULL, -- owners and administrators get mail
	targets    TEXT    NOT NULL, -- ids of alert_targets, JSON
	active     BOOLEAN NOT NULL,
	created_at BIGINT  NOT NULL,
	due_at     BIGINT  NOT NULL,
	checked_at BIGINT  NOT NULL, -- 0 = never
	figure     BIGINT  NOT NULL, -- as last checked; -1 = too little was counted
	fired_at   BIGINT  NOT NULL, -- 0 = never
	firing     BOOLEAN NOT NULL,
	PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
CREATE INDEX alert_rules_due ON alert_rules (due_at) WHERE active;

-- Where alerts of rules are sent. secret is sealed: the address, and the key that signs.
CREATE TABLE alert_targets (
	tenant_id  BLOB   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id         BLOB   NOT NULL,
	kind       TEXT   NOT NULL, -- email, webhook, chat
	name       TEXT   NOT NULL,
	shown      TEXT   NOT NULL, -- what of the address may be shown
	secret     BLOB   NOT NULL,
	created_at BIGINT NOT NULL,
	tried_at   BIGINT NOT NULL, -- 0 = never
	answer     TEXT   NOT NULL, -- of the last try, as a sentence
	good       BOOLEAN NOT NULL, -- the last try arrived
	PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;

-- What is still to be sent to targets. It is written with the alert, and removed once it arrived.
CREATE TABLE alert_sends (
	tenant_id  BLOB   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id         BLOB   NOT NULL,
	rule_id    BLOB   NOT NULL,
	target_id  BLOB   NOT NULL,
	body       TEXT   NOT NULL, -- JSON
	created_at BIGINT NOT NULL,
	due_at     BIGINT NOT NULL,
	tries      BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
CREATE INDEX alert_sends_due ON alert_sends (due_at);

-- When a tenant's next weekly mail is due, and who does not want it.
CREATE TABLE digests (
	tenant_id BLOB   NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
	due_at    BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX digests_due ON digests (due_at);
CREATE TABLE digest_off (
	tenant_id BLOB NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	user_id   BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	PRIMARY KEY (tenant_id, user_id)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE digest_off;
DROP TABLE digests;
DROP TABLE alert_sends;
DROP TABLE alert_targets;
DROP TABLE alert_rules;
DROP TABLE step_times;
DROP TABLE ring_counts;
