-- Lists that look for a few among many.

-- +goose Up
-- Missed, failed, declined rings: how a ring ended is written once, when it ends.
CREATE INDEX rings_ended ON rings (tenant_id, state, created_at) WHERE ended_at > 0;
-- What people changed, among the many rings that programs place.
CREATE INDEX audits_rare ON audits (tenant_id, action, seq) WHERE action <> 'ring.place';
-- A ring by the beginning of its reference or of its person; only rings that have one pay for it.
CREATE INDEX rings_reference ON rings (tenant_id, (LOWER(reference) COLLATE "C")) WHERE reference <> '';
CREATE INDEX rings_person ON rings (tenant_id, (LOWER(to_person) COLLATE "C")) WHERE to_person <> '';

-- +goose Down
DROP INDEX rings_person;
DROP INDEX rings_reference;
DROP INDEX audits_rare;
DROP INDEX rings_ended;
