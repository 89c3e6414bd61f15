package store

import (
	"context"
	"strings"

	"gorm.io/gorm"

	"carillon/tenants"
)

// recordOfOperators is in place of a tenant in the hashes of the record of operators.
const recordOfOperators = tenants.TenantID(nilUUID)

// audit adds an entry to the record of operators. The row of the chain's end is held until
// the commit, so that entries of several nodes do not have the same number. A transaction that also
// writes a tenant's record holds the tenant's row first.
func (t operatorsTx) audit(s *core, by Who, e auditEntry) error {
	if by.Kind == "" {
		by.Actor = tenants.System
	}
	if err := t.flush(); err != nil {
		return err
	}
	var seq int64
	var hash []byte
	if err := t.row("SELECT seq, hash FROM operator_chain WHERE n = 1"+t.d.dialect.hold(), nil, &seq, &hash); err != nil {
		return err
	}
	e = e.clean()
	set, err := writeChanges(e.changes)
	if err != nil {
		return err
	}
	var before tenants.AuditHash
	copy(before[:], hash)
	by.IP, by.RequestID = validUTF8(by.IP), validUTF8(by.RequestID)
	by.Actor.Name = validUTF8(by.Actor.Name)
	a := tenants.Audit{Seq: seq + 1, At: stored(s.now()), Actor: by.Actor, Action: e.action, Target: e.target, TargetName: e.name,
		Detail: e.detail, Changes: e.changes, Refused: e.refused, IP: by.IP, RequestID: by.RequestID, Times: 1}
	a.Salt()
	next := a.Chained(before, recordOfOperators)
	if _, err := t.exec("INSERT INTO operator_audits ("+auditColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		a.Seq, micros(a.At), string(a.Actor.Kind), uuid(a.Actor.ID), a.Actor.Name, a.Action, a.Target, a.Detail, a.IP, a.RequestID,
		a.Times, int64(0), a.TargetName, set, result(a.Refused), saltsOf(&a), []byte{}, next[:]); err != nil {
		return err
	}
	_, err = t.exec("UPDATE operator_chain SET seq = ?, hash = ? WHERE n = 1", a.Seq, next[:])
	return err
}

// Record adds an entry that goes with no change of its own, such as a refused attempt.
func (s Operators) Record(ctx context.Context, by Who, action, target, name, detail string, refused bool) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		return t.operators().audit(s.core, by, auditEntry{action: action, target: target, name: name, detail: detail, refused: refused})
	})
}

var operatorAuditOrders = orders[auditRow]{"created", map[Sort]order[auditRow]{
	"created": by("seq", func(r auditRow) []any { return []any{r.Seq} }),
}}

// OperatorAuditQuery asks for a page of the record of operators. The search looks at names, actions
// and details.
type OperatorAuditQuery struct {
	Page
	Target  string // a tenant or an operator
	Refused bool   // refused attempts only
	// Meant are the actions that a word of the search means too: pages may say them in other words.
	Meant func(word string) []string
}

func (s Operators) audits(ctx context.Context, q OperatorAuditQuery) *gorm.DB {
	db := s.db.through(noTenant).gorm(ctx).Table("operator_audits")
	if q.Target != "" {
		db = db.Where("target = ?", q.Target)
	}
	if q.Refused {
		db = db.Where("result = ?", tenants.AuditRefused)
	}
	if q.Search != "" {
		words := strings.Fields(strings.ToLower(q.Search))
		if len(words) == 0 { // signs that are no letters
			words = []string{q.Search}
		}
		for _, word := range words {
			found, args := s.db.dialect.alike(word, "actor_name", "action", "target_name", "detail")
			if plain := tenants.Unaccented(word); q.Meant != nil && plain != "" {
				if meant := q.Meant(plain); len(meant) > 0 {
					found, args = "("+found+") OR action IN ?", append(args, meant)
				}
			}
			db = db.Where("("+found+")", args...)
		}
	}
	return db
}

// Audits lists the record of operators.
func (s Operators) Audits(ctx context.Context, q OperatorAuditQuery) ([]tenants.Audit, string, error) {
	rows, next, err := list(s.audits(ctx, q).Select(auditColumns), q.Page, operatorAuditOrders)
	return nouns(rows, auditRow.noun), next, err
}

// AuditsTotal counts the entries that Audits finds. All of them are as many as the chain is long.
func (s Operators) AuditsTotal(ctx context.Context, q OperatorAuditQuery) (Total, error) {
	if q.Target != "" || q.Refused || q.Search != "" {
		return totalOf(s.audits(ctx, q))
	}
	n, err := one(s.db.through(noTenant).query(ctx, "SELECT seq FROM operator_chain WHERE n = 1"))
	return Total{N: n}, err
}

// VerifyAudits checks the chain of the record of operators from its first entry to its last. fault
// is nil where it is whole. The length is read first: entries that come while it checks are not
// missing.
func (s Operators) VerifyAudits(ctx context.Context) (entries int64, fault *tenants.AuditFault, err error) {
	total, err := s.AuditsTotal(ctx, OperatorAuditQuery{})
	if err != nil {
		return 0, nil, err
	}
	var before tenants.AuditHash
	for {
		rows, err := s.db.through(noTenant).query(ctx, "SELECT "+auditColumns+" FROM operator_audits WHERE seq > ? ORDER BY seq LIMIT ?",
			entries, verifyStep)
		found, err := collect(rows, err, (*auditRow).fields)
		if err != nil {
			return entries, nil, translate(err)
		}
		for i := range found {
			a := found[i].noun()
			if a.Seq != entries+1 {
				return entries, &tenants.AuditFault{Seq: entries + 1, Code: "missing", Why: "An entry is missing."}, nil
			}
			if a.Chained(before, recordOfOperators) != a.Hash {
				return entries, &tenants.AuditFault{Seq: a.Seq, Code: "changed", Why: "An entry was changed."}, nil
			}
			entries, before = a.Seq, a.Hash
		}
		if len(found) < verifyStep {
			break
		}
	}
	if total.N > entries {
		fault = &tenants.AuditFault{Seq: entries + 1, Code: "cut", Why: "The end of the record was cut off."}
	}
	return entries, fault, nil
}

func validUTF8(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// ofTenant adds what an operator does to a tenant to the record of operators.
func (t operatorsTx) ofTenant(s *scope, e auditEntry) error {
	var name string
	if err := t.row("SELECT name FROM tenants WHERE id = ?", []any{uuid(s.id)}, &name); err != nil {
		return missing(err, "tenant")
	}
	detail := e.detail
	if len(e.changes) == 0 && e.target != string(s.id) && e.target != "" {
		detail = strings.TrimPrefix(e.target+": "+detail, ": ")
	}
	return t.audit(s.s, s.who, auditEntry{action: e.action, target: string(s.id), name: name,
		detail: strings.TrimSuffix(detail, ": "), changes: e.changes, refused: e.refused})
}
