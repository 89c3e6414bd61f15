-- The whole schema. This set is for SQLite.
--
-- Conventions:
-- - Ids are UUIDs in 16 bytes (BLOB).
--   An optional id that is not set is the empty BLOB, never NULL.
-- - Times are Unix microseconds, UTC; 0 means never.
-- - Texts and numbers that are not set are '' and 0. Only rings.due_at may be NULL.
-- - A table that belongs to a tenant has tenant_id as the first column of its key.

-- +goose Up

-- Tenants, their people and their keys ---------------------------------------------------------

CREATE TABLE tenants (
	id            BLOB   NOT NULL PRIMARY KEY,
	slug          TEXT   NOT NULL UNIQUE,
	name          TEXT   NOT NULL,
	industry      TEXT   NOT NULL,
	state         TEXT   NOT NULL,
	time_zone     TEXT   NOT NULL,
	ring_ttl      BIGINT NOT NULL, -- microseconds
	default_agent BLOB   NOT NULL, -- not set = the built-in agent
	audit_seq     BIGINT NOT NULL DEFAULT 0, -- PostgreSQL's; here the one writer reads the last seq from audits
	created_at    BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE users (
	id          BLOB   NOT NULL PRIMARY KEY,
	email       TEXT   NOT NULL UNIQUE,
	name        TEXT   NOT NULL,
	password    TEXT   NOT NULL, -- argon2id
	theme       TEXT   NOT NULL,
	created_at  BIGINT NOT NULL,
	disabled_at BIGINT NOT NULL,
	unproven    BOOLEAN NOT NULL -- nobody has proved the address
) WITHOUT ROWID;

-- A sign-in belongs to a person, not to a tenant: tenant_id is only the tenant they look at now.
CREATE TABLE sign_ins (
	hash       BLOB   NOT NULL PRIMARY KEY, -- of the cookie's secret
	user_id    BLOB   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	tenant_id  BLOB   NOT NULL,
	created_at BIGINT NOT NULL,
	idle_at    BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	ip         TEXT   NOT NULL,
	user_agent TEXT   NOT NULL
) WITHOUT ROWID;
CREATE INDEX sign_ins_user ON sign_ins (user_id);

CREATE TABLE members (
	tenant_id  BLOB   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	user_id    BLOB   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	role       TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, user_id)
) WITHOUT ROWID;
CREATE INDEX members_user ON members (user_id);

CREATE TABLE invitations (
	tenant_id  BLOB   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	email      TEXT   NOT NULL,
	hash       BLOB   NOT NULL UNIQUE, -- of the link's secret
	role       TEXT   NOT NULL,
	shown      BOOLEAN NOT NULL, -- the inviter saw the link, so it does not prove the address
	by_kind    TEXT   NOT NULL,
	by_id      BLOB   NOT NULL,
	by_name    TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, email)
) WITHOUT ROWID;

