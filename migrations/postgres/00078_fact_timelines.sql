-- Facts are read in the order of the transactions that wrote them, and readers keep their places in
-- it: clients of events as Last-Event-ID, servers in memory. Where PostgreSQL loses its last
-- transactions, it gives their numbers again, and new facts would lie before such a place: their
-- readers would never get them. So the number of a fact jumps ahead of all places that readers can
-- have:
-- with each timeline, which PostgreSQL begins when a standby takes over and when it was brought back
-- to a moment from its log;
-- and in a database that was restored from a dump of another server, whatever numbers that one had.
-- On the timeline of this step the numbers go on as they were. A PostgreSQL that does not say its
-- timeline, or which server it is, has numbers as before.

-- +goose Up
SET LOCAL lock_timeout = '500ms';

-- Which server this is; empty = it does not say.
-- +goose StatementBegin
CREATE FUNCTION carillon_this_server() RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT system_identifier::text FROM pg_catalog.pg_control_system());
EXCEPTION WHEN OTHERS THEN
	RETURN '';
END
$$;
-- +goose StatementEnd

-- The timeline on which it writes; 0 = it does not say.
-- +goose StatementBegin
CREATE FUNCTION carillon_timeline() RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN ('x' || substring(pg_walfile_name(pg_current_wal_insert_lsn()) FROM '^([0-9A-F]{8})[0-9A-F]{16}$'))::bit(32)::bigint;
EXCEPTION WHEN OTHERS THEN
	RETURN 0;
END
$$;
-- +goose StatementEnd

-- Has the numbers of facts on this timeline be those of their transactions and so much more, and
-- notes for which server that is. Each later timeline begins a million million numbers later.
-- +goose StatementBegin
CREATE FUNCTION carillon_number_facts(more bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	timeline bigint := COALESCE(carillon_timeline(), 0);
BEGIN
	EXECUTE format('CREATE OR REPLACE FUNCTION carillon_xact_base() RETURNS bigint LANGUAGE plpgsql STABLE PARALLEL SAFE AS %L',
		CASE WHEN timeline > 0 THEN 'BEGIN ' ||
			-- A standby, which writes nothing, says its timeline elsewhere.
			'IF pg_catalog.pg_is_in_recovery() THEN ' ||
			'RETURN ' || more || ' + ((SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()) - ' || timeline || ') * 1000000000000; ' ||
			'END IF; ' ||
			'RETURN ' || more || ' + ((''x'' || pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8))' ||
			'::bit(32)::bigint - ' || timeline || ') * 1000000000000; END'
		ELSE 'BEGIN RETURN ' || more || '; END' END);
	EXECUTE format('CREATE OR REPLACE FUNCTION carillon_facts_server() RETURNS text LANGUAGE sql STABLE AS %L',
		format('SELECT %L::text', carillon_this_server()));
END
$$;
-- +goose StatementEnd

SELECT carillon_number_facts(carillon_xact_base());

-- Has the numbers of new facts jump ahead of all others if there are facts, or readers of facts, of a
-- transaction that this PostgreSQL server has not begun, or if the database was restored from a dump
-- of another server, which may have given numbers after the dump that this one has yet to give. It
-- says whether it did. A program calls it when it opens the database, before it writes.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION carillon_continue_facts() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
	SET lock_timeout = '500ms' AS $$
DECLARE
	newest bigint;
	base   bigint;
	server text;
	source text;
	before text;
BEGIN
	PERFORM set_config('app.tenant', '*', true);
	FOR locked IN 0..1 LOOP
		SELECT p.prosrc INTO STRICT source FROM pg_proc p WHERE p.oid = 'carillon_xact_base()'::regprocedure;
		IF locked > 0 AND source <> before THEN -- another program has just done the same
			RETURN false;
		END IF;
		SELECT f.xact INTO newest FROM facts f ORDER BY f.xact DESC, f.seq DESC LIMIT 1;
		newest := GREATEST(newest, (SELECT max(w.xact) FROM watermarks w), 0);
		server := carillon_facts_server();
		BEGIN
			base := carillon_xact_base();
		EXCEPTION WHEN OTHERS THEN -- it comes from a server that says its timeline, and this one does not
			base := 0;
		END;
		IF server = carillon_this_server() AND newest < pg_snapshot_xmax(pg_current_snapshot())::text::bigint + base THEN
			RETURN false;
		END IF;
		IF NOT has_table_privilege(session_user, 'facts', 'INSERT') THEN
			RAISE insufficient_privilege USING MESSAGE = 'the role may not write facts';
		END IF;
		before := source;
		PERFORM pg_advisory_xact_lock(7305808869231654);
	END LOOP;
	-- Nobody writes facts meanwhile: one with an earlier number could come after one with a later number
	-- was read.
	LOCK TABLE ONLY facts IN SHARE ROW EXCLUSIVE MODE;
	-- Far more than were lost; and by the clock, because the same dump may be restored once more, on
	-- another server: each second of a day has numbers of its own.
	PERFORM carillon_number_facts(GREATEST(newest, base) + 100000000000000 +
		extract(epoch FROM clock_timestamp())::bigint % 100000 * 1000000000);
	RETURN true;
END
$$;
-- +goose StatementEnd
-- expand: the function does the same for earlier programs.
-- +goose StatementBegin
DO $$
BEGIN
	EXECUTE format('ALTER FUNCTION carillon_continue_facts() SET search_path = %I, pg_temp', current_schema());
END
$$;
-- +goose StatementEnd

-- +goose Down
-- The numbers go on as they are.
-- +goose StatementBegin
DO $$
BEGIN
	EXECUTE format('CREATE OR REPLACE FUNCTION carillon_xact_base() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS %L',
		'SELECT ' || carillon_xact_base() || '::bigint');
END
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION carillon_continue_facts() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
	SET lock_timeout = '500ms' AS $$
DECLARE
	newest bigint;
	base   bigint;
BEGIN
	PERFORM set_config('app.tenant', '*', true);
	FOR locked IN 0..1 LOOP
		SELECT f.xact INTO newest FROM facts f ORDER BY f.xact DESC, f.seq DESC LIMIT 1;
		newest := GREATEST(newest, (SELECT max(w.xact) FROM watermarks w), 0);
		SELECT substring(p.prosrc FROM '[0-9]+')::bigint INTO STRICT base FROM pg_proc p WHERE p.oid = 'carillon_xact_base()'::regprocedure;
		IF newest < pg_snapshot_xmax(pg_current_snapshot())::text::bigint + base THEN
			RETURN false;
		END IF;
		IF NOT has_table_privilege(session_user, 'facts', 'INSERT') THEN
			RAISE insufficient_privilege USING MESSAGE = 'the role may not write facts';
		END IF;
		PERFORM pg_advisory_xact_lock(7305808869231654);
	END LOOP;
	EXECUTE format('CREATE OR REPLACE FUNCTION carillon_xact_base() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS %L',
		'SELECT ' || newest + 1000000000000 || '::bigint');
	RETURN true;
END
$$;
-- +goose StatementEnd
-- +goose StatementBegin
DO $$
BEGIN
	EXECUTE format('ALTER FUNCTION carillon_continue_facts() SET search_path = %I, pg_temp', current_schema());
END
$$;
-- +goose StatementEnd
DROP FUNCTION carillon_number_facts(bigint);
DROP FUNCTION carillon_facts_server();
DROP FUNCTION carillon_timeline();
DROP FUNCTION carillon_this_server();
