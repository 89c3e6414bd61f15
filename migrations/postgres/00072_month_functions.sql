-- PostgreSQL looks into a caller's temporary schema first, unless a function's path names it last.
-- The functions of step 52 run with the rights of the role that applied it, so nothing of a
-- caller's may take the place of a table or a function there.
--
-- Autovacuum does not analyse a table that is split into others. Servers do, by a function, because
-- their role may not.

-- +goose Up
-- expand: no function is called differently.
-- +goose StatementBegin
DO $$
DECLARE
	f text;
BEGIN
	FOREACH f IN ARRAY ARRAY['carillon_fact_months(timestamptz)', 'carillon_drop_fact_months(uuid)'] LOOP
		EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', f, current_schema());
	END LOOP;
END
$$;
-- +goose StatementEnd

-- Analyses one of the tables that are split by month, if that was not done for a day, and says its
-- name; '' if there is none. From PostgreSQL 18 on it leaves the tables of the months to autovacuum.
-- +goose StatementBegin
CREATE FUNCTION carillon_analyze_months() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = '500ms' AS $$
DECLARE
	part text;
BEGIN
	IF NOT has_table_privilege(session_user, 'rings', 'DELETE') THEN
		RAISE insufficient_privilege USING MESSAGE = 'the role may not change rings';
	END IF;
	SELECT s.relname INTO part FROM pg_stat_user_tables s
		WHERE s.schemaname = current_schema() AND (s.relname = 'facts' OR s.relname IN (SELECT t.name FROM carillon_ring_tables() t))
			AND (s.last_analyze IS NULL OR s.last_analyze < now() - interval '1 day')
		ORDER BY s.last_analyze NULLS FIRST, s.relname LIMIT 1;
	IF part IS NULL THEN
		RETURN '';
	END IF;
	-- The samples are of all tenants.
	PERFORM set_config('app.tenant', '*', true);
	EXECUTE format(CASE WHEN current_setting('server_version_num')::integer >= 180000 THEN 'ANALYZE ONLY %I' ELSE 'ANALYZE %I' END, part);
	RETURN part;
END
$$;
-- +goose StatementEnd
-- expand: the function is new.
-- +goose StatementBegin
DO $$
BEGIN
	EXECUTE format('ALTER FUNCTION carillon_analyze_months() SET search_path = %I, pg_temp', current_schema());
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION carillon_analyze_months();
