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

-- Makes the tables of the months up to a moment, and says how many months it made. Rings wait
-- behind what waits for a lock, so it waits for half a second only; the server tries again.
-- +goose StatementBegin
CREATE FUNCTION carillon_ring_months(until timestamptz) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
	SET search_path FROM CURRENT SET lock_timeout = '500ms' AS $$
DECLARE
	t       record;
	low     uuid;
	high    uuid;
	month   text;
	part    text;
	other   text;
	columns text;
	strays  boolean;
	made    integer := 0;
BEGIN
	IF NOT has_table_privilege(session_user, 'rings', 'DELETE') THEN
		RAISE insufficient_privilege USING MESSAGE = 'the role may not change rings';
	END IF;
	IF until > now() + interval '1 year' THEN
		RAISE EXCEPTION 'too many months';
	END IF;
	PERFORM pg_advisory_xact_lock(7305808869231653);
	LOOP
		SELECT max(b.upper::text)::uuid INTO STRICT low FROM carillon_ring_bounds() b;
		EXIT WHEN carillon_time_of(low) >= until;
		high := carillon_first_id(carillon_month(carillon_time_of(low), 1));
		month := to_char(carillon_time_of(low) AT TIME ZONE 'UTC', 'YYYY_MM');
		-- Rings that came before their table, with what refers to them.
		PERFORM set_config('app.tenant', '*', true);
		SELECT EXISTS (SELECT 1 FROM rings_others r WHERE r.id >= low AND r.id < high) INTO strays;
		IF strays THEN
			FOR t IN SELECT * FROM carillon_ring_tables() ORDER BY n LOOP
				other := t.name || '_others';
				EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', other);
				EXECUTE format('CREATE TEMPORARY TABLE %I ON COMMIT DROP AS SELECT * FROM %I WHERE %I >= %L AND %I < %L',
					'carillon_strays_' || t.name, other, t.key, low, t.key, high);
			END LOOP;
			DELETE FROM rings_others r WHERE r.id >= low AND r.id < high; -- the rest goes with them
		END IF;
		-- To attach a table holds up nobody; to make it as a part would wait for every reader.
		FOR t IN SELECT * FROM carillon_ring_tables() ORDER BY n LOOP
			part := t.name || '_' || month;
			EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING INDEXES)', part, t.name);
			EXECUTE COALESCE((SELECT format('ALTER TABLE %I SET (%s)', part, array_to_string(c.reloptions, ', ')) FROM pg_class c
				WHERE c.oid = (t.name || '_others')::regclass AND c.reloptions IS NOT NULL), 'SELECT 1');
			IF t.parent <> '' THEN
				EXECUTE format('ALTER TABLE %I ADD FOREIGN KEY (tenant_id, ring_id) REFERENCES %I (tenant_id, %I) ON DELETE CASCADE', part,
					t.parent || '_' || month, t.parent_key);
			END IF;
		END LOOP;
		FOR t IN SELECT * FROM carillon_ring_tables() ORDER BY n LOOP
			EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', t.name, t.name || '_' || month, low, high);
		END LOOP;
		IF strays THEN
			FOR t IN SELECT * FROM carillon_ring_tables() ORDER BY n LOOP
				SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
					WHERE attrelid = t.name::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
				EXECUTE format('INSERT INTO %I (%s) SELECT %s FROM %I', t.name, columns, columns, 'carillon_strays_' || t.name);
				EXECUTE format('DROP TABLE %I', 'carillon_strays_' || t.name);
			END LOOP;
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

-- Drops one of the tables that hold only rings before an id, and what refers to them, and says its
-- name; '' if there is none. Each has a call of its own, so that none is held while it waits for
-- the next. It leaves those of the last week in any case.
-- +goose StatementBegin
CREATE FUNCTION carillon_drop_ring_table(before uuid) RETURNS text LANGUAGE plpgsql SECURITY DEFINER
	SET search_path FROM CURRENT SET lock_timeout = '500ms' AS $$
DECLARE
	old  text;
	part text;
BEGIN
	IF NOT has_table_privilege(session_user, 'rings', 'DELETE') THEN
		RAISE insufficient_privilege USING MESSAGE = 'the role may not change rings';
	END IF;
	PERFORM pg_advisory_xact_lock(7305808869231653);
	SELECT b.month INTO old FROM carillon_ring_bounds() b
		WHERE b.upper <= before AND b.upper <= carillon_first_id(now() - interval '7 days') ORDER BY b.upper LIMIT 1;
	IF old IS NULL THEN
		RETURN '';
	END IF;
	-- What refers to others first.
	SELECT t.name || '_' || old INTO STRICT part FROM carillon_ring_tables() t WHERE to_regclass(t.name || '_' || old) IS NOT NULL
		ORDER BY t.n DESC LIMIT 1;
	EXECUTE format('DROP TABLE %I', part);
	RETURN part;
END
$$;
-- +goose StatementEnd

SELECT carillon_ring_months(carillon_month(now(), 4));

-- +goose Down
DROP FUNCTION carillon_drop_ring_table(uuid);
DROP FUNCTION carillon_ring_months(timestamptz);
DROP FUNCTION carillon_ring_bounds();
