package store

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgreSQL may be somewhere else, may be replaced by its standby, and may have a pool of
// connections in front of it (PgBouncer). So a connection that breaks is found within seconds, a
// statement does not last for ever, and none needs a session: each is a transaction of its own or
// belongs to one.
const (
	connectWithin = 5 * time.Second
	// silentMost is how long a connection may be silent before it is tried, and how long what was
	// sent may be unconfirmed.
	silentMost = 5 * time.Second
)

// sessionLimits are set on each connection, unless the address or the role says otherwise. The
// writer's transaction waits for nothing but PostgreSQL, so one that does nothing belongs to a
// server that was stopped, and holds up all others. Its end comes before the others give up their
// wait for its locks. The longest statements of a server count or copy a table in parts.
var sessionLimits = map[string]string{
	"statement_timeout": "60s", "lock_timeout": "4s", "idle_in_transaction_session_timeout": "3s",
}

// sessionPlans are set on each connection like sessionLimits. Statements of a server read a few
// rows of tables that have many. To compile one, or to start processes that share it, takes longer
// than to run it, and PostgreSQL does both where it expects more rows than there are. It also keeps
// the plan of a statement that it made while the table of a month was new: to read the table from
// end to end, which grows with each ring until autovacuum looks at it, a minute later at best. With
// 5,000 rings in it each push read them all.
var sessionPlans = map[string]string{"jit": "off", "max_parallel_workers_per_gather": "0", "enable_seqscan": "off"}

// postgresConfig reads an address.
func postgresConfig(address string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("store: database URL: %w", redact(err, address))
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectWithin
	}
	dialer := &net.Dialer{Timeout: config.ConnectTimeout, Control: unconfirmedMost,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: silentMost, Interval: time.Second, Count: 5}}
	config.DialFunc = dialer.DialContext
	if pooled(config) {
		return config, nil // PgBouncer refuses connections that set these: see the role
	}
	for _, settings := range []map[string]string{sessionLimits, sessionPlans} {
		for name, value := range settings {
			if _, given := config.RuntimeParams[name]; !given {
				config.RuntimeParams[name] = value
			}
		}
	}
	return config, nil
}

// pooled reports that the address is for a pool that gives each transaction another connection, by
// its default_query_exec_mode: nothing may be prepared or set for longer than a transaction.
func pooled(config *pgx.ConnConfig) bool {
	return config.DefaultQueryExecMode != pgx.QueryExecModeCacheStatement
}

// unlimited takes the limits away, for work that lasts: migrations and copies.
func unlimited(config *pgx.ConnConfig) {
	for _, settings := range []map[string]string{sessionLimits, sessionPlans} {
		for name := range settings {
			delete(config.RuntimeParams, name)
		}
	}
}

// Limits says which of PostgreSQL's time-outs are off for this server's connections.
func (s *Store) Limits(ctx context.Context) (off []string, err error) {
	if s.db.dialect.isFile() {
		return nil, nil
	}
	rows, err := s.db.through(noTenant).query(ctx, "SELECT name FROM pg_settings WHERE setting = '0' AND name IN "+
		"('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout') ORDER BY name")
	off, err = collect(rows, err, func(s *string) []any { return []any{s} })
	return off, translate(err)
}
