-- Operators who look at the console of a tenant, where it agrees.

-- +goose Up
ALTER TABLE tenants ADD COLUMN look_until BIGINT NOT NULL DEFAULT 0; -- until when operators may look; 0 = not

CREATE TABLE operator_looks (
	hash        BLOB NOT NULL PRIMARY KEY, -- of the one-time code, then of the cookie's secret
	operator_id BLOB NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
	tenant      BLOB NOT NULL, -- whose console it opens
	code        BOOLEAN NOT NULL, -- the code was not used yet
	expires_at  BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX operator_looks_age ON operator_looks (expires_at);
CREATE INDEX operator_looks_tenant ON operator_looks (tenant);
CREATE INDEX stripe_events_age ON stripe_events (received_at, id);

-- +goose Down
DROP INDEX stripe_events_age;
DROP TABLE operator_looks;
ALTER TABLE tenants DROP COLUMN look_until;
