package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"carillon/tenants"
)

// write runs a change of the tenant's data in the writer. A tenant that does not exist is refused
// before anything else.
func (s *scope) write(ctx context.Context, run func(*tx) error) error {
	return s.s.w.wait(ctx, &job{access: s.access(), tenant: s.id, done: make(chan struct{}), run: func(t *tx) error {
		if err := t.counter(s.id); err != nil {
			return err
		}
		return run(t)
	}})
}

// counter reads the tenant's last audit seq into the transaction. On PostgreSQL it holds the
// tenant's row until the commit, which is what keeps the seqs of several nodes without a gap.
func (t *tx) counter(id tenants.TenantID) error {
	if _, ok := t.audits[id]; ok {
		return nil
	}
	seq, hash, err := tips{t}.last(id)
	if err != nil {
		return missing(err, "tenant")
	}
	return keepTip(t, id, seq, hash)
}

// keepTip keeps the end of a tenant's chain in the transaction. Rows without a hash are chained
// before.
func keepTip(t *tx, id tenants.TenantID, seq int64, hash []byte) error {
	tip := auditTip{seq: seq}
	if copy(tip.hash[:], hash); tip.seq > 0 && len(hash) == 0 {
		var err error
		if tip, err = t.chainRest(id, tip.seq); err != nil {
			return err
		}
	}
	t.audits[id] = tip
	return nil
}

// auditEntry is what is recorded of a change or of a refused attempt.
type auditEntry struct {
	action, target, name, detail string
	changes                      []tenants.Change
	refused                      bool
}

// audit collects the row of a change in the same transaction. detail names the changed fields,
// never their secrets. The row also keeps what the target is called now.
func (t *tx) audit(s *scope, action, target, detail string) error {
	return t.record(s, auditEntry{action: action, target: target, detail: detail})
}

// auditChange is audit with the name of the target, which a removal has to give because nobody can
// look it up any more, and with the changed fields before and after. An empty name is looked up.
func (t *tx) auditChange(s *scope, action, target, name string, changes ...tenants.Change) error {
	fields := make([]string, len(changes))
	for i, c := range changes {
		fields[i] = c.Field
	}
	return t.record(s, auditEntry{action: action, target: target, name: name, detail: strings.Join(fields, ", "), changes: changes})
}

// record collects an entry. Where the actor did the same a short time ago, the entry is counted and
// becomes one row with the others later: a program in a loop does not fill the database.
func (t *tx) record(s *scope, e auditEntry) error {
	if err := t.counter(s.id); err != nil {
		return err
	}
	t.wrote = true
	if s.who.Kind == tenants.ActorOperator { // what operators do to a tenant is in their record too
		if err := t.operators().ofTenant(s, e); err != nil {
			return err
		}
		if err := t.counter(s.id); err != nil { // a flush forgets it
			return err
		}
	}
	if e.name == "" && slices.Contains(removals, e.action) {
		e.name = e.detail
	} else if e.name == "" {
		var err error
		if e.name, err = t.nameOf(s, e.action, e.target); err != nil {
			return err
		}
	}
	e = e.clean()
	set, err := writeChanges(e.changes)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(e.action, "ring.") { // each ring has an id of its own
		if joined, err := t.joinAudit(s, e, set); joined || err != nil {
			return err
		}
	}
	t.append(s, e, set, tenants.Audit{Times: 1})
	return nil
}

// append chains and collects the row; a has the times.
func (t *tx) append(s *scope, e auditEntry, set string, a tenants.Audit) {
	tip := t.audits[s.id]
	a.Seq, a.At, a.Actor = tip.seq+1, s.s.now(), s.who.Actor
	a.Actor.ID, a.Actor.Name = strings.ToLower(a.Actor.ID), strings.ToValidUTF8(a.Actor.Name, "\uFFFD")
	a.Action, a.Target, a.TargetName, a.Detail, a.Changes, a.Refused = e.action, e.target, e.name, e.detail, e.changes, e.refused
	a.IP, a.RequestID = strings.ToValidUTF8(s.who.IP, "\uFFFD"), strings.ToValidUTF8(s.who.RequestID, "\uFFFD")
	a.Salt()
	hash := a.Chained(tip.hash, tenants.TenantID(strings.ToLower(string(s.id))))
	t.audits[s.id] = auditTip{a.Seq, hash}
	t.rows.audits.add(uuid(s.id), a.Seq, micros(a.At), string(a.Actor.Kind), uuid(a.Actor.ID), a.Actor.Name, a.Action, a.Target, a.Detail,
		a.IP, a.RequestID, a.TargetName, set, result(a.Refused), a.Times, micros(a.LastAt), saltsOf(&a), []byte{}, hash[:])
}

