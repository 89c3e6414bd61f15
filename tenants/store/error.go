package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	"modernc.org/sqlite"

	"carillon/tenants"
)

// The result codes of SQLite that mean something to us (sqlite.org/rescode.html).
const (
	sqliteBusy       = 5
	sqliteReadOnly   = 8
	sqliteIOErr      = 10
	sqliteFull       = 13
	sqliteCantOpen   = 14
	sqlitePrimaryKey = 1555
	sqliteUnique     = 2067
)

// The SQLSTATEs of PostgreSQL that mean something to us (appendix A of its manual).
const (
	pgUnique        = "23505"
	pgSerialization = "40001"
	pgDeadlock      = "40P01"
	pgNoRoom        = "53" // the class: disk full, out of memory, too many connections
	pgReadOnly      = "25006"
	pgIOErr         = "58030"
	pgShutdown      = "57P" // the class: it ends, has crashed, or does not take connections yet
	pgCanceled      = "57014"
	pgLockTimeout   = "55P03"
	pgConnection    = "08" // the class: the connection broke
)

// awayPause is how long to stay away from a database that does not answer: a standby takes over
// within seconds.
const awayPause = 2 * time.Second

// translate turns what a driver said into an error of ours, once. Refusals pass.
func translate(err error) error {
	var ours *tenants.Error
	var known *failure
	switch {
	case err == nil, errors.As(err, &ours), errors.As(err, &known):
		return err
	case absent(err):
		return tenants.NoSuch("row")
	case unique(err):
		return &tenants.Error{Kind: tenants.Conflict, Code: "conflict", Msg: "That exists already.", Err: err}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &tenants.Error{Kind: tenants.Unavailable, Code: "unavailable",
			Msg: "The request was given up before it was done. Try again.",
			Err: err}
	case full(err):
		return &tenants.Error{Kind: tenants.Unavailable, Code: "storage_full", RetryAfter: fullPause, Err: err,
			Msg: "This server cannot store anything at the moment; its disk may be full. Nothing was done. Try again in a few seconds, " +
				"and tell " +
				"its operator if it happens again."}
	case away(err):
		return &tenants.Error{Kind: tenants.Unavailable, Code: "unavailable", RetryAfter: awayPause, Err: err,
			Msg: "The database does not answer. Try again in a few seconds; with the same Idempotency-Key nothing is done twice."}
	case passing(err):
		return &tenants.Error{Kind: tenants.Unavailable, Code: "unavailable", Msg: "The database cannot take this now. Try again.",
			Err: err}
	}
	return &failure{err}
}

// failure is what a driver said and nobody can do anything about: Internal, by not being a refusal.
type failure struct{ err error }

func (f *failure) Error() string { return "store: " + f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// missing translates, and names what is not there.
func missing(err error, what string) error {
	if absent(err) {
		return tenants.NoSuch(what)
	}
	return translate(err)
}

// taken translates, and says in our words what is there already.
func taken(err error, msg string) error {
	if unique(err) {
		return &tenants.Error{Kind: tenants.Conflict, Code: "conflict", Msg: msg, Err: err}
	}
	return translate(err)
}

func absent(err error) bool {
	return errors.Is(err, sql.ErrNoRows) || errors.Is(err, gorm.ErrRecordNotFound) || errors.Is(err, errNotUUID)
}

func unique(err error) bool {
	code, state := codes(err)
	return code == sqliteUnique || code == sqlitePrimaryKey || state == pgUnique
}

// passing: likely to work later.
func passing(err error) bool {
	code, state := codes(err)
	return code&0xff == sqliteBusy || state == pgCanceled || state == pgLockTimeout || clash(err)
}

// away: PostgreSQL cannot be reached, or the connection broke in the middle.
func away(err error) bool {
	_, state := codes(err)
	if state != "" {
		return strings.HasPrefix(state, pgShutdown) || strings.HasPrefix(state, pgConnection)
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed)
}

// fullPause is how long to stay away from a disk without room.
const fullPause = 5 * time.Second

// full: there is no room to write, or nothing can be written; it works again when somebody has made
// room. A disk that is full makes SQLite fail in several ways: it cannot extend its file (13), its
// index in memory, or sync (10), or open its log (14).
func full(err error) bool {
	code, state := codes(err)
	switch code & 0xff {
	case sqliteFull, sqliteIOErr, sqliteCantOpen, sqliteReadOnly:
		return true
	}
	return strings.HasPrefix(state, pgNoRoom) || state == pgReadOnly || state == pgIOErr
}

// clash: PostgreSQL gave up on the transaction because of another one; the same again may work.
func clash(err error) bool {
	_, state := codes(err)
	return state == pgSerialization || state == pgDeadlock
}

func codes(err error) (code int, state string) {
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		code = lite.Code()
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		state = pg.Code
	}
	return code, state
}
