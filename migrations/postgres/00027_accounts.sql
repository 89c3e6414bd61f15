-- Domains that a provider may vouch for are proved by a DNS record, invitations are sent again, and
-- sign-ins sent to a provider are bounded by tenant and by network.

-- +goose Up
ALTER TABLE oidc_domains ADD COLUMN token TEXT NOT NULL DEFAULT ''; -- what the TXT record of the domain must hold
ALTER TABLE oidc_domains ADD COLUMN verified_at BIGINT NOT NULL DEFAULT 0; -- 0 = the record was not found yet
UPDATE oidc_domains SET token = replace(gen_random_uuid()::text, '-', '');
DROP INDEX oidc_domains_domain;
CREATE INDEX oidc_domains_domain ON oidc_domains (domain);
CREATE UNIQUE INDEX oidc_domains_verified ON oidc_domains (domain) WHERE verified_at > 0; -- anybody may claim, one may have

ALTER TABLE oidc_starts ADD COLUMN network TEXT NOT NULL DEFAULT ''; -- that began it
CREATE INDEX oidc_starts_tenant ON oidc_starts (tenant);
CREATE INDEX oidc_starts_network ON oidc_starts (network);

ALTER TABLE invitations ADD COLUMN sent_at BIGINT NOT NULL DEFAULT 0; -- again, the last time; 0 = never
ALTER TABLE invitations ADD COLUMN sends BIGINT NOT NULL DEFAULT 0;   -- again, since sends_from
ALTER TABLE invitations ADD COLUMN sends_from BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE invitations DROP COLUMN sends_from;
ALTER TABLE invitations DROP COLUMN sends;
ALTER TABLE invitations DROP COLUMN sent_at;
DROP INDEX oidc_starts_network;
DROP INDEX oidc_starts_tenant;
ALTER TABLE oidc_starts DROP COLUMN network;
DROP INDEX oidc_domains_verified;
DROP INDEX oidc_domains_domain;
DELETE FROM oidc_domains WHERE verified_at = 0;
CREATE UNIQUE INDEX oidc_domains_domain ON oidc_domains (domain);
ALTER TABLE oidc_domains DROP COLUMN verified_at;
ALTER TABLE oidc_domains DROP COLUMN token;
