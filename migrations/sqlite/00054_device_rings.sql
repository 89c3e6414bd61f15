-- Which rings rang a device. The index of attempts by device was written at random places: it had
-- more than half of the pages of a commit. Now the rows of many rings are written at once, sorted by
-- device, after their rings. Who looks for a device's rings reads rung, which adds those that are
-- not written yet: they are behind the mark.

-- +goose Up
CREATE TABLE device_rings (
	tenant_id BLOB NOT NULL,
	device_id BLOB NOT NULL,
	ring_id   BLOB NOT NULL,
	PRIMARY KEY (tenant_id, device_id, ring_id)
) WITHOUT ROWID;
INSERT INTO device_rings SELECT DISTINCT tenant_id, device_id, ring_id FROM attempts ORDER BY tenant_id, device_id, ring_id;
INSERT INTO watermarks (name, xact, seq) SELECT 'device_rings', 0, COALESCE(MAX(seq), 0) FROM facts;
DROP INDEX attempts_device;

-- Each ring of a device once, although it may have rung the device twice.
CREATE VIEW rung_new AS
SELECT a.tenant_id, a.device_id, a.ring_id
FROM facts f CROSS JOIN attempts a ON a.tenant_id = f.tenant_id AND a.ring_id = f.ring_id AND a.id = f.attempt_id
WHERE f.seq > (SELECT seq FROM watermarks WHERE name = 'device_rings') AND f.kind = 'placed'
AND NOT EXISTS (SELECT 1 FROM device_rings d WHERE d.tenant_id = a.tenant_id AND d.device_id = a.device_id AND d.ring_id = a.ring_id)
AND NOT EXISTS (SELECT 1 FROM attempts b WHERE b.tenant_id = a.tenant_id AND b.ring_id = a.ring_id AND b.id > a.id
	AND b.device_id = a.device_id);
CREATE VIEW rung AS SELECT tenant_id, device_id, ring_id FROM device_rings UNION ALL SELECT tenant_id, device_id, ring_id FROM rung_new;

-- +goose StatementBegin
CREATE TRIGGER attempts_removed AFTER DELETE ON attempts
BEGIN
	DELETE FROM device_rings WHERE tenant_id = OLD.tenant_id AND device_id = OLD.device_id AND ring_id = OLD.ring_id;
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER attempts_removed;
DROP VIEW rung;
DROP VIEW rung_new;
CREATE INDEX attempts_device ON attempts (tenant_id, device_id);
DROP TABLE device_rings;
DELETE FROM watermarks WHERE name = 'device_rings';
