-- What lists are sorted and searched by.

-- +goose Up

-- What a person calls the device, in lower case: see tenants.Device.Title.
ALTER TABLE devices ADD COLUMN title_low TEXT
	GENERATED ALWAYS AS (LOWER(COALESCE(NULLIF(name, ''), NULLIF(person, ''), model))) VIRTUAL;
CREATE INDEX devices_title ON devices (tenant_id, title_low);

-- For a search by the beginning of the caller's label; rings without one are not in it.
CREATE INDEX rings_caller ON rings (tenant_id, LOWER(caller)) WHERE caller <> '';

-- +goose Down
DROP INDEX rings_caller;
DROP INDEX devices_title;
ALTER TABLE devices DROP COLUMN title_low;
