-- Devices are sorted by person.
-- +goose Up
SET LOCAL lock_timeout = '2s';
CREATE INDEX devices_by_person ON devices (tenant_id, person, id);

-- +goose Down
DROP INDEX devices_by_person;
