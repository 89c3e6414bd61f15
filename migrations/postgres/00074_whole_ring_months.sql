-- Rings that were kept for 400 days go with the tables of their month, in place of a delete for
-- each. Rings of a tenant with a shorter rule are gone by then: they go row by row, on their day.

-- +goose Up
SET LOCAL lock_timeout = '2s';

-- Drops one table of a month, with the rings in it, and says its name; '' if there is none to drop.
-- The server calls it once it has written into each tenant's audit log how many rings go. Each
-- table has a call of its own, so that none is held while it waits for the next. A month stays
-- while one of its rings has not ended, and in any case until it is over for 399 days: a server
-- whose clock is wrong drops nothing.
-- +goose StatementBegin
CREATE FUNCTION carillon_drop_ring_month(gone text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER
	SET lock_timeout = '500ms' AS $$
DECLARE
	part record;
	held boolean;
BEGIN
	IF NOT has_table_privilege(session_user, 'rings', 'DELETE') THEN
		RAISE insufficient_privilege USING MESSAGE = 'the role may not change rings';
	END IF;
	PERFORM pg_advisory_xact_lock(7305808869231653);
	PERFORM set_config('app.tenant', '*', true);
	PERFORM 1 FROM carillon_ring_bounds() b
		WHERE b.month = gone AND b.month <> 'first' AND b.upper <= carillon_first_id(now() - interval '399 days');
	IF NOT FOUND THEN
		RETURN '';
	END IF;
	EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I WHERE due_at IS NOT NULL)', 'rings_' || gone) INTO held;
	IF held THEN
		RETURN '';
	END IF;
	-- What refers to others first, and the rings last: until then the month is found again.
	SELECT t.name AS whole, t.name || '_' || gone AS name INTO STRICT part FROM carillon_ring_tables() t
		WHERE to_regclass(t.name || '_' || gone) IS NOT NULL ORDER BY t.n DESC LIMIT 1;
	EXECUTE format('LOCK TABLE ONLY %I IN ACCESS EXCLUSIVE MODE', part.whole);
	EXECUTE format('DROP TABLE %I', part.name);
	RETURN part.name;
END
$$;
-- +goose StatementEnd

-- It runs with the rights of the role that applied this step, so nothing of a caller's temporary
-- schema may take the place of a table or a function.
-- expand: the function is new.
-- +goose StatementBegin
DO $$
BEGIN
	EXECUTE format('ALTER FUNCTION carillon_drop_ring_month(text) SET search_path = %I, pg_temp', current_schema());
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP FUNCTION carillon_drop_ring_month(text);
