-- A fact about an agent may happen several times in one attempt: the index tells the repeats apart.

-- +goose Up
ALTER TABLE facts ADD COLUMN nth BIGINT NOT NULL DEFAULT 0; -- how many of this kind came before, where a kind may repeat
ALTER TABLE facts DROP CONSTRAINT facts_ring_id_attempt_id_kind_key;
ALTER TABLE facts ADD UNIQUE (ring_id, attempt_id, kind, nth); -- without the tenant, which no ring id needs: a shorter index

-- +goose Down
DELETE FROM facts WHERE nth > 0;
ALTER TABLE facts DROP CONSTRAINT facts_ring_id_attempt_id_kind_nth_key;
ALTER TABLE facts DROP COLUMN nth;
ALTER TABLE facts ADD UNIQUE (ring_id, attempt_id, kind);
