package store

import (
	"strconv"
	"strings"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"carillon/migrations"
)

// dialect is the database's kind, and every difference between the two that the rest of the store
// meets. Only this file compares it.
type dialect string

const (
	lite dialect = migrations.SQLite
	pg   dialect = migrations.Postgres
)

// gorm puts statements together for conn.
func (d dialect) gorm(conn gorm.ConnPool) gorm.Dialector {
	if d == pg {
		return postgres.New(postgres.Config{Conn: conn})
	}
	return &sqlite.Dialector{DriverName: "sqlite", Conn: conn}
}

// isFile reports that the database is one file of this process: it has no other node, no roles and
// no connection that can break, and it is bounded and checkpointed by us.
func (d dialect) isFile() bool { return d == lite }

// guarded reports that row-level security guards statements, which then name a tenant.
func (d dialect) guarded() bool { return d == pg }

// prepares reports that we keep statements prepared; pgx does so by itself.
func (d dialect) prepares() bool { return d == lite }

// pipelines reports that several statements can travel to the database in one round trip.
func (d dialect) pipelines() bool { return d == pg }

// bind brings a statement written with ? to the dialect. Our statements hold no ? in a literal.
func (d dialect) bind(query string) string {
	if d == lite || !strings.Contains(query, "?") {
		return query
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

// begin opens the writer's transaction. SQLite's takes the write lock at once, so that no statement
// in it can find the database busy.
func (d dialect) begin() string {
	if d == lite {
		return "BEGIN IMMEDIATE"
	}
	return "BEGIN"
}

// hold ends a SELECT whose rows will be changed in the same transaction. SQLite has one writer.
func (d dialect) hold() string {
	if d == pg {
		return " FOR UPDATE"
	}
	return ""
}

// size asks for the bytes of the database, without SQLite's log.
func (d dialect) size() string {
	if d == pg {
		return "SELECT pg_database_size(current_database())"
	}
	return "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
}

// clock is the database's own time in microseconds, in a statement's text.
func (d dialect) clock() string {
	if d == pg {
		return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"
	}
	return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) * 1000 AS INTEGER)"
}

// waits makes the transaction wait for others that hold the lock with the same number, or is empty
// where there is one writer. The lock ends with the transaction, so that a pool of connections in
// front of PostgreSQL may share out connections by transaction.
func (d dialect) waits(number string) string {
	if d == pg {
		return "SELECT pg_advisory_xact_lock(" + number + ")"
	}
	return ""
}

// version asks for the database's name and version, and for its clock in microseconds; 0 where the
// clock is ours.
func (d dialect) version() string {
	if d == pg {
		return "SELECT 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1), " + d.clock()
	}
	return "SELECT 'SQLite ' || sqlite_version(), 0"
}

