-- Rings, and the tables whose rows go with their ring, are kept in a table for each month, UTC, in
-- which the ring was placed, which its id says. When a month is over for long enough its tables are
-- dropped; see step 52.
--
-- A row refers to its ring within the month: attempts_2027_01 to rings_2027_01, and no table refers
-- to all of rings. So the tables of a month can be dropped, the ones that refer first, and
-- PostgreSQL looks into no other table for rows that refer to them.

-- +goose Up
-- This lock holds up no change of rows. It keeps autovacuum out, and waits for long enough that
-- PostgreSQL ends one that runs; see step 69.
SET LOCAL lock_timeout = '5s';
LOCK TABLE rings, attempts, calls, ring_steps, call_quality, notes, recordings, recording_chunks, texts IN SHARE UPDATE EXCLUSIVE MODE;
-- Rings wait behind a statement that waits for the next one, so it gives up soon, before PostgreSQL
-- would look for a deadlock and end what a server does. The locks come in the order in which a ring
-- is written, and only the first one is waited for. The step is tried again.
SET LOCAL lock_timeout = '500ms';
LOCK TABLE rings IN ACCESS EXCLUSIVE MODE;
LOCK TABLE attempts, calls, ring_steps, call_quality, notes, recordings, recording_chunks, texts IN ACCESS EXCLUSIVE MODE NOWAIT;

-- expand: the tables that take the names have the same columns, indexes and rules, and take the
-- same statements. The tables of before become parts of them.
-- +goose StatementBegin
DO $$
DECLARE
	t     record;
	i     record;
	g     record;
	made  text[];
	make  text;
	bound uuid;
	first text;
	other text;
BEGIN
	SELECT substring(pg_get_constraintdef(oid) FROM '[0-9a-f]{8}-[0-9a-f-]{27}')::uuid INTO STRICT bound
		FROM pg_constraint WHERE conrelid = 'rings'::regclass AND conname = 'rings_months';
	FOR t IN SELECT * FROM carillon_ring_tables() ORDER BY n LOOP
		first := t.name || '_first';
		other := t.name || '_others';
		-- The new table gets the indexes under their names.
		made := '{}';
		FOR i IN
			SELECT c.relname AS name, pg_get_indexdef(c.oid) AS index, k.conname AS key, pg_get_constraintdef(k.oid) AS rule
			FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
			LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.conrelid = x.indrelid AND k.contype IN ('p', 'u')
			WHERE x.indrelid = t.name::regclass
		LOOP
			made := made || CASE WHEN i.key IS NULL THEN i.index
				ELSE format('ALTER TABLE %I ADD CONSTRAINT %I %s', t.name, i.key, i.rule) END;
			EXECUTE format('ALTER INDEX %I RENAME TO %I', i.name, first || substr(i.name, length(t.name) + 1));
		END LOOP;
		EXECUTE format('ALTER TABLE %I RENAME TO %I', t.name, first);
		EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING GENERATED) PARTITION BY RANGE (%I)', t.name, first, t.key);
		FOREACH make IN ARRAY made LOOP
			EXECUTE make;
		END LOOP;
		EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (MINVALUE) TO (%L)', t.name, first, bound);
		EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', first, t.name || '_months');

		-- What has no table of its month yet.
		EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING INDEXES)', other, t.name);
		EXECUTE COALESCE((SELECT format('ALTER TABLE %I SET (%s)', other, array_to_string(c.reloptions, ', ')) FROM pg_class c
			WHERE c.oid = first::regclass AND c.reloptions IS NOT NULL), 'SELECT 1');
		IF t.parent <> '' THEN
			EXECUTE format('ALTER TABLE %I ADD FOREIGN KEY (tenant_id, ring_id) REFERENCES %I (tenant_id, %I) ON DELETE CASCADE', other,
				t.parent || '_others', t.parent_key);
		END IF;
		EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I DEFAULT', t.name, other);
		FOR g IN
			SELECT a.privilege_type AS may, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END AS whom
			FROM pg_class c CROSS JOIN aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
			WHERE c.oid = first::regclass AND a.grantee <> c.relowner
		LOOP
			EXECUTE format('GRANT %s ON %I TO %s', g.may, t.name, g.whom);
			EXECUTE format('GRANT %s ON %I TO %s', g.may, other, g.whom);
		END LOOP;
	END LOOP;
	PERFORM carillon_isolation();
END
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
DO $$
DECLARE
	t       record;
	i       record;
	g       record;
	made    text[];
	make    text;
	months  text;
	columns text;
BEGIN
	PERFORM set_config('app.tenant', '*', true);
	FOR t IN SELECT * FROM carillon_ring_tables() ORDER BY n LOOP
		months := t.name || '_months';
		made := '{}';
		FOR i IN
			SELECT c.relname AS name, replace(pg_get_indexdef(c.oid), ' ON ONLY ', ' ON ') AS index, k.conname AS key,
				pg_get_constraintdef(k.oid) AS rule
			FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
			LEFT JOIN pg_constraint k ON k.conindid = c.oid AND k.conrelid = x.indrelid AND k.contype IN ('p', 'u')
			WHERE x.indrelid = t.name::regclass
		LOOP
			made := made || CASE WHEN i.key IS NULL THEN i.index
				ELSE format('ALTER TABLE %I ADD CONSTRAINT %I %s', t.name, i.key, i.rule) END;
			EXECUTE format('ALTER INDEX %I RENAME TO %I', i.name, months || substr(i.name, length(t.name) + 1));
		END LOOP;
		EXECUTE format('ALTER TABLE %I RENAME TO %I', t.name, months);
		EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING GENERATED)', t.name, months);
		EXECUTE COALESCE((SELECT format('ALTER TABLE %I SET (%s)', t.name, array_to_string(c.reloptions, ', ')) FROM pg_class c
			WHERE c.oid = (t.name || '_others')::regclass AND c.reloptions IS NOT NULL), 'SELECT 1');
		SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns FROM pg_attribute
			WHERE attrelid = t.name::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
		EXECUTE format('INSERT INTO %I (%s) SELECT %s FROM %I', t.name, columns, columns, months);
		FOREACH make IN ARRAY made LOOP
			EXECUTE make;
		END LOOP;
		IF t.parent <> '' THEN
			EXECUTE format('ALTER TABLE %I ADD FOREIGN KEY (tenant_id, ring_id) REFERENCES %I (tenant_id, %I) ON DELETE CASCADE', t.name,
				t.parent, t.parent_key);
		END IF;
	END LOOP;
	FOR t IN SELECT * FROM carillon_ring_tables() ORDER BY n DESC LOOP
		FOR g IN
			SELECT a.privilege_type AS may, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END AS whom
			FROM pg_class c CROSS JOIN aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
			WHERE c.oid = (t.name || '_months')::regclass AND a.grantee <> c.relowner
		LOOP
			EXECUTE format('GRANT %s ON %I TO %s', g.may, t.name, g.whom);
		END LOOP;
		EXECUTE format('DROP TABLE %I', t.name || '_months');
	END LOOP;
	PERFORM carillon_isolation();
END
$$;
-- +goose StatementEnd
