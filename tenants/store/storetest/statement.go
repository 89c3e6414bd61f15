package storetest

import (
	"database/sql"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"carillon/tenants/store"
)

// statements is every text that the suite's stores ran.
type statements struct {
	mu    sync.Mutex // guards texts
	texts map[string]bool
}

func (s *statements) add(q string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts[q] = true
}

// tenanted are the tables whose rows belong to a tenant: those with tenant_id, as the migrations
// have them.
func tenanted(t *testing.T) map[string]bool {
	t.Helper()
	dir := t.TempDir()
	if _, err := store.Migrate(t.Context(), store.Config{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "carillon.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT m.name FROM sqlite_master m "+
		"JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND p.name = 'tenant_id'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	owned := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		owned[name] = true
	}
	if rows.Err() != nil || len(owned) < 20 {
		t.Fatalf("tables of tenants: %v, %v", owned, rows.Err())
	}
	return owned
}

// across are the statements that look across tenants, with the reason. Each belongs to a method of
// Store whose name says so.
var across = map[string]string{
	"SELECT * FROM keys WHERE hash = ? LIMIT ?":                               "Tenants.OfKey: the hash is what tells the tenant",
	"SELECT * FROM device_credentials WHERE hash = ? LIMIT ?":                 "Tenants.OfDevice: the hash is what tells the tenant",
	"SELECT * FROM pairings WHERE hash = ? LIMIT ?":                           "Tenants.OfPairing: the hash is what tells the tenant",
	"SELECT * FROM invitations WHERE hash = ? LIMIT ?":                        "Users.Invitation: the hash is what tells the tenant",
	"SELECT * FROM sign_ins WHERE hash = ? LIMIT ?":                           "SignIns.Get: a sign-in is a person's",
	"SELECT * FROM sign_ins WHERE user_id = ? ORDER BY created_at DESC, hash": "SignIns.List: a sign-in is a person's",
	"DELETE FROM sign_ins WHERE hash = ?":                                     "SignIns.End: a sign-in is a person's",
	"DELETE FROM sign_ins WHERE user_id = ?":                                  "Users.Set: a disabled person's sign-ins end everywhere",
	"DELETE FROM sign_ins WHERE user_id = ? AND hash <> ? AND hash NOT IN (SELECT hash FROM sign_ins WHERE user_id = ? " +
		"ORDER BY created_at DESC, hash LIMIT ?)": "SignIns.Add: a person's oldest sign-ins end in all tenants",
	"DELETE FROM sign_ins WHERE user_id = ? AND hash <> ?": "SetPassword, EndSignIns: a person's sign-ins end " +
		"everywhere",
	"UPDATE sign_ins SET tenant_id = ? WHERE hash = ? AND EXISTS (SELECT 1 FROM members WHERE members.tenant_id = ? AND " +
		"members.user_id " +
		"= sign_ins.user_id)": "SignIns.Switch: a sign-in is a person's",
	"UPDATE sign_ins SET idle_at = ? WHERE hash = ?":             "SignIns.Touch: a sign-in is a person's",
	"UPDATE sign_ins SET hash = ?, proved_at = ? WHERE hash = ?": "SignIns.Renew: a sign-in is a person's",
	"SELECT tenants.*, members.role, members.created_at AS since FROM members JOIN tenants ON tenants.id = members.tenant_id WHERE " +
		"members.user_id = ? ORDER BY tenants.name, tenants.id": "Users.Memberships: a person's own tenants",
	"SELECT tenant_id, user_id, role, created_at FROM members WHERE user_id = ?": "Users.TakeReset, and when an address is proven: a " +
		"person's own tenants",
	"DELETE FROM idempotency WHERE created_at <= ?":                                 "Jobs.Forget: age, of every tenant",
	"DELETE FROM device_paces WHERE free_at <= ?":                                   "Jobs.Forget: age, of every tenant",
	"DELETE FROM digests WHERE sent_at <= ?":                                        "Jobs.Forget: age, of every tenant",
	"SELECT tenant_id, user_id FROM digests WHERE token_hash = ?":                   "Tenants.OfDigest: the hash is what tells the tenant",
	"DELETE FROM pairings WHERE expires_at <= ?":                                    "Jobs.Forget: age, of every tenant",
	"DELETE FROM invitations WHERE expires_at <= ?":                                 "Jobs.Forget: age, of every tenant",
	"DELETE FROM sign_ins WHERE expires_at <= ? OR (idle_at <> 0 AND idle_at <= ?)": "Jobs.Forget: age, of every person",
	"DELETE FROM metered WHERE at <= ? AND reported_at <> 0":                        "Jobs.Forget: age, of every tenant",
	"SELECT tenant_id FROM oidc_domains WHERE domain = ? AND (verified_at > 0 OR lost_at > 0) ORDER BY verified_at DESC, lost_at DESC " +
		"LIMIT 1": "Store.ProviderOf: the domain is what tells the tenant",
	"SELECT tenant_id, domain, token, verified_at FROM oidc_domains WHERE verified_at > 0 AND check_at <= ? ORDER BY check_at, domain " +
		"LIMIT ?": "Store.DueDomains: every tenant's domains are checked again",
	"SELECT tenant_id FROM subscriptions WHERE customer = ? AND customer <> ''": "Tenants.OfCustomer: Stripe's id is what tells the " +
		"tenant",
}

// ringsOf is how whole rings are read.
const ringsOf = "SELECT tenant_id, id, version, state, to_device, to_person, agent_id, caller, reference, test, by_kind, by_id, " +
	"by_name, " +
	"created_at, expires_at, ended_at, end_reason, to_group, to_name FROM rings WHERE "

// acrossBy are the beginnings of longer ones.
var acrossBy = map[string]string{
	"SELECT node FROM ring_nodes WHERE ring_id = ?":                 "Jobs.Holder: a secret of the ring tells the tenant later",
	"SELECT tenant_id, ring_id, node FROM ring_nodes WHERE node ":   "Nodes.HeldBy, HeldByGone: a node holds calls of every tenant",
	"DELETE FROM ring_nodes WHERE NOT since >":                      "Nodes.ForgetHolders: age, of every tenant",
	"SELECT tenant_id, hour, key_id, hops FROM key_tallies WHERE (": "Jobs.Roll, of named keys of several tenants",
	"SELECT DISTINCT tenant_id FROM alerts WHERE tell_at":           "Jobs.DueAlerts: every tenant's people are written to",
	"UPDATE alerts SET tell_at = ? WHERE (tenant_id, kind, target) IN (SELECT tenant_id, kind, target FROM alerts WHERE " +
		"tell_at": "Jobs.DueAlerts: every tenant's people are written to",
	"SELECT COUNT(*) FROM (SELECT 1 FROM alert_rules WHERE":         "Jobs.ClaimRules: the rules of every tenant are looked at",
	"WITH due (tenant, rule) AS (SELECT tenant_id, id FROM alert":   "Jobs.ClaimRules: the rules of every tenant are looked at",
	"SELECT COUNT(*) FROM (SELECT 1 FROM alert_sends WHERE":         "Jobs.ClaimSends: what goes to the targets of every tenant",
	"WITH due (tenant, send) AS (SELECT tenant_id, id FROM alert":   "Jobs.ClaimSends: what goes to the targets of every tenant",
	"SELECT EXISTS (SELECT 1 FROM rings WHERE due_at":               "Jobs.Due: the sweep is for every tenant",
	"WITH due (tenant, ring) AS (SELECT tenant_id, id FROM rings":   "Jobs.Claim: the sweep is for every tenant",
	"UPDATE rings SET due_at = expires_at WHERE due_at IS NOT NULL": "Jobs.AwaitExpiry, of named rings of several tenants",
	"UPDATE rings SET version = version + 1, state":                 "Jobs.Expire, of named rings of several tenants",
	"UPDATE attempts SET state = ? WHERE (tenant_id":                "Jobs.Expire, of named attempts of several tenants",
	ringsOf + "due_at IS NOT NULL":                                  "Jobs.Expire: the sweep is for every tenant",
	ringsOf + "(tenant_id":                                          "Jobs.Again, of named rings of several tenants",
	"SELECT ring_id, id, device_id, credential_id, app_version, os_version, apns_id, step, topic, token, environment, state, " +
		"tries, status, reason, sent_at, answered_at FROM attempts WHERE (tenant_id": "the sweep, of named rings of several tenants",
	"SELECT seq, ring_id, attempt_id, kind, at, received_at, raw_at, raw_sent_at, detail, nth FROM facts WHERE " +
		"(tenant_id": "the sweep, of named rings of several tenants",
	"SELECT ring_id, device_id, ended_by, answered_at, connected_at, ended_at, jitter, round_trip, loss, last_sound_at FROM calls " +
		"WHERE " +
		"(tenant_id": "the sweep, of named rings of several tenants",
	"SELECT ring_id, n, wave, group_id, group_name, person, state, reason, after_us, for_us, in_turn, begun_at FROM ring_steps " +
		"WHERE (tenant_id": "the sweep, of named rings of several tenants",
	"SELECT tenant_id, plan, state, every, period_start, period_end, trial_end, trial_cut, cancel_at_end, past_due_since, overage, " +
		"customer, stripe, quantity, synced_at, created_at FROM subscriptions ORDER BY": "Tenants.Subscriptions: of every tenant, to " +
		"reconcile them with Stripe",
	"SELECT m.tenant_id, m.ring_id, s.customer, m.at FROM metered m JOIN subscriptions s": "Jobs.Unreported: every tenant's rings are " +
		"reported to Stripe's meter",
	"SELECT c.tenant_id, c.id FROM connections c JOIN tenants t": "Jobs.DueRosters, Jobs.DueConnections: the calendars of every " +
		"tenant are read, and the engine sends every tenant's events",
	"SELECT DISTINCT m.tenant_id, m.group_id FROM group_members": "Jobs.TimedGroups: whether every tenant's groups have somebody on duty",
	"SELECT tenant_id, kind, target, detail, first_at, last_at, count, resolved_at, told_at FROM alerts WHERE kind": "" +
		"Jobs.TimedGroups: the alerts about them",
	"SELECT tenant_id FROM connections WHERE id":             "Jobs.TextConnection: the id is what tells the tenant",
	"SELECT id, seq FROM (SELECT t.id AS id, (SELECT MAX":    "Jobs.SignHeads: the chain of every tenant is signed",
	exportsOf + "state = 'waiting' OR":                       "Jobs.BeginExport: the next export of any tenant",
	"SELECT COUNT(*) FROM exports WHERE state":               "Exports.Ask: how many wait on the whole installation",
	exportsOf + "state = 'ready' AND expires_at":             "Jobs.ExpireExports: those of any tenant whose time is over",
	"SELECT id FROM exports WHERE node":                      "Jobs.ExportFiles: the files of a server",
	"SELECT tenant_id, seq FROM audit_repeats WHERE due":     "Jobs.CloseRepeats: what any tenant's people repeated",
	"SELECT c.tenant_id, c.id, COALESCE(m.seq":               "Jobs.AuditFollowers: every tenant's record has its followers",
	"SELECT c.tenant_id, c.id, c.settings FROM":              "Jobs.Askers: a ring of any tenant may ask its system",
	"SELECT c.tenant_id, c.id, c.role, c.settings":           "Jobs.Listeners: what happens to any tenant may be an event",
	"SELECT COUNT(*) FROM (SELECT 1 FROM connections c JOIN": "Jobs.Listens: what happens to any tenant may be an event",
	"SELECT tenant_id, COUNT(*) FROM devices WHERE state":    "Operators.Tenants: figures of all tenants for the operator",
	"SELECT tenant_id, COUNT(*) FROM members GROUP":          "Operators.Tenants: figures of all tenants for the operator",
	"SELECT tenant_id, COUNT(*) FROM alerts WHERE":           "Operators.Tenants: figures of all tenants for the operator",
	"SELECT t.id, COALESCE((SELECT r.created_at":             "Operators.Tenants: figures of all tenants for the operator",
	"SELECT m.tenant_id, u.email FROM members m JOIN users":  "Operators.Owners: a search of all tenants, for the operator",
	"SELECT tenant_id, CAST(SUM(rings) AS":                   "Operators.Tenants: figures of all tenants for the operator",
	"SELECT COUNT(*), COALESCE(MIN(due_at), 0) FROM rings":   "Operators.Queues: the work of all tenants, for the operator",
	"SELECT COUNT(*), COALESCE(MIN(tell_at), 0) FROM alerts": "Operators.Queues: the work of all tenants, for the operator",
	"SELECT COUNT(*), COALESCE(MIN(received_at), 0) FROM (":  "Operators.Queues: the work of all tenants, for the operator",
	"SELECT COUNT(*), COALESCE(MIN(at), 0) FROM metered":     "Operators.Queues: the work of all tenants, for the operator",
	"SELECT role, MIN(due) FROM (SELECT c.role":              "Jobs.OldestDue: a figure of all tenants for the operator",
	"DELETE FROM users WHERE id IN (SELECT user_id FROM members WHERE tenant_id": "Jobs.DeleteTenant: the accounts of its people " +
		"who are in no other tenant",
	"DELETE FROM users WHERE id = ? AND NOT EXISTS":                      "Jobs.Erase: an account that is in no tenant",
	"SELECT tenant_id, id, kind, sealed, seq, values_gone FROM erasures": "Jobs.Erase: people of every tenant",
	"SELECT tenant_id, id, name, role, failing_since, warned_at, state FROM connections c WHERE": "Jobs.ReviewConnections: those of " +
		"every tenant that fail",
	"SELECT * FROM keys WHERE revoked_at = 0 AND expires_at <> 0": "Jobs.KeysWithExpiry: those of every tenant",
	"SELECT xact, seq FROM facts":                                 "Cursor.Skip: a cursor passes every tenant's facts",
	"SELECT received_at FROM facts":                               "Feed.Resume: the age of a place; the next fact may be of any tenant",
	"SELECT f.xact, f.seq, f.tenant_id, f.ring_id":                "the roller counts every tenant's facts",
	"SELECT a.tenant_id, a.ring_id, a.id, r.id IS NOT NULL":       "the roller, of named rings of several tenants",
	"SELECT f.tenant_id, f.ring_id, f.attempt_id, f.xact":         "the roller, of named rings of several tenants",
	"SELECT w.xact, w.seq, EXISTS": "whether a cursor has facts of any tenant " +
		"before it",
	"SELECT xact, seq, tenant_id, ring_id": "a cursor reads every tenant's facts",
	"SELECT tenant_id, id, kind, bundle, environment, team, key_id, topics, fingerprint, not_after, state, last_error, last_error_at, " +
		"last_used_at, created_at, no_hedge, profile FROM credentials ORDER BY": "" +
		"Tenants.Credentials of dev mode's simulator, without secrets",
}

// acrossLite are the beginnings of those that only SQLite runs.
var acrossLite = map[string]string{
	"SELECT a.tenant_id, a.device_id, a.ring_id FROM facts f": "DeviceRings.File: new rings of every tenant",
	"SELECT (SELECT MAX(seq) FROM facts), seq, received_at":   "DeviceRings.File: new rings of every tenant",
	"INSERT OR IGNORE INTO device_rings":                      "DeviceRings.File: new rings of every tenant",
	"UPDATE rings SET due_at = ? WHERE due_at > ?":            "Nodes.Inherit: every tenant's rings are pushed",
}

// acrossMonths are those that only PostgreSQL runs, where facts are split by month.
var acrossMonths = map[string]string{
	"SELECT ring_id, carillon_first_id(carillon_time_of(ring_id) +": "Jobs.deleteLeftFacts: the next hour in which any tenant " +
		"has facts; no index begins with the tenant",
}

var (
	quotes       = strings.NewReplacer("`", "", `"`, "")
	forced       = regexp.MustCompile(` INDEXED BY \w+`) // SQLite's
	placeholders = regexp.MustCompile(`\$\d+`)
	literals     = regexp.MustCompile(`'[^']*'`)
	numbers      = regexp.MustCompile(`LIMIT \d+$`)
)

// plain brings a statement of either dialect to the form of the lists.
func plain(q string) string {
	q = strings.ReplaceAll(forced.ReplaceAllString(q, ""), "+tenant_id", "tenant_id")
	q = placeholders.ReplaceAllString(quotes.Replace(q), "?")
	if strings.HasPrefix(q, "SELECT *") {
		q = numbers.ReplaceAllString(q, "LIMIT ?")
	}
	return q
}

// excused reports whether the statement looks across tenants, and says why.
func excused(q string) bool {
	if across[q] != "" {
		return true
	}
	for _, starts := range []map[string]string{acrossBy, acrossLite, acrossMonths} {
		for start := range starts {
			if strings.HasPrefix(q, start) {
				return true
			}
		}
	}
	return false
}

// check fails for each statement that reaches a tenant's rows without saying whose and, after a
// whole run, for entries of the lists that nothing used.
func (s *statements) check(t *testing.T, whole bool) {
	used, owned := map[string]bool{}, tenanted(t)
	for q := range s.texts {
		q = plain(q)
		used[q] = true
		if excused(q) {
			continue
		}
		for _, fault := range loose(q, owned) {
			t.Errorf("a statement on a tenant's table does not say which tenant: %s\n%s", fault, q)
		}
	}
	if whole {
		unused(t, used)
	}
}

func unused(t *testing.T, used map[string]bool) {
	for q := range across {
		if !used[q] {
			t.Errorf("nothing runs this exception any more: %s", q)
		}
	}
	for start := range acrossBy {
		if !slices.ContainsFunc(keysOf(used), func(q string) bool { return strings.HasPrefix(q, start) }) {
			t.Errorf("nothing runs this exception any more: %s…", start)
		}
	}
}

func keysOf(m map[string]bool) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	return out
}

// exportsOf begins the statements that look for exports of several tenants.
const exportsOf = "SELECT tenant_id, id, state, node, by_kind, by_id, by_name, asked_at, lease_at, ended_at, expires_at, at, row_count, " +
	"size, tries, why, sealed FROM exports WHERE "
