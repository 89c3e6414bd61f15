-- One trial for a card. Like trials, these rows belong to no tenant: they outlive the one that they name.

-- +goose Up
CREATE TABLE trial_cards (
	card     BYTEA  NOT NULL PRIMARY KEY, -- keyed hash of Stripe's fingerprint; never the fingerprint
	tenant   TEXT   NOT NULL,             -- whose trial the card stands for
	began_at BIGINT NOT NULL
);
ALTER TABLE subscriptions ADD COLUMN trial_cut BIGINT NOT NULL DEFAULT 0; -- when a trial ends whose card had one before; 0 = it was not cut

-- +goose Down
ALTER TABLE subscriptions DROP COLUMN trial_cut;
DROP TABLE trial_cards;
