-- Rings, and the tables whose rows go with their ring, are kept in a table for each month from the
-- next steps on, as facts are. The tables of today become the first of them, without a copy of
-- their rows. PostgreSQL must know that no row of them belongs to a later month: this step makes it
-- look while servers read and write. The next step would otherwise look while nobody can.

-- +goose NO TRANSACTION
-- +goose Up

-- The tables that are split by the month in which a ring was placed: the column that says it, and
-- the table and the column that a row refers to. A table comes behind the one that it refers to.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION carillon_ring_tables() RETURNS TABLE (n integer, name text, key text, parent text, parent_key text)
	LANGUAGE sql IMMUTABLE AS $$
	VALUES (1, 'rings', 'id', '', ''), (2, 'attempts', 'ring_id', 'rings', 'id'), (3, 'calls', 'ring_id', 'rings', 'id'),
		(4, 'ring_steps', 'ring_id', 'rings', 'id'), (5, 'call_quality', 'ring_id', 'rings', 'id'), (6, 'notes', 'ring_id', 'rings', 'id'),
		(7, 'recordings', 'ring_id', 'rings', 'id'), (8, 'recording_chunks', 'ring_id', 'recordings', 'ring_id'),
		(9, 'texts', 'ring_id', 'rings', 'id')
$$;
-- +goose StatementEnd

-- A month or more from now, and later than every ring that there is: a clock may have been wrong.
-- Later rings are refused until the next step is applied. `migrate up` says so if it gives up here.
-- expand: earlier programs place no ring in a later month, unless the clock is wrong.
-- +goose StatementBegin
DO $$
DECLARE
	t     record;
	last  uuid;
	bound uuid;
BEGIN
	PERFORM set_config('app.tenant', '*', true);
	-- This lock holds up no change of rows. It keeps autovacuum out, and waits for long enough that
	-- PostgreSQL ends one that runs: only one against wraparound goes on, and the step is tried again.
	PERFORM set_config('lock_timeout', '5s', true);
	LOCK TABLE rings, attempts, calls, ring_steps, call_quality, notes, recordings, recording_chunks, texts
		IN SHARE UPDATE EXCLUSIVE MODE;
	-- Rings wait behind a statement that waits for this one. So it waits once, for a time that is over
	-- before PostgreSQL would look for a deadlock and end what a server does. The step is tried again.
	PERFORM set_config('lock_timeout', '500ms', true);
	LOCK TABLE rings IN ACCESS EXCLUSIVE MODE;
	LOCK TABLE attempts, calls, ring_steps, call_quality, notes, recordings, recording_chunks, texts IN ACCESS EXCLUSIVE MODE NOWAIT;
	-- The index has the tenant first, so this looks into it twice for each tenant that has rings.
	WITH RECURSIVE own AS (
		(SELECT r.tenant_id FROM rings r ORDER BY r.tenant_id LIMIT 1)
		UNION ALL
		SELECT (SELECT r.tenant_id FROM rings r WHERE r.tenant_id > own.tenant_id ORDER BY r.tenant_id LIMIT 1)
		FROM own WHERE own.tenant_id IS NOT NULL
	)
	SELECT max(y.x::text)::uuid INTO last FROM
		(SELECT (SELECT r.id FROM rings r WHERE r.tenant_id = own.tenant_id ORDER BY r.id DESC LIMIT 1) AS x FROM own) y;
	bound := carillon_first_id(carillon_month(GREATEST(now() + interval '1 month', carillon_time_of(last)), 1));
	FOR t IN SELECT * FROM carillon_ring_tables() ORDER BY n LOOP
		EXECUTE format('ALTER TABLE %I DROP CONSTRAINT IF EXISTS %I', t.name, t.name || '_months');
		EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I CHECK (%I < %L) NOT VALID', t.name, t.name || '_months', t.key, bound);
	END LOOP;
END
$$;
-- +goose StatementEnd
ALTER TABLE rings VALIDATE CONSTRAINT rings_months;
ALTER TABLE attempts VALIDATE CONSTRAINT attempts_months;
ALTER TABLE calls VALIDATE CONSTRAINT calls_months;
ALTER TABLE ring_steps VALIDATE CONSTRAINT ring_steps_months;
ALTER TABLE call_quality VALIDATE CONSTRAINT call_quality_months;
ALTER TABLE notes VALIDATE CONSTRAINT notes_months;
ALTER TABLE recordings VALIDATE CONSTRAINT recordings_months;
ALTER TABLE recording_chunks VALIDATE CONSTRAINT recording_chunks_months;
ALTER TABLE texts VALIDATE CONSTRAINT texts_months;

-- +goose Down
-- +goose StatementBegin
DO $$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT * FROM carillon_ring_tables() ORDER BY n LOOP
		EXECUTE format('ALTER TABLE %I DROP CONSTRAINT IF EXISTS %I', t.name, t.name || '_months');
	END LOOP;
END
$$;
-- +goose StatementEnd
DROP FUNCTION carillon_ring_tables();