// removals are the actions whose detail is the name of what was removed.
var removals = []string{"device.remove", "agent.remove", "credential.remove", "connection.remove", "key.revoke", "key.expire",
	"member.remove"}

// clean makes the texts valid UTF-8: others would leave in an export as something else than what
// was hashed.
func (e auditEntry) clean() auditEntry {
	for _, s := range []*string{&e.target, &e.name, &e.detail} {
		*s = strings.ToValidUTF8(*s, "\uFFFD")
	}
	for i, c := range e.changes {
		e.changes[i] = tenants.Change{Field: c.Field, Before: strings.ToValidUTF8(c.Before, "\uFFFD"),
			After: strings.ToValidUTF8(c.After, "\uFFFD")}
	}
	return e
}

func result(refused bool) string {
	if refused {
		return tenants.AuditRefused
	}
	return ""
}

func writeChanges(all []tenants.Change) (string, error) {
	if len(all) == 0 {
		return "", nil
	}
	text, err := json.Marshal(all)
	return string(text), err
}

func readChanges(text string) (all []tenants.Change) {
	if text != "" {
		_ = json.Unmarshal([]byte(text), &all) // what writeChanges wrote
	}
	return all
}

const namedUser = "SELECT COALESCE(NULLIF(u.name, ''), u.email) FROM users u JOIN members m ON m.user_id = u.id " +
	"WHERE u.id = ? AND m.tenant_id = ?"

// namedBy finds what a target is called, by the noun of the action. The first argument is the
// target, the second the tenant.
var namedBy = map[string]string{
	"device":       "SELECT COALESCE(NULLIF(name, ''), NULLIF(person, ''), model) FROM devices WHERE id = ? AND tenant_id = ?",
	"agent":        "SELECT name FROM agents WHERE id = ? AND tenant_id = ?",
	"alert_rule":   "SELECT name FROM alert_rules WHERE id = ? AND tenant_id = ?",
	"alert_target": "SELECT name FROM alert_targets WHERE id = ? AND tenant_id = ?",
	"connection":   "SELECT name FROM connections WHERE id = ? AND tenant_id = ?",
	"credential": "SELECT CASE WHEN kind = 'p12' THEN 'Certificate of ' || bundle ELSE 'Key ' || key_id END FROM credentials " +
		"WHERE id = ? AND tenant_id = ?",
	"key":    "SELECT name FROM keys WHERE id = ? AND tenant_id = ?",
	"member": namedUser,
	"user":   namedUser,
	"tenant": "SELECT name FROM tenants WHERE id = ? AND id = ?",
}

// nameOf is what the target is called now; "" where it has no name of its own.
func (t *tx) nameOf(s *scope, action, target string) (name string, err error) {
	noun, _, _ := strings.Cut(action, ".")
	query, known := namedBy[noun]
	id, valid := tenants.ParseID[uuid](target)
	if !known || !valid {
		return "", nil
	}
	err = t.row(query, []any{id, uuid(s.id)}, &name)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return name, err
}

// How long equal changes are joined to the first of them, and among how many of the newest rows.
const (
	joinFor  = 10 * time.Minute
	joinSpan = 200
)