CREATE TABLE agents (
	tenant_id  BLOB   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id         BLOB   NOT NULL,
	name       TEXT   NOT NULL,
	kind       TEXT   NOT NULL,
	caller     TEXT   NOT NULL,
	settings   TEXT   NOT NULL, -- JSON of what the agent's kind needs
	secret     BLOB   NOT NULL, -- sealed; empty = none
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;

CREATE TABLE keys (
	tenant_id    BLOB    NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id           BLOB    NOT NULL,
	hash         BLOB    NOT NULL UNIQUE,
	name         TEXT    NOT NULL,
	test         BOOLEAN NOT NULL,
	last4        TEXT    NOT NULL,
	permissions  TEXT    NOT NULL, -- separated by blanks
	per_second   BIGINT  NOT NULL, -- rings a second that the key may place; 0 = as many as its tenant
	created_at   BIGINT  NOT NULL,
	last_used_at BIGINT  NOT NULL,
	revoked_at   BIGINT  NOT NULL,
	PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;

-- Devices and what they are pushed with --------------------------------------------------------

CREATE TABLE devices (
	tenant_id       BLOB   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id              BLOB   NOT NULL,
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
) WITHOUT ROWID;
-- One active device per token; any number of disabled ones may have it.
CREATE UNIQUE INDEX devices_token ON devices (tenant_id, bundle, environment, token) WHERE state = 'active';
CREATE INDEX devices_person ON devices (tenant_id, person) WHERE person <> '';
CREATE INDEX devices_created ON devices (tenant_id, created_at);

-- A device's bearer credentials: more than one until a new one is used for the first time.
CREATE TABLE device_credentials (
	tenant_id  BLOB   NOT NULL,
	device_id  BLOB   NOT NULL,
	hash       BLOB   NOT NULL UNIQUE,
	created_at BIGINT NOT NULL,
	used_at    BIGINT NOT NULL, -- first use
	PRIMARY KEY (tenant_id, device_id, hash),
	FOREIGN KEY (tenant_id, device_id) REFERENCES devices (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;

CREATE TABLE pairings (
	tenant_id  BLOB   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id         BLOB   NOT NULL,
	hash       BLOB   NOT NULL UNIQUE, -- of the code
	person     TEXT   NOT NULL,
	by_kind    TEXT   NOT NULL,
	by_id      BLOB   NOT NULL,
	by_name    TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at    BIGINT NOT NULL,
	device_id  BLOB   NOT NULL, -- set once used
	PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
CREATE INDEX pairings_expiry ON pairings (expires_at);

-- A tenant's APNs keys and certificates. secret is sealed; its associated data is the tenant's id,
-- 'credentials' and the row's id.
CREATE TABLE credentials (
	tenant_id     BLOB    NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id            BLOB    NOT NULL,
	kind          TEXT    NOT NULL,
	bundle        TEXT    NOT NULL,
	environment   TEXT    NOT NULL,
	team          TEXT    NOT NULL,
	key_id        TEXT    NOT NULL, -- Apple's
	topics        TEXT    NOT NULL, -- separated by blanks
	fingerprint   TEXT    NOT NULL,
	not_after     BIGINT  NOT NULL,
	state         TEXT    NOT NULL,
	last_error    TEXT    NOT NULL,
	last_error_at BIGINT  NOT NULL,
	last_used_at  BIGINT  NOT NULL,
	created_at    BIGINT  NOT NULL,
	no_hedge      BOOLEAN NOT NULL, -- send no push a second time while a connection to Apple is silent
	secret        BLOB    NOT NULL,
	PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX credentials_once ON credentials (tenant_id, bundle, environment, fingerprint) WHERE state = 'active';

-- Rings ----------------------------------------------------------------------------------------

CREATE TABLE rings (
	tenant_id  BLOB    NOT NULL,
	id         BLOB    NOT NULL,
	version    BIGINT  NOT NULL,
	state      TEXT    NOT NULL,
	to_device  BLOB    NOT NULL, -- not set = to a person
	to_person  TEXT    NOT NULL,
	agent_id   BLOB    NOT NULL, -- not set = the built-in agent
	caller     TEXT    NOT NULL,
	reference  TEXT    NOT NULL,
	test       BOOLEAN NOT NULL,
	by_kind    TEXT    NOT NULL,
	by_id      BLOB    NOT NULL,
	by_name    TEXT    NOT NULL,
	created_at BIGINT  NOT NULL,
	expires_at BIGINT  NOT NULL,
	ended_at   BIGINT  NOT NULL,
	end_reason TEXT    NOT NULL,
	due_at     BIGINT,           -- when the sweep must look at it; NULL once it has ended
	PRIMARY KEY (tenant_id, id)
) WITHOUT ROWID;
CREATE INDEX rings_due ON rings (due_at) WHERE due_at IS NOT NULL;
-- Missed, failed, declined rings: written once, when a ring ends.
CREATE INDEX rings_ended ON rings (tenant_id, state) WHERE ended_at > 0;
-- For a search by the beginning of a reference or a person; rings without one are not in it.
CREATE INDEX rings_reference ON rings (tenant_id, LOWER(reference)) WHERE reference <> '';
CREATE INDEX rings_person ON rings (tenant_id, LOWER(to_person)) WHERE to_person <> '';

-- The sound of an answered ring. In its own table, because most rings have none.
CREATE TABLE calls (
	tenant_id    BLOB   NOT NULL,
	ring_id      BLOB   NOT NULL,
	device_id    BLOB   NOT NULL,
	answered_at  BIGINT NOT NULL,
	connected_at BIGINT NOT NULL,
	ended_at     BIGINT NOT NULL,
	ended_by     TEXT   NOT NULL,
	jitter       BIGINT NOT NULL, -- microseconds
	loss         DOUBLE PRECISION NOT NULL, -- share, 0 to 1
	round_trip   BIGINT NOT NULL, -- microseconds
	last_sound_at BIGINT NOT NULL, -- of the phone; 0 = unknown
	PRIMARY KEY (tenant_id, ring_id),
	FOREIGN KEY (tenant_id, ring_id) REFERENCES rings (tenant_id, id) ON DELETE CASCADE
) WITHOUT ROWID;
-- Calls in progress, which a plan limits, are counted without reading those that are over.
CREATE INDEX calls_up ON calls (tenant_id) WHERE ended_at = 0;

CREATE TABLE attempts (
	tenant_id     BLOB   NOT NULL,
	ring_id       BLOB   NOT NULL,
	id            BLOB   NOT NULL,
	device_id     BLOB   NOT NULL,
	credential_id BLOB   NOT NULL,
	state         TEXT   NOT NULL,
	app_version   TEXT   NOT NULL, -- of the device when it was rung
	os_version    TEXT   NOT NULL,
	apns_id       BLOB   NOT NULL,
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
) WITHOUT ROWID;
CREATE INDEX attempts_device ON attempts (tenant_id, device_id);

-- A seq is never used twice, not even after rows were deleted; readers resume by it. It is one more
-- than the highest, and the newest fact is never deleted. (AUTOINCREMENT would write one more page
-- for each commit.)
CREATE TABLE facts (
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
	UNIQUE (ring_id, attempt_id, kind) -- without the tenant, which no ring id needs: a shorter index
);

CREATE TABLE idempotency (
	tenant_id  BLOB   NOT NULL,
	key        TEXT   NOT NULL,
	body       BLOB   NOT NULL, -- hash
	ring_id    BLOB   NOT NULL,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE audits (
	tenant_id  BLOB   NOT NULL,
	seq        BIGINT NOT NULL,
	at         BIGINT NOT NULL,
	actor_kind TEXT   NOT NULL,
	actor_id   BLOB   NOT NULL,
	actor_name TEXT   NOT NULL,
	action     TEXT   NOT NULL,
	target     TEXT   NOT NULL, -- an id, an address, a plan: what was changed
	detail     TEXT   NOT NULL,
	ip         TEXT   NOT NULL,
	request_id TEXT   NOT NULL,
	times      BIGINT NOT NULL DEFAULT 1, -- how often the same was done in a short time
	last_at    BIGINT NOT NULL DEFAULT 0, -- when it was done last; 0 = only once
	PRIMARY KEY (tenant_id, seq)
) WITHOUT ROWID;
-- What people changed, among the many rings that programs place.
CREATE INDEX audits_rare ON audits (tenant_id, action, seq) WHERE action <> 'ring.place';

-- What is counted ------------------------------------------------------------------------------

-- bucket -1 counts attempts and -2 rings; the others count latencies since the hop before.
CREATE TABLE tallies (
	tenant_id   BLOB   NOT NULL,
	hour        BIGINT NOT NULL, -- its first moment
	fact        TEXT   NOT NULL,
	environment TEXT   NOT NULL,
	app_version TEXT   NOT NULL,
	os_version  TEXT   NOT NULL,
	agent_id    BLOB   NOT NULL,
	bucket      BIGINT NOT NULL,
	n           BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, hour, fact, environment, app_version, os_version, agent_id, bucket)
) WITHOUT ROWID;

-- The tallies of whole days, UTC, with fewer dimensions. A page that looks back thirty days reads
-- days, and hours only at its ends.
CREATE TABLE tally_days (
	tenant_id BLOB   NOT NULL,
	day       BIGINT NOT NULL, -- its first moment
	fact      TEXT   NOT NULL,
	bucket    BIGINT NOT NULL,
	n         BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, day, fact, bucket)
) WITHOUT ROWID;

-- Facts with a reason, by hour; pushes that woke the app after the ring had expired; and how rings
-- ended. bucket -1 counts, the others say how late.
CREATE TABLE outcomes (
	tenant_id   BLOB   NOT NULL,
	hour        BIGINT NOT NULL,
	fact        TEXT   NOT NULL, -- failed_to_show, silenced, refused; late; ended
	detail      TEXT   NOT NULL,
	app_version TEXT   NOT NULL,
	bucket      BIGINT NOT NULL,
	n           BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, hour, fact, detail, app_version, bucket)
) WITHOUT ROWID;

-- How far the roller has read: facts up to (xact, seq) are in tallies.
CREATE TABLE watermarks (
	name TEXT   NOT NULL PRIMARY KEY,
	xact BIGINT NOT NULL,
	seq  BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO watermarks (name, xact, seq) VALUES ('tallies', 0, 0);

-- One row for each problem that a tenant's people should know of: raised again, never doubled.
CREATE TABLE alerts (
	tenant_id   BLOB   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	kind        TEXT   NOT NULL,
	target      TEXT   NOT NULL, -- a credential's id, or a version of the app
	detail      TEXT   NOT NULL,
	first_at    BIGINT NOT NULL,
	last_at     BIGINT NOT NULL,
	count       BIGINT NOT NULL,
	resolved_at BIGINT NOT NULL,
	tell_at     BIGINT NOT NULL, -- when to mail the tenant's people; 0 = done, or resolved
	told_at     BIGINT NOT NULL, -- when they were last mailed
	PRIMARY KEY (tenant_id, kind, target)
) WITHOUT ROWID;
CREATE INDEX alerts_untold ON alerts (tell_at) WHERE tell_at <> 0;

-- Billing --------------------------------------------------------------------------------------

-- What a tenant buys. A tenant without a row may do everything.
CREATE TABLE subscriptions (
	tenant_id      BLOB    NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
	plan           TEXT    NOT NULL,
	state          TEXT    NOT NULL,
	every          TEXT    NOT NULL, -- month or year
	period_start   BIGINT  NOT NULL,
	period_end     BIGINT  NOT NULL,
	trial_end      BIGINT  NOT NULL,
	trial_cut      BIGINT  NOT NULL, -- when a trial ends whose card had one before; 0 = not cut
	cancel_at_end  BOOLEAN NOT NULL,
	past_due_since BIGINT  NOT NULL,
	overage        BOOLEAN NOT NULL,
	customer       TEXT    NOT NULL, -- Stripe's ids; empty = none
	stripe         TEXT    NOT NULL,
	quantity       BIGINT  NOT NULL, -- of the plan at Stripe; 0 = not at Stripe
	synced_at      BIGINT  NOT NULL,
	created_at     BIGINT  NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX subscriptions_customer ON subscriptions (customer) WHERE customer <> '';

-- Rings pushed, by month of usage (its first moment) and day.
CREATE TABLE usage (
	tenant_id BLOB   NOT NULL,
	period    BIGINT NOT NULL,
	day       BIGINT NOT NULL, -- midnight, UTC
	rings     BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, period, day)
) WITHOUT ROWID;

-- Each ring that counted: once, however many of its phones Apple accepted.
CREATE TABLE metered (
	tenant_id   BLOB   NOT NULL,
	ring_id     BLOB   NOT NULL,
	at          BIGINT NOT NULL,
	reported_at BIGINT NOT NULL, -- to Stripe's meter; 0 = not yet; -1 = need not be
	PRIMARY KEY (tenant_id, ring_id)
) WITHOUT ROWID;
CREATE INDEX metered_unreported ON metered (at) WHERE reported_at = 0;
CREATE INDEX metered_age ON metered (at);

-- Stripe's events, each kept once. They are hints: what counts is what Stripe's API answers.
CREATE TABLE stripe_events (
	id          TEXT    NOT NULL PRIMARY KEY,
	type        TEXT    NOT NULL,
	api_version TEXT    NOT NULL,
	live        BOOLEAN NOT NULL,
	object      TEXT    NOT NULL, -- id of the object it is about
	received_at BIGINT  NOT NULL,
	claimed_at  BIGINT  NOT NULL, -- a node works on it; 0 = none
	done_at     BIGINT  NOT NULL,
	tries       BIGINT  NOT NULL,
	error       TEXT    NOT NULL
) WITHOUT ROWID;
CREATE INDEX stripe_events_open ON stripe_events (received_at) WHERE done_at = 0;

-- Trials ---------------------------------------------------------------------------------------
-- These rows belong to no tenant: a sign-up comes before it, and the others outlive it.

CREATE TABLE signups (
	hash       BLOB   NOT NULL PRIMARY KEY, -- of the link's secret
	browser    BLOB   NOT NULL,             -- of the secret that the signing browser keeps
	email      TEXT   NOT NULL,
	name       TEXT   NOT NULL,
	password   TEXT   NOT NULL, -- argon2id
	company    TEXT   NOT NULL,
	industry   TEXT   NOT NULL,
	time_zone  TEXT   NOT NULL,
	code       TEXT   NOT NULL, -- of the partner who referred it; empty = none
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX signups_email ON signups (email);
CREATE INDEX signups_age ON signups (expires_at);

-- Links that set a new password. A row is kept for addresses without an account too, so that the
-- time of the answer does not tell.
CREATE TABLE password_resets (
	hash       BLOB   NOT NULL PRIMARY KEY, -- of the link's secret
	email      TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX password_resets_email ON password_resets (email);
CREATE INDEX password_resets_age ON password_resets (expires_at);

-- One trial for a company's domain, or for an address where many people share the domain.
CREATE TABLE trials (
	key      TEXT   NOT NULL PRIMARY KEY,
	tenant   BLOB   NOT NULL, -- the tenant it opened, which may be gone
	began_at BIGINT NOT NULL
) WITHOUT ROWID;

-- One trial for a card.
CREATE TABLE trial_cards (
	card     BLOB   NOT NULL PRIMARY KEY, -- keyed hash of Stripe's fingerprint; never the fingerprint
	tenant   BLOB   NOT NULL,             -- whose trial used the card, which may be gone
	began_at BIGINT NOT NULL
) WITHOUT ROWID;

-- Partners -------------------------------------------------------------------------------------
-- Partners refer tenants and are paid for it. No row here is a tenant's; each outlives the tenant
-- that it names.

CREATE TABLE partners (
	id         BLOB   NOT NULL PRIMARY KEY,
	code       TEXT   NOT NULL UNIQUE,
	email      TEXT   NOT NULL UNIQUE,
	name       TEXT   NOT NULL,
	key        TEXT   NOT NULL, -- the trial key of this address; see trials
	user_id    BLOB   NOT NULL, -- the account that also opens the partner dashboard; not set = none
	payee      TEXT   NOT NULL,
	pay_by     TEXT   NOT NULL, -- empty = not chosen yet
	account    TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	stopped_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX partners_user ON partners (user_id) WHERE user_id <> x'';

CREATE TABLE partner_links (
	hash       BLOB   NOT NULL PRIMARY KEY, -- of the link's secret
	email      TEXT   NOT NULL,
	name       TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX partner_links_age ON partner_links (expires_at);

CREATE TABLE partner_sign_ins (
	hash       BLOB   NOT NULL PRIMARY KEY, -- of the cookie's secret
	partner_id BLOB   NOT NULL REFERENCES partners (id),
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX partner_sign_ins_age ON partner_sign_ins (expires_at);

-- Clicks on a partner's link, by day: a number, and nothing about the visitor.
CREATE TABLE partner_clicks (
	partner_id BLOB   NOT NULL REFERENCES partners (id),
	day        BIGINT NOT NULL, -- midnight, UTC
	clicks     BIGINT NOT NULL,
	PRIMARY KEY (partner_id, day)
) WITHOUT ROWID;

CREATE TABLE referrals (
	id         BLOB   NOT NULL PRIMARY KEY, -- random: all that the partner sees of the tenant
	partner_id BLOB   NOT NULL REFERENCES partners (id),
	tenant     BLOB   NOT NULL UNIQUE, -- the referred tenant, which may be gone
	percent    BIGINT NOT NULL,
	months     BIGINT NOT NULL,
	hold_days  BIGINT NOT NULL,
	refused    TEXT   NOT NULL, -- why it earns nothing; empty = it earns
	asked_at   BIGINT NOT NULL, -- when Stripe was last asked about it
	created_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX referrals_partner ON referrals (partner_id, created_at);

-- What a referred tenant paid, as Stripe answered when it was last asked.
CREATE TABLE referral_payments (
	payment     TEXT   NOT NULL PRIMARY KEY, -- id of the invoice
	referral_id BLOB   NOT NULL REFERENCES referrals (id),
	paid_at     BIGINT NOT NULL,
	cents       BIGINT NOT NULL,
	untaxed     BIGINT NOT NULL,
	returned    BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX referral_payments_referral ON referral_payments (referral_id);

-- The ledger. Lines are added and never changed; a payout names the lines that it paid.
CREATE TABLE commissions (
	id          BLOB   NOT NULL PRIMARY KEY,
	partner_id  BLOB   NOT NULL REFERENCES partners (id),
	referral_id BLOB   NOT NULL REFERENCES referrals (id),
	payment     TEXT   NOT NULL REFERENCES referral_payments (payment),
	kind        TEXT   NOT NULL,
	cents       BIGINT NOT NULL,
	payable_at  BIGINT NOT NULL,
	created_at  BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX commissions_partner ON commissions (partner_id, created_at);
CREATE INDEX commissions_referral ON commissions (referral_id);

CREATE TABLE payouts (
	id         BLOB   NOT NULL PRIMARY KEY,
	partner_id BLOB   NOT NULL REFERENCES partners (id),
	cents      BIGINT NOT NULL CHECK (cents > 0),
	reference  TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	UNIQUE (partner_id, reference)
) WITHOUT ROWID;

CREATE TABLE payout_lines (
	commission_id BLOB NOT NULL PRIMARY KEY REFERENCES commissions (id), -- a line is paid once
	payout_id     BLOB NOT NULL REFERENCES payouts (id)
) WITHOUT ROWID;
CREATE INDEX payout_lines_payout ON payout_lines (payout_id);

-- The insert triggers are for INSERT OR REPLACE, which deletes without firing a delete trigger.
-- +goose StatementBegin
CREATE TRIGGER commissions_kept BEFORE UPDATE ON commissions BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER commissions_stay BEFORE DELETE ON commissions BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER commissions_once BEFORE INSERT ON commissions WHEN EXISTS (SELECT 1 FROM commissions WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payouts_kept BEFORE UPDATE ON payouts BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payouts_stay BEFORE DELETE ON payouts BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payouts_once BEFORE INSERT ON payouts
WHEN EXISTS (SELECT 1 FROM payouts WHERE id = NEW.id OR (partner_id = NEW.partner_id AND reference = NEW.reference))
BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payout_lines_kept BEFORE UPDATE ON payout_lines BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payout_lines_stay BEFORE DELETE ON payout_lines BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payout_lines_once BEFORE INSERT ON payout_lines
WHEN EXISTS (SELECT 1 FROM payout_lines WHERE commission_id = NEW.commission_id)
BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE payout_lines;
DROP TABLE payouts;
DROP TABLE commissions;
DROP TABLE referral_payments;
DROP TABLE referrals;
DROP TABLE partner_clicks;
DROP TABLE partner_sign_ins;
DROP TABLE partner_links;
DROP TABLE partners;
DROP TABLE trial_cards;
DROP TABLE trials;
DROP TABLE password_resets;
DROP TABLE signups;
DROP TABLE stripe_events;
DROP TABLE metered;
DROP TABLE usage;
DROP TABLE subscriptions;
DROP TABLE alerts;
DROP TABLE watermarks;
DROP TABLE outcomes;
DROP TABLE tally_days;
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
