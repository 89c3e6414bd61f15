-- Facts are most of what is stored. They are kept in a table for each month, UTC, of the moment at
-- which their ring was placed, which the ring's id says. When a month is over for long enough its
-- table is dropped, in place of hundreds of millions of deletes and the vacuum after them.
--
-- carillon_fact_months makes the tables of the next months, and carillon_drop_fact_months drops old
-- ones. Servers call them, also where their role may not change the schema: the functions run as
-- the role that applied this step. A fact for which there is no table goes to facts_others, and
-- from there to its month once that is made.
--
-- Rings and attempts stay as they are. Seven tables refer to rings, and when a part of such a table
-- goes, PostgreSQL reads all seven while nobody can place a ring. Attempts go with their ring, on
-- the day that the tenant's rule says.

-- +goose Up
-- Rings wait behind a statement that waits for a lock, so a step waits for two seconds only. It is
-- tried again.
SET LOCAL lock_timeout = '2s';
-- expand: the table that takes the name has the same columns, and takes the same statements.
ALTER TABLE facts RENAME TO facts_first;
-- expand: nothing names an index.
ALTER INDEX facts_order RENAME TO facts_first_order;
-- The sequence alone makes seqs unique in the later tables; nothing looks a fact up by its seq. The
-- key of the first one stays, because earlier programs ask for the highest seq.
-- expand: nothing names an index.
ALTER INDEX facts_pkey RENAME TO facts_first_pkey;
-- expand: nothing names it.
ALTER TABLE facts_first RENAME CONSTRAINT facts_ring_id_attempt_id_kind_nth_key TO facts_first_once;

CREATE TABLE facts (
	seq         BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY,
	tenant_id   UUID   NOT NULL,
	ring_id     UUID   NOT NULL,
	attempt_id  UUID   NOT NULL,
	kind        TEXT   NOT NULL,
	at          BIGINT NOT NULL,
	received_at BIGINT NOT NULL,
	raw_at      BIGINT NOT NULL,
	raw_sent_at BIGINT NOT NULL,
	detail      TEXT   NOT NULL,
	xact        BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
	nth         BIGINT NOT NULL DEFAULT 0,
	CONSTRAINT facts_once UNIQUE (ring_id, attempt_id, kind, nth)
) PARTITION BY RANGE (ring_id);
CREATE INDEX facts_order ON facts (xact, seq);

-- expand: the table of before becomes a part of the new one, which takes the same statements.
-- +goose StatementBegin
DO $$
DECLARE
	bound uuid;
BEGIN
	PERFORM set_config('app.tenant', '*', true);
	-- Seqs go on where they were.
	PERFORM setval(pg_get_serial_sequence('facts', 'seq'), nextval(pg_get_serial_sequence('facts_first', 'seq')), false);
	SELECT substring(pg_get_constraintdef(oid) FROM '[0-9a-f]{8}-[0-9a-f-]{27}')::uuid INTO STRICT bound
		FROM pg_constraint WHERE conrelid = 'facts_first'::regclass AND conname = 'facts_months';
	ALTER TABLE facts_first ALTER seq DROP IDENTITY;
	EXECUTE format('ALTER TABLE facts ATTACH PARTITION facts_first FOR VALUES FROM (MINVALUE) TO (%L)', bound);
	ALTER TABLE facts_first DROP CONSTRAINT facts_months;
END
$$;
-- +goose StatementEnd

CREATE TABLE facts_others PARTITION OF facts DEFAULT;

-- The bound of each month's table, and of the first one.
-- +goose StatementBegin
CREATE FUNCTION carillon_fact_bounds() RETURNS TABLE (name text, upper uuid) LANGUAGE sql STABLE AS $$
	SELECT c.relname::text, substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([0-9a-f-]{36})''\)')::uuid
	FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
	WHERE i.inhparent = 'facts'::regclass AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'
$$;
-- +goose StatementEnd

-- Makes the tables of the months up to a moment, and says how many it made. Rings wait behind what
-- waits for a lock, so it waits for half a second only; the server tries again.
-- +goose StatementBegin
CREATE FUNCTION carillon_fact_months(until timestamptz) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
	SET search_path FROM CURRENT SET lock_timeout = '500ms' AS $$
DECLARE
	low    uuid;
	high   uuid;
	name   text;
	strays boolean;
	made   integer := 0;
