package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"carillon/tenants"
)

type notesRow struct {
	TenantID uuid
	RingID   uuid
	Version  int64
	Person   string
	Updated  int64
	Sealed   []byte
}

const notesColumns = "tenant_id, ring_id, version, person, updated_at, sealed"

func (r *notesRow) fields() []any {
	return []any{&r.TenantID, &r.RingID, &r.Version, &r.Person, &r.Updated, &r.Sealed}
}

// notesDocument is what is sealed. Its names are short, because a call may have thousands of lines.
type notesDocument struct {
	Lines   []noteLine `json:"l,omitempty"`
	Summary string     `json:"s,omitempty"`
}

type noteLine struct {
	Who  tenants.Speaker `json:"w"`
	At   int64           `json:"a"` // microseconds
	Text string          `json:"t"`
}

// Notes are what agents wrote down about the tenant's calls. They are sealed, and kept as long as
// the tenant's plan says, at most as long as their ring.
type Notes struct{ *scope }

// Notes returns the tenant's Notes.
func (s *Scope) Notes() Notes { return Notes{&s.scope} }

func (s *scope) sealedNotes(ring tenants.RingID) []string {
	return []string{string(s.id), "notes", string(ring)}
}

// noteTries is how often Add starts again because somebody else changed the same notes.
const noteTries = 5

// Add adds notes to those of a call and says how many lines are new; see tenants.Notes.Merge. It
// refuses a ring that nobody answered with Conflict, and one past its retention with Gone. The
// document is opened and sealed outside of the writer, so that rings do not wait for it.
func (s Notes) Add(ctx context.Context, ring tenants.RingID, more tenants.Notes) (all tenants.Notes, added int, err error) {
	r, err := s.ring(ctx, s.reads(), ring, "")
	if err != nil {
		return all, 0, translate(err)
	}
	if r.Call == nil {
		return all, 0, tenants.Refuse(tenants.Conflict, "no_call",
			"Nobody has answered this ring, so there is no call to write about. Send notes during the call or after it.")
	}
	if old, err := s.pastRetention(ctx, r.CreatedAt); err != nil || old {
		if err == nil {
			err = tenants.Refuse(tenants.Gone, "past_retention",
				"Notes of this call are no longer kept: it is older than your plan's retention.")
		}
		return all, 0, err
	}
	person, err := s.personOf(ctx, r)
	if err != nil {
		return all, 0, err
	}
	for range noteTries {
		row, old, err := s.notes(ctx, ring)
		if err != nil {
			return all, 0, err
		}
		if all, added, err = old.Merge(more); err != nil || added == 0 && all.Summary == old.Summary {
			return all, added, err
		}
		row.Person = person
		if done, err := s.put(ctx, ring, row, all); err != nil || done {
			return all, added, err
		}
	}
	return all, 0, tenants.Refuse(tenants.Unavailable, "unavailable", "Other requests changed these notes at the same moment. Try again.")
}

// put writes the notes if their version is still that of row. It reports whether it did.
func (s Notes) put(ctx context.Context, ring tenants.RingID, row notesRow, n tenants.Notes) (done bool, err error) {
	doc := notesDocument{Summary: n.Summary, Lines: make([]noteLine, len(n.Lines))}
	for i, l := range n.Lines {
		doc.Lines[i] = noteLine{l.Who, micros(l.At), l.Text}
	}
	plain, err := json.Marshal(doc)
	if err != nil {
		return false, fmt.Errorf("store: notes of ring %s: %w", ring, err)
	}
	blob, err := s.s.seal.Seal(plain, s.sealedNotes(ring)...)
	if err != nil {
		return false, fmt.Errorf("store: notes of ring %s: %w", ring, err)
	}
	now := micros(s.s.now())
	err = s.write(ctx, func(t *tx) error {
		done = false
		var n int64
		var err error
		if row.Version == 0 {
			n, err = t.change("INSERT INTO notes ("+notesColumns+") VALUES ("+places(notesColumns)+
				") ON CONFLICT (tenant_id, ring_id) DO NOTHING",
				uuid(s.id), uuid(ring), int64(1), row.Person, now, blob)
		} else {
			n, err = t.change("UPDATE notes SET version = version + 1, person = ?, updated_at = ?, sealed = ? "+
				"WHERE tenant_id = ? AND ring_id = ? AND version = ?", row.Person, now, blob, uuid(s.id), uuid(ring), row.Version)
		}
		if err != nil || n == 0 {
			return err
		}
		done = true
		if err := t.tell(s.scope, tenants.EventNoteAdded, ring, tenants.NoteData{Ring: ring, Lines: len(doc.Lines),
			Summary: doc.Summary != ""}); err != nil {
			return err
		}
		return t.audit(s.scope, "note.add", string(ring), "")
	})
	return done, err
}

