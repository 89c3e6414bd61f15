-- What lists are sorted and searched by.

-- +goose Up

-- What a person calls the device, in lower case: see tenants.Device.Title.
ALTER TABLE devices ADD COLUMN title_low TEXT COLLATE "C"
	GENERATED ALWAYS AS (LOWER(COALESCE(NULLIF(name, ''), NULLIF(person, ''), model))) STORED;
CREATE INDEX devices_title ON devices (tenant_id, title_low, id);

-- For a search by the beginning of the caller's label; rings without one are not in it.
ALTER TABLE rings ADD COLUMN caller_low TEXT COLLATE "C" GENERATED ALWAYS AS (LOWER(caller)) STORED;
CREATE INDEX rings_caller ON rings (tenant_id, caller_low) WHERE caller <> '';

-- +goose Down
DROP INDEX rings_caller;
ALTER TABLE rings DROP COLUMN caller_low;
DROP INDEX devices_title;
ALTER TABLE devices DROP COLUMN title_low;
