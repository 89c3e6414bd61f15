-- The functions that make the tables of the next months, and drop old ones. Servers call them, also
-- where their role may not change the schema: the functions run as the role that applied this step.
-- A ring for which there is no table goes to rings_others, with what belongs to it, and from there
-- to its month once that is made.

-- +goose Up
SET LOCAL lock_timeout = '2s';

-- The bound of each month's table of rings, and of the first one. The other tables have the same.
-- +goose StatementBegin
CREATE FUNCTION carillon_ring_bounds() RETURNS TABLE (month text, upper uuid) LANGUAGE sql STABLE AS $$
	SELECT substr(c.relname, 7), substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([0-9a-f-]{36})''\)')::uuid
	FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
	WHERE i.inhparent = 'rings'::regclass AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'
$$;
-- +goose StatementEnd

-- Makes the tables of the months up to a moment, and says how many months it made. It leaves a
-- month out if more than 100,000 of its rings are in rings_others: to move them would hold up
-- others for too long. They stay there, and go row by row.
-- +goose StatementBegin
CREATE FUNCTION carillon_ring_months(until timestamptz) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
	SET lock_timeout = '500ms' AS $$
DECLARE
	t       record;
	low     uuid;
	high    uuid;
	month   text;
	part    text;
	other   text;
	columns text;
	strays  integer;
	lows    uuid[] := '{}';
BEGIN
	IF NOT has_table_privilege(session_user, 'rings', 'DELETE') THEN
		RAISE insufficient_privilege USING MESSAGE = 'the role may not change rings';
	END IF;
	IF until > now() + interval '1 year' THEN
		RAISE EXCEPTION 'too many months';
	END IF;
	PERFORM pg_advisory_xact_lock(7305808869231653);
	PERFORM set_config('app.tenant', '*', true);
	-- A table is made apart and then attached: to make it as a part would wait for every reader.
	SELECT max(b.upper::text)::uuid INTO STRICT low FROM carillon_ring_bounds() b;
	WHILE carillon_time_of(low) < until LOOP
		high := carillon_first_id(carillon_month(carillon_time_of(low), 1));
		SELECT count(*) INTO strays FROM (SELECT 1 FROM rings_others r WHERE r.id >= low AND r.id < high LIMIT 100001) x;
		IF strays <= 100000 THEN
			lows := lows || low;
			month := to_char(carillon_time_of(low) AT TIME ZONE 'UTC', 'YYYY_MM');
			FOR t IN SELECT * FROM carillon_ring_tables() ORDER BY n LOOP
				part := t.name || '_' || month;
				EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING INDEXES)', part, t.name);
				EXECUTE COALESCE((SELECT format('ALTER TABLE %I SET (%s)', part, array_to_string(c.reloptions, ', ')) FROM pg_class c
					WHERE c.oid = (t.name || '_others')::regclass AND c.reloptions IS NOT NULL), 'SELECT 1');
				IF t.parent <> '' THEN
					EXECUTE format('ALTER TABLE %I ADD FOREIGN KEY (tenant_id, ring_id) REFERENCES %I (tenant_id, %I) ON DELETE CASCADE',
						part, t.parent || '_' || month, t.parent_key);
				END IF;
			END LOOP;
		END IF;
		low := high;
	END LOOP;
	IF lows = '{}' THEN
		RETURN 0;
	END IF;
	-- To attach a table locks the one of the others, in which there must be no row of its month. Who
	-- reads rings of all months waits behind that, so only the first lock is waited for, and that for
	-- half a second. The server tries again.
	LOCK TABLE rings_others IN ACCESS EXCLUSIVE MODE;
	LOCK TABLE attempts_others, calls_others, ring_steps_others, call_quality_others, notes_others, recordings_others,
		recording_chunks_others, texts_others IN ACCESS EXCLUSIVE MODE NOWAIT;
	FOREACH low IN ARRAY lows LOOP
		high := carillon_first_id(carillon_month(carillon_time_of(low), 1));
		month := to_char(carillon_time_of(low) AT TIME ZONE 'UTC', 'YYYY_MM');
		-- Rings that came before their table, with what refers to them.
		SELECT count(*) INTO strays FROM (SELECT 1 FROM rings_others r WHERE r.id >= low AND r.id < high LIMIT 1) x;
		IF strays > 0 THEN
			FOR t IN SELECT * FROM carillon_ring_tables() ORDER BY n LOOP
				other := t.name || '_others';
				EXECUTE format('CREATE TEMPORARY TABLE %I ON COMMIT DROP AS SELECT * FROM %I WHERE %I >= %L AND %I < %L',
					'carillon_strays_' || t.name, other, t.key, low, t.key, high);
			END LOOP;
			DELETE FROM rings_others r WHERE r.id >= low AND r.id < high; -- the rest goes with them
		END IF;
		FOR t IN SELECT * FROM carillon_ring_tables() ORDER BY n LOOP
			EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', t.name, t.name || '_' || month, low, high);
		END LOOP;
		IF strays > 0 THEN
			FOR t IN SELECT * FROM carillon_ring_tables() ORDER BY n LOOP
				SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
					WHERE attrelid = t.name::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
				EXECUTE format('INSERT INTO %I (%s) SELECT %s FROM %I', t.name, columns, columns, 'carillon_strays_' || t.name);
				EXECUTE format('DROP TABLE %I', 'carillon_strays_' || t.name);
			END LOOP;
		END IF;
	END LOOP;
	PERFORM carillon_isolation();
	RETURN cardinality(lows);