BEGIN
	IF NOT has_table_privilege(session_user, 'facts', 'DELETE') THEN
		RAISE insufficient_privilege USING MESSAGE = 'the role may not change facts';
	END IF;
	IF until > now() + interval '1 year' THEN
		RAISE EXCEPTION 'too many months';
	END IF;
	PERFORM pg_advisory_xact_lock(7305808869231652);
	LOOP
		SELECT max(b.upper::text)::uuid INTO STRICT low FROM carillon_fact_bounds() b;
		EXIT WHEN carillon_time_of(low) >= until;
		high := carillon_first_id(carillon_month(carillon_time_of(low), 1));
		name := 'facts_' || to_char(carillon_time_of(low) AT TIME ZONE 'UTC', 'YYYY_MM');
		-- Facts that came before their table.
		PERFORM set_config('app.tenant', '*', true);
		SELECT EXISTS (SELECT 1 FROM facts_others f WHERE f.ring_id >= low AND f.ring_id < high) INTO strays;
		IF strays THEN
			CREATE TEMPORARY TABLE carillon_strays ON COMMIT DROP AS
				SELECT * FROM facts_others f WHERE f.ring_id >= low AND f.ring_id < high;
			DELETE FROM facts_others f WHERE f.ring_id >= low AND f.ring_id < high;
		END IF;
		-- To attach a table holds up nobody; to make it as a part of facts would wait for every reader.
		EXECUTE format('CREATE TABLE %I (LIKE facts INCLUDING DEFAULTS INCLUDING INDEXES)', name);
		EXECUTE format('ALTER TABLE facts ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, low, high);
		EXECUTE format('ALTER TABLE %I SET (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.01, '
			'autovacuum_vacuum_threshold = 5000, autovacuum_analyze_scale_factor = 0.02)', name);
		IF strays THEN
			INSERT INTO facts OVERRIDING SYSTEM VALUE SELECT * FROM carillon_strays;
			DROP TABLE carillon_strays;
		END IF;
		made := made + 1;
	END LOOP;
	IF made > 0 THEN
		PERFORM carillon_isolation();
	END IF;
	RETURN made;
END
$$;
-- +goose StatementEnd

-- Drops the tables that hold only facts of rings before an id, and says how many. It leaves those
-- of the last week in any case.
-- +goose StatementBegin
CREATE FUNCTION carillon_drop_fact_months(before uuid) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
	SET search_path FROM CURRENT SET lock_timeout = '500ms' AS $$
DECLARE
	old     record;
	dropped integer := 0;
BEGIN
	IF NOT has_table_privilege(session_user, 'facts', 'DELETE') THEN
		RAISE insufficient_privilege USING MESSAGE = 'the role may not change facts';
	END IF;
	PERFORM pg_advisory_xact_lock(7305808869231652);
	FOR old IN
		SELECT b.name FROM carillon_fact_bounds() b
		WHERE b.upper <= before AND b.upper <= carillon_first_id(now() - interval '7 days') ORDER BY b.upper
	LOOP
		EXECUTE format('DROP TABLE %I', old.name);
		dropped := dropped + 1;
	END LOOP;
	RETURN dropped;
END
$$;
-- +goose StatementEnd

SELECT carillon_fact_months(carillon_month(now(), 4));
SELECT carillon_isolation();

-- +goose Down
DROP FUNCTION carillon_drop_fact_months(uuid);
DROP FUNCTION carillon_fact_months(timestamptz);
DROP FUNCTION carillon_fact_bounds();
ALTER TABLE facts RENAME TO facts_months;
CREATE TABLE facts (
	seq         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	tenant_id   UUID   NOT NULL,
	ring_id     UUID   NOT NULL,
	attempt_id  UUID   NOT NULL,
	kind        TEXT   NOT NULL,
	at          BIGINT NOT NULL,
	received_at BIGINT NOT NULL,
	raw_at      BIGINT NOT NULL,
	raw_sent_at BIGINT NOT NULL,
	detail      TEXT   NOT NULL,
	xact        BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
	nth         BIGINT NOT NULL DEFAULT 0,
	UNIQUE (ring_id, attempt_id, kind, nth),
	CONSTRAINT facts_months CHECK (ring_id < 'ffffffff-ffff-ffff-ffff-ffffffffffff')
);
-- +goose StatementBegin
DO $$ BEGIN
	PERFORM set_config('app.tenant', '*', true);
	INSERT INTO facts OVERRIDING SYSTEM VALUE SELECT * FROM facts_months;
	PERFORM setval(pg_get_serial_sequence('facts', 'seq'), nextval(pg_get_serial_sequence('facts_months', 'seq')), false);
END $$;
-- +goose StatementEnd
DROP TABLE facts_months;
CREATE INDEX facts_order ON facts (xact, seq);
SELECT carillon_isolation();
