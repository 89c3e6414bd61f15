-- Row-level security: the second wall behind the conditions that every statement of ours carries. Each table with tenant_id shows and
-- takes only rows of the tenant that app.tenant names for the transaction; '*' is the whole house; unset, as it is until somebody
-- sets it, is nobody. FORCE binds the tables' owner too. Superusers and roles with BYPASSRLS stand above it: do not serve as one.
--
-- A later migration that makes such a table ends with: SELECT carillon_wall();

-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION carillon_wall() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	t     record;
	mine  text;
BEGIN
	FOR t IN
		SELECT c.oid::regclass AS name, a.attname AS owner
		FROM pg_class c
		JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
			AND a.attname = CASE WHEN c.relname = 'tenants' THEN 'id' ELSE 'tenant_id' END
		WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
			AND NOT EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'wall')
	LOOP
		-- The inner SELECTs are read once for a statement; without them the setting would be read for every row.
		mine := format('%I = (SELECT current_setting(''app.tenant'', true)) OR (SELECT current_setting(''app.tenant'', true)) = ''*''', t.owner);
		EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', t.name);
		EXECUTE format('CREATE POLICY wall ON %s USING (%s) WITH CHECK (%s)', t.name, mine, mine);
	END LOOP;
END
$$;
-- +goose StatementEnd
SELECT carillon_wall();

-- +goose Down
-- +goose StatementBegin
DO $$
DECLARE
	t regclass;
BEGIN
	FOR t IN SELECT polrelid FROM pg_policy WHERE polname = 'wall' LOOP
		EXECUTE format('DROP POLICY wall ON %s', t);
		EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', t);
	END LOOP;
END
$$;
-- +goose StatementEnd
DROP FUNCTION carillon_wall();
