-- What tenants buy, what they use, and what Stripe says about it. Tenants without a subscription have no row in any of these.

-- +goose Up
CREATE TABLE subscriptions (
	tenant_id      TEXT    NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
	plan           TEXT    NOT NULL,
	state          TEXT    NOT NULL,
	every          TEXT    NOT NULL, -- month or year
	period_start   BIGINT  NOT NULL,
	period_end     BIGINT  NOT NULL,
	trial_end      BIGINT  NOT NULL,
	cancel_at_end  BOOLEAN NOT NULL,
	past_due_since BIGINT  NOT NULL,
	overage        BOOLEAN NOT NULL,
	customer       TEXT    NOT NULL, -- Stripe's ids; empty = none
	stripe         TEXT    NOT NULL,
	synced_at      BIGINT  NOT NULL,
	created_at     BIGINT  NOT NULL
);
CREATE UNIQUE INDEX subscriptions_customer ON subscriptions (customer) WHERE customer <> '';

-- Rings pushed, by month of usage (its first moment) and day.
CREATE TABLE usage (
	tenant_id TEXT   NOT NULL,
	period    BIGINT NOT NULL,
	day       BIGINT NOT NULL, -- midnight, UTC
	rings     BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, period, day)
);

-- Each ring that counted: once, however many of its phones Apple accepted, and once more towards Stripe's meter.
CREATE TABLE metered (
	tenant_id   TEXT   NOT NULL,
	ring_id     TEXT   NOT NULL,
	at          BIGINT NOT NULL,
	reported_at BIGINT NOT NULL, -- 0 = Stripe is still to hear of it; -1 = need not
	PRIMARY KEY (tenant_id, ring_id)
);
CREATE INDEX metered_unreported ON metered (at) WHERE reported_at = 0;
CREATE INDEX metered_age ON metered (at);

-- Messages of Stripe, each kept once. They are hints: what counts is what Stripe answers when it is asked.
CREATE TABLE stripe_events (
	id          TEXT    NOT NULL PRIMARY KEY,
	type        TEXT    NOT NULL,
	api_version TEXT    NOT NULL,
	live        BOOLEAN NOT NULL,
	object      TEXT    NOT NULL, -- id of what it is about
	received_at BIGINT  NOT NULL,
	claimed_at  BIGINT  NOT NULL, -- somebody is at it; 0 = nobody
	done_at     BIGINT  NOT NULL,
	tries       BIGINT  NOT NULL,
	error       TEXT    NOT NULL
);
CREATE INDEX stripe_events_open ON stripe_events (received_at) WHERE done_at = 0;

-- +goose Down
DROP TABLE stripe_events;
DROP TABLE metered;
DROP TABLE usage;
DROP TABLE subscriptions;
