package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"carillon/tenants"
)

// Erasures remove what names a person: of somebody who signs in to the console, or of somebody
// whose phone rings. The audit chain stays whole: an erased value leaves its commitment.
type Erasures struct{ *scope }

// Erasures returns the tenant's Erasures.
func (s *Scope) Erasures() Erasures { return Erasures{&s.scope} }

// erasing is who is erased; it is stored sealed until that is done.
type erasing struct {
	User    tenants.UserID `json:"user,omitempty"`
	Person  string         `json:"person,omitempty"`
	Targets []string       `json:"targets"` // ids of what is theirs: what the audit log says of these names them
	Words   []string       `json:"words"`   // their address, name or reference
}

type erasureRow struct {
	TenantID, ID uuid
	Kind         string
	Sealed       []byte
	Seq, Gone    int64
}

// erasureStep is how many rows one commit looks at or changes.
const erasureStep = 500

// Member erases somebody who signs in. They stop being a member at once. It refuses the last owner.
func (s Erasures) Member(ctx context.Context, user tenants.UserID) error {
	err := s.write(ctx, func(t *tx) error {
		var was personRow
		if err := s.people(t.db()).Where("members.user_id = ?", uuid(user)).Take(&was).Error; err != nil {
			return missing(err, "member")
		}
		if was.Row.Role == string(tenants.Owner) {
			if err := t.people().notLast(s.scope); err != nil {
				return err
			}
		}
		for _, q := range []string{"DELETE FROM members WHERE tenant_id = ? AND user_id = ?",
			"DELETE FROM sign_ins WHERE tenant_id = ? AND user_id = ?", "DELETE FROM saved_views WHERE tenant_id = ? AND user_id = ?",
			"DELETE FROM list_columns WHERE tenant_id = ? AND user_id = ?",
			"DELETE FROM digests WHERE tenant_id = ? AND user_id = ?", "DELETE FROM digest_off WHERE tenant_id = ? AND user_id = ?",
			"DELETE FROM oidc_subjects WHERE tenant_id = ? AND user_id = ?"} {
			if _, err := t.exec(q, uuid(s.id), uuid(user)); err != nil {
				return err
			}
		}
		return s.begin(t, "member.erase", erasing{User: user, Targets: []string{string(user)}, Words: []string{was.Email, was.Name}})
	})
	s.revoke(err)
	return err
}

// Person erases somebody whose phone rings, by their reference: their devices, consents, notes and
// recordings, and their name in rings, groups and the audit log. It refuses a reference that
// nothing has. The lists of API keys keep it, because a key without its list could ring everybody.
func (s Erasures) Person(ctx context.Context, person string) error {
	low := s.s.db.dialect.lower("to_person")
	removed, err := s.removed(ctx, low, person)
	if err != nil {
		return translate(err)
	}
	return s.write(ctx, func(t *tx) error {
		rows, err := t.query(ctx, "SELECT id FROM devices WHERE tenant_id = ? AND person = ?", uuid(s.id), person)
		devices, err := collect(rows, err, func(id *uuid) []any { return []any{id} })
		if err != nil {
			return err
		}
		known := len(devices) > 0
		for _, q := range []string{"SELECT COUNT(*) FROM (SELECT 1 FROM consents WHERE tenant_id = ? AND person = ? LIMIT 1) AS x",
			"SELECT COUNT(*) FROM (SELECT 1 FROM group_members WHERE tenant_id = ? AND person = ? LIMIT 1) AS x",
			"SELECT COUNT(*) FROM (SELECT 1 FROM rings WHERE tenant_id = ? AND " + low + " = LOWER(?) AND to_person = ? AND " +
				"to_person <> '' LIMIT 1) AS x"} {
			var n int64
			if known {
				break
			}
			if err := t.row(q, []any{uuid(s.id), person, person}[:strings.Count(q, "?")], &n); err != nil {
				return err
			}
			known = n > 0
		}
		if !known || person == "" {
			return tenants.NoSuch("person")
		}
		e := erasing{Person: person, Words: []string{person}}
		for _, id := range append(devices, removed...) {
			e.Targets = append(e.Targets, string(id))
		}
		return s.begin(t, "person.erase", e)
	})
}