// notes reads and opens the notes of a ring; without any, the row has version 0.
func (s *scope) notes(ctx context.Context, ring tenants.RingID) (notesRow, tenants.Notes, error) {
	rows, err := s.reads().query(ctx, "SELECT "+notesColumns+" FROM notes WHERE tenant_id = ? AND ring_id = ?", uuid(s.id), uuid(ring))
	found, err := collect(rows, err, (*notesRow).fields)
	if err != nil || len(found) == 0 {
		return notesRow{}, tenants.Notes{}, translate(err)
	}
	plain, err := s.s.seal.Open(found[0].Sealed, s.sealedNotes(ring)...)
	if err != nil {
		return notesRow{}, tenants.Notes{}, fmt.Errorf("store: notes of ring %s: %w", ring, err)
	}
	var doc notesDocument
	if err := json.Unmarshal(plain, &doc); err != nil {
		return notesRow{}, tenants.Notes{}, fmt.Errorf("store: notes of ring %s: %w", ring, err)
	}
	n := tenants.Notes{Summary: doc.Summary, Lines: make([]tenants.NoteLine, len(doc.Lines))}
	for i, l := range doc.Lines {
		n.Lines[i] = tenants.NoteLine{Who: l.Who, At: moment(l.At), Text: l.Text}
	}
	return found[0], n, nil
}

// Get returns the notes of a ring, which may be empty, and when they were last changed.
func (s Notes) Get(ctx context.Context, ring tenants.RingID) (tenants.Notes, time.Time, error) {
	row, n, err := s.notes(ctx, ring)
	if err == nil && row.Version == 0 {
		_, err = Rings(s).Get(ctx, ring)
	}
	return n, moment(row.Updated), err
}

// Read is Get for somebody who looks at the notes: a person, or a program with a key. Where a name
// alone reveals something (see tenants.Rules.Opaque), each reading is in the audit log.
func (s Notes) Read(ctx context.Context, ring tenants.RingID) (tenants.Notes, time.Time, error) {
	n, changed, err := s.Get(ctx, ring)
	if err != nil || changed.IsZero() {
		return n, changed, err
	}
	t, err := s.tenant(ctx)
	if err == nil && t.Opaque() {
		err = Audits(s).Add(ctx, "note.read", string(ring), "")
	}
	if err != nil {
		return tenants.Notes{}, time.Time{}, err
	}
	return n, changed, nil
}

// Person is the person whose notes Erase would remove; empty = nobody is named, and it is this call
// alone.
func (s Notes) Person(ctx context.Context, ring tenants.RingID) (string, error) {
	r, err := s.ring(ctx, s.reads(), ring, "")
	if err != nil {
		return "", translate(err)
	}
	return s.personOf(ctx, r)
}

// personOf is the person whose call a ring was: the one it was for, or the one whose device
// answered.
func (s *scope) personOf(ctx context.Context, r *tenants.Ring) (string, error) {
	if r.To.Person != "" || r.Call == nil {
		return r.To.Person, nil
	}
	d, err := Devices{s}.Get(ctx, r.Call.Device)
	if tenants.KindOf(err) == tenants.Unknown {
		return "", nil // removed since
	}
	return d.Person, err
}

// retention is how long the tenant's plan keeps what was said; 0 = as long as the ring.
func (s *scope) retention(ctx context.Context) (time.Duration, error) {
	sub, ok, err := s.subscription(ctx, s.reads(), "")
	if err != nil || !ok {
		return 0, err
	}
	return time.Duration(s.s.plan(sub.Plan).Retention) * 24 * time.Hour, nil
}

func (s *scope) pastRetention(ctx context.Context, at time.Time) (bool, error) {
	keep, err := s.retention(ctx)
	return keep > 0 && s.s.now().Sub(at) >= keep, err
}

// Erase removes what was said in the calls of a ring's person, notes and recordings: of every call
// of that person, or of this call alone if it names nobody. The rings stay, without it. It says how
// many notes and recordings that were.
func (s Notes) Erase(ctx context.Context, ring tenants.RingID) (removed int64, err error) {
	r, err := s.ring(ctx, s.reads(), ring, "")
	if err != nil {
		return 0, translate(err)
	}
	person, err := s.personOf(ctx, r)
	if err != nil {
		return 0, err
	}
	return removed, s.write(ctx, func(t *tx) error {
		const ofPerson = " WHERE tenant_id = ? AND (ring_id = ? OR person <> '' AND person = ?)"
		notes, err := t.change("DELETE FROM notes"+ofPerson, uuid(s.id), uuid(ring), person)
		if err != nil {
			return err
		}
		recordings, err := t.change("DELETE FROM recordings"+ofPerson, uuid(s.id), uuid(ring), person) // chunks go too
		if removed = notes + recordings; err != nil || removed == 0 {
			return err
		}
		return t.audit(s.scope, "note.erase", string(ring), fmt.Sprintf("notes of %d calls, recordings of %d", notes, recordings))
	})
}
