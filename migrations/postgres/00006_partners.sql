-- Partners bring tenants and are paid for it. They belong to the house: no row here is a tenant's, and each outlives the tenant that
-- it speaks of, which it names and never refers to.

-- +goose Up
ALTER TABLE signups ADD COLUMN code TEXT NOT NULL DEFAULT ''; -- of the partner who brought it; empty = nobody

CREATE TABLE partners (
	id         TEXT   NOT NULL PRIMARY KEY,
	code       TEXT   NOT NULL UNIQUE,
	email      TEXT   NOT NULL UNIQUE,
	name       TEXT   NOT NULL,
	key        TEXT   NOT NULL, -- what may have one trial under this address
	user_id    TEXT   NOT NULL, -- whose account opens the room too; empty = none
	payee      TEXT   NOT NULL,
	pay_by     TEXT   NOT NULL, -- empty = not said yet
	account    TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	stopped_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX partners_user ON partners (user_id) WHERE user_id <> '';

CREATE TABLE partner_links (
	hash       BYTEA  NOT NULL PRIMARY KEY, -- of the secret in the link
	email      TEXT   NOT NULL,
	name       TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX partner_links_age ON partner_links (expires_at);

CREATE TABLE partner_sign_ins (
	hash       BYTEA  NOT NULL PRIMARY KEY, -- of the cookie
	partner_id TEXT   NOT NULL REFERENCES partners (id),
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX partner_sign_ins_age ON partner_sign_ins (expires_at);

-- Links that were followed, by day: a number, and nothing about who followed them.
CREATE TABLE partner_clicks (
	partner_id TEXT   NOT NULL REFERENCES partners (id),
	day        BIGINT NOT NULL, -- midnight, UTC
	clicks     BIGINT NOT NULL,
	PRIMARY KEY (partner_id, day)
);

CREATE TABLE referrals (
	id         TEXT   NOT NULL PRIMARY KEY, -- random: all that the partner sees of the tenant
	partner_id TEXT   NOT NULL REFERENCES partners (id),
	tenant     TEXT   NOT NULL UNIQUE, -- that was brought; it may be gone
	percent    BIGINT NOT NULL,
	months     BIGINT NOT NULL,
	hold_days  BIGINT NOT NULL,
	refused    TEXT   NOT NULL, -- why it earns nothing; empty = it earns
	asked_at   BIGINT NOT NULL, -- when Stripe was last asked about it
	created_at BIGINT NOT NULL
);
CREATE INDEX referrals_partner ON referrals (partner_id, created_at);

-- What a brought tenant paid, as Stripe had it when it was last asked.
CREATE TABLE referral_payments (
	payment     TEXT   NOT NULL PRIMARY KEY, -- id of the invoice
	referral_id TEXT   NOT NULL REFERENCES referrals (id),
	paid_at     BIGINT NOT NULL,
	cents       BIGINT NOT NULL,
	untaxed     BIGINT NOT NULL,
	returned    BIGINT NOT NULL
);
CREATE INDEX referral_payments_referral ON referral_payments (referral_id);

-- The ledger. Lines are added and never changed; a payout stands beside the lines that it paid.
CREATE TABLE commissions (
	id          TEXT   NOT NULL PRIMARY KEY,
	partner_id  TEXT   NOT NULL REFERENCES partners (id),
	referral_id TEXT   NOT NULL REFERENCES referrals (id),
	payment     TEXT   NOT NULL REFERENCES referral_payments (payment),
	kind        TEXT   NOT NULL,
	cents       BIGINT NOT NULL,
	payable_at  BIGINT NOT NULL,
	created_at  BIGINT NOT NULL
);
CREATE INDEX commissions_partner ON commissions (partner_id, created_at);
CREATE INDEX commissions_referral ON commissions (referral_id);

CREATE TABLE payouts (
	id         TEXT   NOT NULL PRIMARY KEY,
	partner_id TEXT   NOT NULL REFERENCES partners (id),
	cents      BIGINT NOT NULL CHECK (cents > 0),
	reference  TEXT   NOT NULL,
	created_at BIGINT NOT NULL,
	UNIQUE (partner_id, reference)
);

CREATE TABLE payout_lines (
	commission_id TEXT NOT NULL PRIMARY KEY REFERENCES commissions (id), -- once in all
	payout_id     TEXT NOT NULL REFERENCES payouts (id)
);
CREATE INDEX payout_lines_payout ON payout_lines (payout_id);

-- +goose StatementBegin
CREATE FUNCTION ledger_grows() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'the ledger only grows'; END $$ LANGUAGE plpgsql;
-- +goose StatementEnd
CREATE TRIGGER commissions_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON commissions FOR EACH STATEMENT EXECUTE FUNCTION ledger_grows();
CREATE TRIGGER payouts_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON payouts FOR EACH STATEMENT EXECUTE FUNCTION ledger_grows();
CREATE TRIGGER payout_lines_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON payout_lines FOR EACH STATEMENT EXECUTE FUNCTION ledger_grows();

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
DROP FUNCTION ledger_grows();
ALTER TABLE signups DROP COLUMN code;