// begin stores who is erased. The audit row names nobody.
func (s Erasures) begin(t *tx, action string, e erasing) error {
	id := uuid(tenants.NewID[tenants.RingID](s.s.now()))
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	sealed, err := s.s.seal.Seal(text, sealedErasure(s.id, string(id))...)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	kind, _, _ := strings.Cut(action, ".")
	if _, err := t.exec("INSERT INTO erasures (tenant_id, id, kind, sealed, seq, values_gone, created_at) VALUES (?, ?, ?, ?, 0, 0, ?)",
		uuid(s.id), id, kind, sealed, micros(s.s.now())); err != nil {
		return err
	}
	return t.audit(s.scope, action, string(id), "")
}

func sealedErasure(t tenants.TenantID, id string) []string {
	return []string{string(t), "erasures", id}
}

// Under is how many erasures are not done yet.
func (s Erasures) Under(ctx context.Context) (int64, error) {
	return one(s.reads().query(ctx, "SELECT COUNT(*) FROM erasures WHERE tenant_id = ?", uuid(s.id)))
}

// Erase does a part of each erasure, and says how many have more parts: call it until that is none,
// with a breath between. One that fails is in the error and stops none of the others.
func (s Jobs) Erase(ctx context.Context) (left int, err error) {
	rows, err := s.db.through(allTenants).query(ctx, "SELECT tenant_id, id, kind, sealed, seq, values_gone FROM erasures "+
		"ORDER BY created_at LIMIT 50")
	due, err := collect(rows, err, func(r *erasureRow) []any {
		return []any{&r.TenantID, &r.ID, &r.Kind, &r.Sealed, &r.Seq, &r.Gone}
	})
	if err != nil {
		return 0, translate(err)
	}
	var failed []error
	for _, row := range due {
		x := Erasures{s.of(tenants.TenantID(row.TenantID))}
		plain, err := s.seal.Open(row.Sealed, sealedErasure(x.id, string(row.ID))...)
		var e erasing
		if err == nil {
			err = json.Unmarshal(plain, &e)
		}
		done := false
		if err == nil {
			done, err = x.part(ctx, row, e)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("store: erasure %s: %w", row.ID, err))
		} else if !done {
			left++
		}
	}
	return left, errors.Join(failed...)
}

// part does one step: some rows of a table, then some of the audit log, then the end. Once the
// audit log has begun, the tables are done.
func (s Erasures) part(ctx context.Context, row erasureRow, e erasing) (done bool, err error) {
	if row.Seq == 0 {
		if done, err := s.tables(ctx, e); err != nil || !done {
			return false, err
		}
	}
	last, err := s.whole(ctx)
	if err != nil {
		return false, err
	}
	if row.Seq < last {
		return false, s.auditPart(ctx, row, e)
	}
	if err := s.told(ctx, e); err != nil {
		return false, err
	}
	return true, s.write(ctx, func(t *tx) error {
		n, err := t.change("DELETE FROM erasures WHERE tenant_id = ? AND id = ?", row.TenantID, row.ID)
		if err != nil || n == 0 { // another node has ended it
			return err
		}
		if e.User != "" {
			was := t.access
			t.access = allTenants // an account that no other tenant knows goes
			_, err := t.exec("DELETE FROM users WHERE id = ? AND NOT EXISTS (SELECT 1 FROM members m WHERE m.user_id = users.id) AND NOT "+
				"EXISTS (SELECT 1 FROM partners p WHERE p.user_id = users.id)", uuid(e.User))
			if t.access = was; err != nil {
				return err
			}
		}
		return t.audit(s.scope, row.Kind+".erased", string(row.ID), tenants.FormatCount(row.Gone)+" values of the audit log")
	})
}

// tables does one step outside of the audit log.
func (s Erasures) tables(ctx context.Context, e erasing) (done bool, err error) {
	if e.Person != "" {
		if err := errors.Join(s.phones(ctx, e.Person), s.eventsOf(ctx, e.Person), s.planned(ctx, e.Person)); err != nil {
			return false, err
		}
	}
	for _, step := range s.steps(e) {
		var n int64
		err := s.s.w.do(ctx, s.access(), func(t *tx) (err error) {
			n, err = t.change(step.query, step.args...)
			return err
		})
		if err != nil || n > 0 && step.again {
			return false, err
		}
	}
	n, err := s.ringsOf(ctx, e.User)
	return n == 0 && err == nil, err
}

