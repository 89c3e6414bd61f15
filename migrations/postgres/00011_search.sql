-- A policy lets an index be looked into by no function that could tell what it saw, and LOWER is one. So what a search looks for the
-- beginning of is stored in lower case, byte by byte.

-- +goose Up
DROP INDEX rings_person;
DROP INDEX rings_reference;
ALTER TABLE rings
	ADD COLUMN reference_low TEXT COLLATE "C" GENERATED ALWAYS AS (LOWER(reference)) STORED,
	ADD COLUMN to_person_low TEXT COLLATE "C" GENERATED ALWAYS AS (LOWER(to_person)) STORED;
CREATE INDEX rings_reference ON rings (tenant_id, reference_low) WHERE reference <> '';
CREATE INDEX rings_person ON rings (tenant_id, to_person_low) WHERE to_person <> '';

-- +goose Down
DROP INDEX rings_person;
DROP INDEX rings_reference;
ALTER TABLE rings DROP COLUMN to_person_low, DROP COLUMN reference_low;
CREATE INDEX rings_reference ON rings (tenant_id, (LOWER(reference) COLLATE "C")) WHERE reference <> '';
CREATE INDEX rings_person ON rings (tenant_id, (LOWER(to_person) COLLATE "C")) WHERE to_person <> '';
