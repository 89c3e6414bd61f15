-- Sounds that tenants upload.

-- +goose Up

-- What an announcement plays. It is not sealed: anybody who is called hears it.
CREATE TABLE agent_sounds (
	tenant_id  UUID   NOT NULL,
	agent_id   UUID   NOT NULL,
	file       BYTEA  NOT NULL, -- Ogg Opus, as it was uploaded
	mulaw      BYTEA  NOT NULL, -- the same, decoded
	micros     BIGINT NOT NULL, -- how long it is
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, agent_id),
	FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) ON DELETE CASCADE
);

SELECT carillon_isolation();

-- +goose Down
DROP TABLE agent_sounds;
