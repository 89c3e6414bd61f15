-- Facts are kept in a table for each month from the next step on. The table of today becomes the
-- first of them, without a copy of its rows. PostgreSQL must know that no row of it belongs to a
-- later month: this step makes it look while servers read and write. The next step would otherwise
-- look while nobody can.

-- +goose NO TRANSACTION
-- +goose Up

-- The first ring id of a moment. Ids begin with milliseconds; see tenants.FirstID.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION carillon_first_id(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
	SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
$$;
-- +goose StatementEnd

-- The moment of a ring id.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION carillon_time_of(id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
	SELECT to_timestamp(('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0)
$$;
-- +goose StatementEnd

-- The first moment of the month, UTC, that lies so many months after that of a moment.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION carillon_month(at timestamptz, months integer) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
	SELECT (date_trunc('month', at AT TIME ZONE 'UTC') + make_interval(months => months)) AT TIME ZONE 'UTC'
$$;
-- +goose StatementEnd

-- A month or more from now, and later than every ring that there is: a clock may have been wrong.
-- expand: earlier programs add no fact of a ring of a later month, unless the clock is wrong.
-- +goose StatementBegin
DO $$
DECLARE
	last uuid;
BEGIN
	PERFORM set_config('app.tenant', '*', true);
	-- Rings wait behind a statement that waits for a lock. The step is tried again.
	PERFORM set_config('lock_timeout', '2s', true);
	SELECT ring_id INTO last FROM facts ORDER BY ring_id DESC LIMIT 1;
	ALTER TABLE facts DROP CONSTRAINT IF EXISTS facts_months;
	EXECUTE format('ALTER TABLE facts ADD CONSTRAINT facts_months CHECK (ring_id < %L) NOT VALID',
		carillon_first_id(carillon_month(GREATEST(now() + interval '1 month', carillon_time_of(last)), 1)));
END
$$;
-- +goose StatementEnd
ALTER TABLE facts VALIDATE CONSTRAINT facts_months;

-- +goose Down
ALTER TABLE facts DROP CONSTRAINT facts_months;
DROP FUNCTION carillon_month(timestamptz, integer);
DROP FUNCTION carillon_time_of(uuid);
DROP FUNCTION carillon_first_id(timestamptz);