// ringsOf takes the name of who placed them from some rings. They are looked for outside of the
// writer: no index finds them.
func (s Erasures) ringsOf(ctx context.Context, user tenants.UserID) (int, error) {
	if user == "" {
		return 0, nil
	}
	rows, err := s.reads().query(ctx, "SELECT id FROM rings WHERE tenant_id = ? AND by_id = ? AND by_name <> '' LIMIT ?", uuid(s.id),
		uuid(user), erasureStep)
	ids, err := collect(rows, err, func(id *tenants.RingID) []any { return []any{(*uuid)(id)} })
	if err != nil || len(ids) == 0 {
		return 0, translate(err)
	}
	return len(ids), s.s.w.do(ctx, s.access(), func(t *tx) error {
		_, err := t.exec("UPDATE rings SET by_name = '' WHERE tenant_id = ? AND id IN ("+marks(len(ids))+")", some(s.id, ids)...)
		return err
	})
}

// erasureQuery changes rows; again says that it changes some at a time, until there are none.
type erasureQuery struct {
	query string
	args  []any
	again bool
}

func (s Erasures) steps(e erasing) []erasureQuery {
	tenant := uuid(s.id)
	once := func(query string, args ...any) erasureQuery {
		return erasureQuery{query: query, args: append([]any{tenant}, args...)}
	}
	few := func(query string, args ...any) erasureQuery {
		return erasureQuery{query: query, args: append([]any{tenant, tenant}, args...), again: true}
	}
	if e.User != "" {
		u := uuid(e.User)
		return []erasureQuery{
			once("UPDATE keys SET maker = '' WHERE tenant_id = ? AND made_by = ?", u),
			once("UPDATE pairings SET by_name = '' WHERE tenant_id = ? AND by_id = ?", u),
			once("UPDATE consents SET by_name = '' WHERE tenant_id = ? AND by_id = ?", u),
			once("UPDATE invitations SET by_name = '' WHERE tenant_id = ? AND by_id = ?", u),
			once("DELETE FROM invitations WHERE tenant_id = ? AND email = ?", e.Words[0]),
			once("UPDATE exports SET by_name = '' WHERE tenant_id = ? AND by_id = ?", u),
			once("UPDATE recording_rules SET set_by = '' WHERE tenant_id = ? AND set_by = ?", e.Words[1]),
		}
	}
	p, low := e.Person, s.s.db.dialect.lower("to_person")
	all := []erasureQuery{
		once("DELETE FROM group_members WHERE tenant_id = ? AND person = ?", p),
		once("DELETE FROM consents WHERE tenant_id = ? AND person = ?", p),
		once("DELETE FROM pairings WHERE tenant_id = ? AND person = ?", p),
		few("DELETE FROM recordings WHERE tenant_id = ? AND ring_id IN (SELECT ring_id FROM recordings WHERE tenant_id = ? AND person = ? "+
			"LIMIT ?)", p, retireRecordings),
		few("DELETE FROM notes WHERE tenant_id = ? AND ring_id IN (SELECT ring_id FROM notes WHERE tenant_id = ? AND person = ? LIMIT ?)",
			p, erasureStep),
		few("UPDATE rings SET to_person = '', caller = '', reference = '' WHERE tenant_id = ? AND id IN (SELECT id FROM rings WHERE "+
			"tenant_id = ? AND "+low+" = LOWER(?) AND to_person = ? AND to_person <> '' LIMIT ?)", p, p, erasureStep),
	}
	for _, id := range e.Targets {
		all = append(all, once("UPDATE alerts SET detail = '' WHERE tenant_id = ? AND target = ?", id))
	}
	return all
}

