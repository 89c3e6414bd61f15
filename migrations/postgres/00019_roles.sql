-- The role that somebody tries out, and signing in through a tenant's own provider (OpenID Connect).

-- +goose Up
ALTER TABLE sign_ins ADD COLUMN preview TEXT NOT NULL DEFAULT ''; -- the role that the console shows in place of the person's own
ALTER TABLE sign_ins ADD COLUMN provider BOOLEAN NOT NULL DEFAULT FALSE; -- the tenant's provider vouched for it: it opens this tenant only

-- The provider of a tenant.
CREATE TABLE oidc_providers (
	tenant_id  UUID   NOT NULL PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
	issuer     TEXT   NOT NULL,
	client_id  TEXT   NOT NULL,
	sealed     BYTEA   NOT NULL, -- the client secret
	role       TEXT   NOT NULL, -- at the first sign-in
	only_way   BOOLEAN NOT NULL, -- nobody but owners signs in with a password
	updated_at BIGINT NOT NULL
);

-- The e-mail domains whose people a provider may sign in. One tenant has a domain.
CREATE TABLE oidc_domains (
	tenant_id UUID NOT NULL REFERENCES oidc_providers (tenant_id) ON DELETE CASCADE,
	domain    TEXT NOT NULL,
	PRIMARY KEY (tenant_id, domain)
);
CREATE UNIQUE INDEX oidc_domains_domain ON oidc_domains (domain);

-- Who a provider's subjects are here.
CREATE TABLE oidc_subjects (
	tenant_id  UUID   NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	issuer     TEXT   NOT NULL,
	subject    TEXT   NOT NULL,
	user_id    UUID   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	created_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, issuer, subject)
);
CREATE INDEX oidc_subjects_user ON oidc_subjects (user_id);

-- Sign-ins that were sent to a provider. Each is used once.
CREATE TABLE oidc_starts (
	hash       BYTEA   NOT NULL PRIMARY KEY, -- of the cookie's secret
	tenant     UUID   NOT NULL,
	next       TEXT   NOT NULL, -- own path to go to afterwards
	fresh_at   BIGINT NOT NULL, -- the person must have proved themselves to the provider since; 0 = any sign-in will do
	expires_at BIGINT NOT NULL
);
CREATE INDEX oidc_starts_age ON oidc_starts (expires_at);

-- +goose Down
DROP TABLE oidc_starts;
DROP TABLE oidc_subjects;
DROP TABLE oidc_domains;
DROP TABLE oidc_providers;
ALTER TABLE sign_ins DROP COLUMN provider;
ALTER TABLE sign_ins DROP COLUMN preview;
