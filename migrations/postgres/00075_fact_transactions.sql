-- Facts are read in the order of the transactions that wrote them, by the number that PostgreSQL
-- gives each. A dump that is restored into another PostgreSQL server brings numbers which that
-- server has not given yet: new facts would come before those that were read already, and nobody
-- would count them or send them on. So there the numbers of new facts begin behind the highest one
-- of the dump: carillon_xact_base is added to them. They begin far behind it, because the first
-- server may have written more after the dump: readers of its events come with a place behind those.

-- +goose Up
-- Rings wait behind a statement that waits for facts, so it gives up before PostgreSQL would look for
-- a deadlock and end what a server does. The step is tried again.
SET LOCAL lock_timeout = '500ms';

CREATE FUNCTION carillon_xact_base() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT 0::bigint';

-- Facts are inserted into the whole, so the default of its parts is not used.
ALTER TABLE ONLY facts ALTER xact SET DEFAULT (pg_current_xact_id()::text::bigint + carillon_xact_base());

-- Sets carillon_xact_base if there are facts, or readers of facts, of a transaction that this
-- PostgreSQL server has not begun, and says whether there were. A program calls it when it opens
-- the database, before it writes.
-- +goose StatementBegin
CREATE FUNCTION carillon_continue_facts() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
	SET lock_timeout = '500ms' AS $$
DECLARE
	newest bigint;
	base   bigint;
BEGIN
	PERFORM set_config('app.tenant', '*', true);
	FOR locked IN 0..1 LOOP
		SELECT f.xact INTO newest FROM facts f ORDER BY f.xact DESC, f.seq DESC LIMIT 1;
		newest := GREATEST(newest, (SELECT max(w.xact) FROM watermarks w), 0);
		-- A plan may still hold what the function said before another program set it.
		SELECT substring(p.prosrc FROM '[0-9]+')::bigint INTO STRICT base FROM pg_proc p WHERE p.oid = 'carillon_xact_base()'::regprocedure;
		IF newest < pg_snapshot_xmax(pg_current_snapshot())::text::bigint + base THEN
			RETURN false;
		END IF;
		IF NOT has_table_privilege(session_user, 'facts', 'INSERT') THEN
			RAISE insufficient_privilege USING MESSAGE = 'the role may not write facts';
		END IF;
		PERFORM pg_advisory_xact_lock(7305808869231654); -- another program may be doing the same
	END LOOP;
	EXECUTE format('CREATE OR REPLACE FUNCTION carillon_xact_base() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS %L',
		'SELECT ' || newest + 1000000000000 || '::bigint'); -- far more than were lost
	RETURN true;
END
$$;
-- +goose StatementEnd
-- expand: the function is new.
-- +goose StatementBegin
DO $$
BEGIN
	EXECUTE format('ALTER FUNCTION carillon_continue_facts() SET search_path = %I, pg_temp', current_schema());
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION carillon_continue_facts();
-- The tables of the months that were made since have the default too.
ALTER TABLE facts ALTER xact SET DEFAULT (pg_current_xact_id()::text::bigint);
DROP FUNCTION carillon_xact_base();
