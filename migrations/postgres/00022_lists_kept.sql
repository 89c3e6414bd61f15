-- How people look at lists, and the tags of devices.

-- +goose Up

-- The columns that a person chose for a list.
CREATE TABLE list_columns (
	tenant_id UUID NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	user_id   UUID NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	list      TEXT NOT NULL, -- "rings"
	columns   TEXT NOT NULL, -- keys, joined by commas
	PRIMARY KEY (tenant_id, user_id, list)
);

-- Searches that a person keeps under a name, for themselves or for everybody of the tenant.
CREATE TABLE saved_views (
	tenant_id  UUID    NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
	id         UUID    NOT NULL,
	user_id    UUID    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	list       TEXT    NOT NULL,
	name       TEXT    NOT NULL,
	query      TEXT    NOT NULL, -- of the list's address
	shared     BOOLEAN NOT NULL,
	created_at BIGINT  NOT NULL,
	PRIMARY KEY (tenant_id, id)
);
CREATE INDEX saved_views_list ON saved_views (tenant_id, list);

CREATE TABLE device_tags (
	tenant_id UUID NOT NULL,
	device_id UUID NOT NULL,
	tag       TEXT NOT NULL,
	PRIMARY KEY (tenant_id, device_id, tag),
	FOREIGN KEY (tenant_id, device_id) REFERENCES devices (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX device_tags_tag ON device_tags (tenant_id, tag, device_id);

SELECT carillon_isolation();

-- +goose Down
DROP TABLE device_tags;
DROP TABLE saved_views;
DROP TABLE list_columns;