// auditPart erases the values of some audit rows that name the person.
func (s Erasures) auditPart(ctx context.Context, row erasureRow, e erasing) error {
	rows, err := s.reads().query(ctx, "SELECT "+auditColumns+" FROM audits WHERE tenant_id = ? AND seq > ? ORDER BY seq LIMIT ?",
		uuid(s.id), row.Seq, verifyStep)
	found, err := collect(rows, err, (*auditRow).fields)
	if err != nil || len(found) == 0 {
		return errors.Join(translate(err), errNoRows(len(found)))
	}
	return s.s.w.do(ctx, s.access(), func(t *tx) error {
		gone := row.Gone
		for i := range found {
			a := found[i].noun()
			n := e.erase(&a)
			if n == 0 {
				continue
			}
			gone += int64(n)
			set, err := writeChanges(a.Changes)
			if err != nil {
				return err
			}
			if _, err := t.exec("UPDATE audits SET actor_name = ?, target = ?, target_name = ?, detail = ?, changes = ?, ip = ?, "+
				"salts = ?, erased = ? WHERE tenant_id = ? AND seq = ?", a.Actor.Name, a.Target, a.TargetName, a.Detail, set, a.IP,
				saltsOf(&a), erasedOf(&a), uuid(s.id), a.Seq); err != nil {
				return err
			}
		}
		_, err := t.exec("UPDATE erasures SET seq = ?, values_gone = ? WHERE tenant_id = ? AND id = ?", found[len(found)-1].Seq, gone,
			row.TenantID, row.ID)
		return err
	})
}

func errNoRows(n int) error {
	if n > 0 {
		return nil
	}
	return errors.New("store: audit rows went while they were read")
}

// erase erases the values of a row that name the person, and says how many.
func (e erasing) erase(a *tenants.Audit) (n int) {
	for _, v := range e.naming(a) {
		if a.Erase(v) {
			n++
		}
	}
	return n
}

// naming are the values of a row that name the person. An address is only theirs where they made
// the change: as text, "192.0" would find everybody's.
func (e erasing) naming(a *tenants.Audit) (all []tenants.AuditValue) {
	theirs := slices.Contains(e.Targets, a.Target)
	did := e.User != "" && a.Actor.Kind == tenants.ActorUser && a.Actor.ID == string(e.User) || slices.Contains(e.Targets, a.Actor.ID)
	if did && a.IP != "" {
		all = append(all, tenants.AuditAddress)
	}
	for _, v := range []struct {
		value tenants.AuditValue
		text  string
		mine  bool
	}{
		{tenants.AuditActorName, a.Actor.Name, did}, {tenants.AuditTarget, a.Target, false},
		{tenants.AuditTargetName, a.TargetName, theirs}, {tenants.AuditDetail, a.Detail, theirs},
		{tenants.AuditChanges, changesText(a.Changes), theirs},
	} {
		if v.text != "" && (v.mine || e.names(v.text)) {
			all = append(all, v.value)
		}
	}
	return all
}

func changesText(all []tenants.Change) string {
	var b strings.Builder
	for _, c := range all {
		b.WriteString(c.Before + "\n" + c.After + "\n")
	}
	return b.String()
}

// names reports whether a text holds one of the words, in any case.
func (e erasing) names(text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(e.Words, func(w string) bool { return w != "" && holds(text, strings.ToLower(w)) })
}

// holds reports whether a text has the word, and not only as a part of a longer word, name or
// address: "anna" is not in "joanna", "anna-2" or "anna@example.com". A sign that ends a sentence
// is no part of a word.
func holds(text, word string) bool {
	const signs = ".-_@"
	inWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	for at := 0; ; {
		i := strings.Index(text[at:], word)
		if i < 0 {
			return false
		}
		from, to := at+i, at+i+len(word)
		before, _ := utf8.DecodeLastRuneInString(strings.TrimRight(text[:from], signs))
		after, _ := utf8.DecodeRuneInString(strings.TrimLeft(text[to:], signs))
		if !inWord(before) && !inWord(after) {
			return true
		}
		_, size := utf8.DecodeRuneInString(text[from:])
		at = from + size
	}
}

// erasedOf is what is left of erased values, as proofs reads it.
func erasedOf(a *tenants.Audit) []byte {
	out := []byte{}
	for v, hash := range a.Erased {
		if hash != (tenants.AuditHash{}) {
			out = append(append(out, byte(v)), hash[:]...)
		}
	}
	return out
}