// joinAudit counts a change that repeats an earlier row, and reports whether it did: the newest row
// about the target, of the same actor and address, with the same action, detail and changes. When
// ten minutes are over, what was counted is one row; see Jobs.CloseRepeats.
func (t *tx) joinAudit(s *scope, e auditEntry, set string) (bool, error) {
	if err := t.flush(); err != nil { // row does not see collected rows
		return false, err
	}
	if err := t.counter(s.id); err != nil { // flush forgets it
		return false, err
	}
	now := s.s.now()
	var seq, at int64
	err := t.row("SELECT CASE WHEN action = ? AND detail = ? AND changes = ? AND result = ? AND actor_kind = ? AND actor_id = ? "+
		"AND ip = ? AND at > ? THEN seq ELSE 0 END, at FROM audits WHERE tenant_id = ? AND seq > ? AND target = ? "+
		"ORDER BY seq DESC LIMIT 1",
		[]any{e.action, e.detail, set, result(e.refused), string(s.who.Kind), uuid(s.who.ID), s.who.IP,
			micros(now.Add(-joinFor)), uuid(s.id), t.audits[s.id].seq - joinSpan, e.target}, &seq, &at)
	if errors.Is(err, sql.ErrNoRows) || err == nil && seq == 0 {
		return false, t.closeRepeatsOf(s, e.target)
	}
	if err != nil {
		return false, err
	}
	_, err = t.exec("INSERT INTO audit_repeats (tenant_id, seq, target, due_at, times, first_at, last_at) VALUES (?, ?, ?, ?, 1, ?, ?) "+
		"ON CONFLICT (tenant_id, seq) DO UPDATE SET times = audit_repeats.times + 1, last_at = excluded.last_at",
		uuid(s.id), seq, e.target, at+joinFor.Microseconds(), micros(now), micros(now))
	return true, err
}

// closeRepeatsOf writes the rows of what was repeated about a target before another row about it is
// written. Later they would follow that row, and look newer than it.
func (t *tx) closeRepeatsOf(s *scope, target string) error {
	rows, err := t.query(context.Background(), "SELECT seq FROM audit_repeats WHERE tenant_id = ? AND target = ? ORDER BY seq",
		uuid(s.id), target)
	found, err := collect(rows, err, func(n *int64) []any { return []any{n} })
	if err != nil {
		return err
	}
	for _, seq := range found {
		if err := t.closeRepeat(s, seq); err != nil {
			return err
		}
	}
	return t.counter(s.id)
}

// Audits are the tenant's record of changes. Each change writes its row by itself.
type Audits struct{ *scope }

// Audits returns the tenant's Audits.
func (s *Scope) Audits() Audits { return Audits{&s.scope} }

// Add records an action that changes no row of its own, such as a sign-in.
func (s Audits) Add(ctx context.Context, action, target, detail string) error {
	return s.write(ctx, func(t *tx) error { return t.audit(s.scope, action, target, detail) })
}

// Refused records that the actor asked for something and was refused. target is the route or the
// thing that was asked for, and why the reason in a few words.
func (s Audits) Refused(ctx context.Context, action, target, why string) error {
	return s.write(ctx, func(t *tx) error {
		return t.record(s.scope, auditEntry{action: action, target: target, detail: why, refused: true})
	})
}

// changedFields leaves those whose value is another one now.
func changedFields(all ...tenants.Change) []tenants.Change {
	return slices.DeleteFunc(all, func(c tenants.Change) bool { return c.Before == c.After })
}

// auditSet is audit with a detail of its own and what changed.
func (t *tx) auditSet(s *scope, action, target, detail string, changed ...tenants.Change) error {
	return t.record(s, auditEntry{action: action, target: target, detail: detail, changes: changedFields(changed...)})
}

// onOff is a switch as the audit log shows it.
func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// changes collects changed fields for an audit row.
type changes []tenants.Change

// set adds a field whose value changed.
func (c *changes) set(name, before, after string) {
	if before != after {
		*c = append(*c, tenants.Change{Field: name, Before: before, After: after})
	}
}

// add adds a field whose values are secret, or too long to be read in a list.
func (c *changes) add(name string, changed bool) {
	if changed {
		*c = append(*c, tenants.Change{Field: name, Before: "set", After: "changed"})
	}
}

func (c changes) String() string {
	fields := make([]string, len(c))
	for i := range c {
		fields[i] = c[i].Field
	}
	return strings.Join(fields, ", ")
}
