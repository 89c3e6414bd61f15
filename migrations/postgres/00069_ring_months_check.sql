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
-- expand: earlier programs place no ring in a later month, unless the clock is wrong.
-- +goose StatementBegin
DO $$
DECLARE
	t     record;
	last  uuid;
	bound uuid;
BEGIN
	PERFORM set_config('app.tenant', '*', true);
	-- Rings wait behind a statement that waits for a lock. The step is tried again. Its time is over
	-- before PostgreSQL would look for a deadlock, and end what a server does.
	PERFORM set_config('lock_timeout', '500ms', true);
	SELECT id INTO last FROM rings ORDER BY id DESC LIMIT 1;
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
