-- One phone that registered again as another device: the older row goes, and what is left of it
-- names the device that the phone is now.

-- +goose Up
CREATE TABLE device_merges (
	tenant_id UUID   NOT NULL,
	old_id    UUID   NOT NULL, -- of the row that is gone; its rings still name it
	device_id UUID   NOT NULL, -- the device that the phone is now
	name      TEXT   NOT NULL, -- what the old row was called
	from_at   BIGINT NOT NULL, -- when the old row was added
	merged_at BIGINT NOT NULL,
	PRIMARY KEY (tenant_id, old_id),
	FOREIGN KEY (tenant_id, device_id) REFERENCES devices (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX device_merges_device ON device_merges (tenant_id, device_id);

CREATE TABLE device_phones (
	tenant_id UUID NOT NULL,
	device_id UUID NOT NULL,
	hash      BYTEA NOT NULL, -- of the id that the app keeps on the phone
	PRIMARY KEY (tenant_id, device_id),
	FOREIGN KEY (tenant_id, device_id) REFERENCES devices (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX device_phones_hash ON device_phones (tenant_id, hash);

SELECT carillon_isolation();

-- +goose Down
DROP TABLE device_phones;
DROP TABLE device_merges;