END
$$;
-- +goose StatementEnd

-- Drops one table of a month that has no rings any more and is before an id, and says its name; ''
-- if there is none. Each has a call of its own, so that none is held while it waits for the next. A
-- month that lacks a table comes first, whatever the id, because its drop was broken off. It leaves
-- those of the last week in any case.
-- +goose StatementBegin
CREATE FUNCTION carillon_drop_ring_table(before uuid) RETURNS text LANGUAGE plpgsql SECURITY DEFINER
	SET lock_timeout = '500ms' AS $$
DECLARE
	old  record;
	part record;
	held boolean;
BEGIN
	IF NOT has_table_privilege(session_user, 'rings', 'DELETE') THEN
		RAISE insufficient_privilege USING MESSAGE = 'the role may not change rings';
	END IF;
	PERFORM pg_advisory_xact_lock(7305808869231653);
	PERFORM set_config('app.tenant', '*', true);
	FOR old IN
		SELECT * FROM (SELECT b.month, b.upper, EXISTS (SELECT 1 FROM carillon_ring_tables() t
			WHERE to_regclass(t.name || '_' || b.month) IS NULL) AS begun FROM carillon_ring_bounds() b) x
		WHERE (x.begun OR x.upper <= before) AND x.upper <= carillon_first_id(now() - interval '7 days') ORDER BY x.begun DESC, x.upper
	LOOP
		EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I)', 'rings_' || old.month) INTO held;
		CONTINUE WHEN held;
		-- What refers to others first.
		SELECT t.name AS whole, t.name || '_' || old.month AS name INTO STRICT part FROM carillon_ring_tables() t
			WHERE to_regclass(t.name || '_' || old.month) IS NOT NULL ORDER BY t.n DESC LIMIT 1;
		-- Nobody adds a ring meanwhile.
		EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', part.whole);
		EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I)', part.name) INTO held;
		CONTINUE WHEN held;
		EXECUTE format('DROP TABLE %I', part.name);
		RETURN part.name;
	END LOOP;
	RETURN '';
END
$$;
-- +goose StatementEnd

-- They run with the rights of the role that applied this step, so nothing of a caller's temporary
-- schema may take the place of a table or a function.
-- expand: no function is called differently.
-- +goose StatementBegin
DO $$
DECLARE
	f text;
BEGIN
	FOREACH f IN ARRAY ARRAY['carillon_ring_months(timestamptz)', 'carillon_drop_ring_table(uuid)'] LOOP
		EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', f, current_schema());
	END LOOP;
END
$$;
-- +goose StatementEnd

SELECT carillon_ring_months(carillon_month(now(), 4));

-- +goose Down
DROP FUNCTION carillon_drop_ring_table(uuid);
DROP FUNCTION carillon_ring_months(timestamptz);
DROP FUNCTION carillon_ring_bounds();