// holdFree is hold without the rows that another node holds.
func (d dialect) holdFree() string {
	if d == pg {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}

// lastAudit reads the seq and hash of a tenant's last audit row. SQLite's one writer looks at the
// audits, whose newest is never deleted. PostgreSQL counts seqs in the tenant's row, which a group
// holds until its commit. The hash comes from the audit row itself: a node of a version without
// chains counts the seq on and leaves the tenant's audit_hash as it was. Where the statement waited
// for another node, it does not see that node's row. That node runs now, so it has chains, and the
// tenant's audit_hash is that of the row: migration 56 let no node without chains live on.
//
// Without wait it gives no row where another node holds it.
func (d dialect) lastAudit(tenant uuid, wait bool) (query string, args []any) {
	if d == lite {
		return "SELECT COALESCE(a.seq, 0), COALESCE(a.hash, x'') FROM tenants t LEFT JOIN audits a ON a.tenant_id = ? AND a.seq = " +
			"(SELECT MAX(seq) FROM audits WHERE tenant_id = ?) WHERE t.id = ?", []any{tenant, tenant, tenant}
	}
	hold := d.hold()
	if !wait {
		hold = d.holdFree()
	}
	return "SELECT audit_seq, COALESCE((SELECT a.hash FROM audits a WHERE a.tenant_id = ? AND a.seq = audit_seq), audit_hash) " +
		"FROM tenants WHERE id = ?" + hold, []any{tenant, tenant}
}

// rangesActions reports that a list of audits by the beginning of an action needs the range of that
// beginning beside the pattern: SQLite finds a range in an index, and no pattern.
func (d dialect) rangesActions() bool { return d == lite }

// by goes behind a table's name and makes SQLite, which has no statistics, find its rows by an
// index, also where another one looks as good to it.
func (d dialect) by(index string) string {
	if d == lite {
		return " INDEXED BY " + index
	}
	return ""
}

// aside is a column in a condition by which SQLite must not find the rows: another condition names
// them by their seq.
func (d dialect) aside(column string) string {
	if d == lite {
		return "+" + column
	}
	return column
}

// among opens, and endAmong closes, the condition that a column is among what a SELECT with a LIMIT
// gives. PostgreSQL may run the SELECT of an IN several times, and holdFree then gives it other
// rows each time: more than the LIMIT.
func (d dialect) among(column string) string {
	if d == pg {
		return column + " = ANY (ARRAY("
	}
	return column + " IN ("
}

func (d dialect) endAmong() string {
	if d == pg {
		return "))"
	}
	return ")"
}

// noID is the empty id in a statement's text; see uuid.
func (d dialect) noID() string {
	if d == lite {
		return "x''"
	}
	return "'" + nilUUID + "'"
}

// idDigits is a column of ids as 32 digits, in a statement's text.
func (d dialect) idDigits(column string) string {
	if d == lite {
		return "LOWER(HEX(" + column + "))"
	}
	return "REPLACE(CAST(" + column + " AS TEXT), '-', '')"
}

// collected orders by a column of ids, and goes before a list's own order where few rows are found
// by another index: no index gives it, so the planner collects and sorts them instead of walking
// through every row in the list's order.
func (d dialect) collected(column string, up bool) string {
	way := " DESC"
	if up {
		way = ""
	}
	if d == lite {
		return "+" + column + way
	}
	return "CAST(" + column + " AS TEXT)" + way
}

// lower is a column of rings in lower case, as its index has it. PostgreSQL stores it, because its
// policies let LOWER look into no index.
func (d dialect) lower(column string) string {
	if d == pg {
		return column + "_low"
	}
	return "LOWER(" + column + ")"
}

// beyondChange is true of facts that no open transaction can commit before any more, on PostgreSQL.
const beyondChange = "xact < " + openXact

// openXact is the lowest number that facts of an open transaction can have; see
// dialect.continueFacts.
const openXact = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint + carillon_xact_base()"

// continueFacts asks that new facts follow those that are there, or is empty where they do so by
// themselves. On PostgreSQL the number of the transaction orders them, and another server, into
// which a dump was restored, would give numbers that were given already.
func (d dialect) continueFacts() string {
	if d == pg {
		return "SELECT carillon_continue_facts()"
	}
	return ""
}

// behind is the condition of the facts behind a place, with its arguments, and their order. One
// writer commits SQLite's facts in the order of their seqs.
func (d dialect) behind(p place) (condition, order string, args []any) {
	if d == pg {
		return "(xact, seq) > (?, ?) AND " + beyondChange, "xact, seq", []any{p.xact, p.seq}
	}
	return "seq > ?", "seq", []any{p.seq}
}

// upTo is the condition of the facts up to a place, with its arguments.
func (d dialect) upTo(p place) (condition string, args []any) {
	if d == pg {
		return "(xact, seq) <= (?, ?)", []any{p.xact, p.seq}
	}
	return "seq <= ?", []any{p.seq}
}

// lastFact is the place of the last fact that nobody can commit before any more.
func (d dialect) lastFact() string {
	if d == pg {
		return "SELECT xact, seq FROM facts WHERE " + beyondChange + " ORDER BY xact DESC, seq DESC LIMIT 1"
	}
	return "SELECT xact, seq FROM facts ORDER BY seq DESC LIMIT 1"
}

// wasPassed asks with 1 whether a reader of facts can have come past a transaction whose facts are
// gone. SQLite keeps the newest fact, so no reader is behind it.
func (d dialect) wasPassed() string {
	if d == pg {
		return "SELECT CASE WHEN CAST(? AS BIGINT) < " + openXact + " THEN 1 ELSE 0 END"
	}
	return "SELECT CAST(? AS INTEGER) < 0"
}

// splitsMonths reports that rings and facts are in a table for each month, which is dropped as a
// whole; see months.go.
func (d dialect) splitsMonths() bool { return d == pg }

// notNewest is the condition that a fact is not the newest of all, which SQLite must keep: it would
// give its seq again, and readers resume by seqs. PostgreSQL gives no seq twice.
func (d dialect) notNewest() string {
	if d == pg {
		return ""
	}
	return " AND seq < (SELECT MAX(seq) FROM facts)"
}

// ofRing is the condition that the ring of a fact is still there. On SQLite facts go with it.
func (d dialect) ofRing() string {
	if d == pg {
		return " AND EXISTS (SELECT 1 FROM rings r WHERE r.tenant_id = facts.tenant_id AND r.id = facts.ring_id)"
	}
	return ""
}

// behindMark is behind for the place in a row w of watermarks.
func (d dialect) behindMark() string {
	if d == pg {
		return "(facts.xact, facts.seq) > (w.xact, w.seq) AND facts." + beyondChange
	}
	return "facts.seq > w.seq"
}
