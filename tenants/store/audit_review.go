package store

import (
	"context"
	"crypto/ed25519"
	"strconv"
	"unicode/utf8"

	"carillon/tenants"
)

// AuditSince is what the record has behind an entry, without the changes of rings.
type AuditSince struct {
	After, Last, Signed int64 // the entry; the newest of all; the newest that is signed
	Entries             int64 // at most sinceMost are counted
	ByPeople            int64
	ByPrograms          int64
	Refused             int64
}

// sinceMost bounds the entries that are counted.
const sinceMost = 50_000

// Since counts what is behind an entry.
func (s Audits) Since(ctx context.Context, after int64) (AuditSince, error) {
	f := AuditSince{After: after}
	type group struct {
		kind, result string
		n            int64
	}
	rows, err := s.reads().query(ctx, "SELECT actor_kind, result, COUNT(*) FROM (SELECT actor_kind, result FROM audits"+
		s.s.db.dialect.by("audits_changes")+" WHERE tenant_id = ? AND "+withoutRings+" AND seq > ? ORDER BY seq "+
		"LIMIT ?) AS fresh GROUP BY actor_kind, result", uuid(s.id), after, sinceMost)
	found, err := collect(rows, err, func(g *group) []any { return []any{&g.kind, &g.result, &g.n} })
	if err != nil {
		return f, translate(err)
	}
	for _, g := range found {
		f.Entries += g.n
		switch tenants.ActorKind(g.kind) {
		case tenants.ActorUser:
			f.ByPeople += g.n
		case tenants.ActorKey, tenants.ActorDevice:
			f.ByPrograms += g.n
		}
		if g.result == tenants.AuditRefused {
			f.Refused += g.n
		}
	}
	if f.Last, err = s.lastSeq(ctx); err != nil {
		return f, err
	}
	f.Signed, err = one(s.reads().query(ctx, "SELECT COALESCE(MAX(seq), 0) FROM audit_heads WHERE tenant_id = ?", uuid(s.id)))
	return f, err
}

// reviewNote is the length of a note, in characters.
const reviewNote = 1000

// Review signs off the entries up to one: an entry of its own, with the note. A review without a
// note, and one of entries that are not there, are refused.
func (s Audits) Review(ctx context.Context, upto int64, note string) error {
	if n := utf8.RuneCountInString(note); n == 0 || n > reviewNote {
		return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "Please correct the fields below.",
			Fields: []tenants.Field{{Name: "note", Message: "say in 1 to 1,000 characters what you found"}}}
	}
	return s.write(ctx, func(t *tx) error {
		if upto <= 0 || upto > t.audits[s.id].seq {
			return tenants.Refuse(tenants.Conflict, "no_entries", "These entries are not there. Load the page again.")
		}
		return t.audit(s.scope, "audit.review", strconv.FormatInt(upto, 10), note)
	})
}

// SignEvidence signs a manifest of evidence with the key of the chains: "carillon audit evidence",
// a zero byte and the manifest.
func (s *Store) SignEvidence(ctx context.Context, manifest []byte) ([]byte, error) {
	key, err := s.auditKey(ctx)
	if err != nil {
		return nil, err
	}
	return ed25519.Sign(key.private, append([]byte("carillon audit evidence\x00"), manifest...)), nil
}
