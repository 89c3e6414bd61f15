-- Sounds that tenants upload.

-- +goose Up

-- What an announcement plays. It is not sealed: anybody who is called hears it.
CREATE TABLE agent_sounds (
	tenant_id  BLOB   NOT NULL,
	agent_id   BLOB   NOT NULL,
	file       BLOB   NOT NULL, -- Ogg Opus, as it was uploaded
	mulaw      BLOB   NOT NULL, -- the same, decoded
	micros     BIGINT NOT NULL, -- how long it is
	updated_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, agent_id),
	FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id) ON DELETE CASCADE
);

-- +goose Down
DROP TABLE agent_sounds;
