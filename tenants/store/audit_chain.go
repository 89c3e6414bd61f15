package store

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"carillon/tenants"
)

// auditTip is the end of a tenant's chain. Every row is hashed in the transaction that writes it;
// tenants.Audit.Chained says how.
type auditTip struct {
	seq  int64
	hash tenants.AuditHash
}

// saltsOf are the salts of the values that are there, as a row keeps them.
func saltsOf(a *tenants.Audit) []byte {
	out := make([]byte, 0, 3*len(a.Salts[0]))
	for v := range a.Salts {
		if a.Committed(tenants.AuditValue(v)) {
			out = append(out, a.Salts[v][:]...)
		}
	}
	return out
}

// proofs reads what saltsOf wrote, and the number and hash of each erased value. What does not fit
// is left out, and the chain then does not fit either.
func (r *auditRow) proofs(a *tenants.Audit) {
	salts := r.Salts
	for v := range a.Salts {
		if n := len(a.Salts[v]); a.Committed(tenants.AuditValue(v)) && len(salts) >= n {
			copy(a.Salts[v][:], salts)
			salts = salts[n:]
		}
	}
	for left := r.Erased; len(left) > len(tenants.AuditHash{}); left = left[1+len(tenants.AuditHash{}):] {
		if int(left[0]) < len(a.Erased) {
			copy(a.Erased[left[0]][:], left[1:])
		}
	}
	copy(a.Hash[:], r.Hash)
}

// chainStep is how many rows of an earlier version one commit chains.
const chainStep = 2000

// unchained ends a write of a tenant with more rows without a hash than one commit chains. The
// writer chains them in commits of their own, and runs the write again.
type unchained struct{ tenant tenants.TenantID }

func (u unchained) Error() string {
	return "store: audit rows of tenant " + string(u.tenant) + " have no hash yet"
}

// chainRest chains the rows at the end that have no hash: those of a version without chains that
// runs beside this one. It returns unchained where they are too many.
func (t *tx) chainRest(id tenants.TenantID, last int64) (auditTip, error) {
	tip, err := t.chained(id)
	if err != nil || tip.seq == last {
		return tip, err
	}
	if last-tip.seq > chainStep {
		return tip, unchained{id}
	}
	tip, _, err = t.chainNext(id, tip)
	return tip, err
}

// chainPart chains the next rows of an earlier version in a commit of its own, and reports whether
// there may be more. tip is where the part before it ended, or zero.
func (t *tx) chainPart(id tenants.TenantID, tip auditTip) (auditTip, bool, error) {
	var open int64
	last, hash, err := tips{t}.last(id) // holds the tenant's row: one node chains at a time
	if err != nil {
		return tip, false, missing(err, "tenant")
	}
	if last == 0 || len(hash) > 0 {
		return tip, false, nil
	}
	if err := t.row("SELECT COUNT(*) FROM audits WHERE tenant_id = ? AND seq = ? AND length(hash) = 0", []any{uuid(id), tip.seq + 1},
		&open); err != nil {
		return tip, false, err
	}
	if open == 0 || tip.seq == 0 { // another node was here, or this is the first part
		var err error
		if tip, err = t.chained(id); err != nil {
			return tip, false, err
		}
	}
	return t.chainNext(id, tip)
}

// chain chains what a version without chains wrote for a tenant, some rows in a commit. said, if
// set, gets the seq that each part ended with.
func (w *writer) chain(ctx context.Context, id tenants.TenantID, said func(int64)) error {
	var tip auditTip
	for more := true; more; {
		from := tip // a job may run twice
		if err := w.once(ctx, &job{access: access(id), done: make(chan struct{}), run: func(t *tx) (err error) {
			tip, more, err = t.chainPart(id, from)
			return err
		}}); err != nil {
			return err
		}
		if said != nil {
			said(tip.seq)
		}
	}
	return nil
}

// whole chains what has no hash yet, and returns the last seq.
func (s *scope) whole(ctx context.Context) (int64, error) {
	last, err := s.lastSeq(ctx)
	if err != nil || last == 0 {
		return 0, err
	}
	_, err = s.hashOf(ctx, last)
	return last, err
}

// chained is the last row that has a hash. Without one it is zero.
func (t *tx) chained(id tenants.TenantID) (tip auditTip, err error) {
	var hash []byte
	err = t.row("SELECT seq, hash FROM audits WHERE tenant_id = ? AND length(hash) > 0 ORDER BY seq DESC LIMIT 1", []any{uuid(id)},
		&tip.seq, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return tip, nil
	}
	copy(tip.hash[:], hash)
	return tip, err
}

// chainNext chains the next rows behind tip, and reports whether there may be more.
func (t *tx) chainNext(id tenants.TenantID, tip auditTip) (auditTip, bool, error) {
	rows, err := t.query(context.Background(), "SELECT "+auditColumns+" FROM audits WHERE tenant_id = ? AND seq > ? AND "+
		"length(hash) = 0 ORDER BY seq LIMIT ?", uuid(id), tip.seq, chainStep)
	found, err := collect(rows, err, (*auditRow).fields)
	if err != nil {
		return tip, false, err
	}
	for i := range found {
		a := found[i].noun()
		a.Salt()
		tip = auditTip{a.Seq, a.Chained(tip.hash, tenants.TenantID(strings.ToLower(string(id))))}
		if _, err := t.exec("UPDATE audits SET salts = ?, hash = ? WHERE tenant_id = ? AND seq = ?", saltsOf(&a), tip.hash[:], uuid(id),
			a.Seq); err != nil {
			return tip, false, err
		}
	}
	if !t.d.dialect.isFile() && len(found) > 0 {
		_, err = t.exec("UPDATE tenants SET audit_hash = ? WHERE id = ? AND audit_seq = ?", tip.hash[:], uuid(id), tip.seq)
	}
	return tip, len(found) == chainStep, err
}

// chainAll chains the rows of earlier versions, of every tenant. What a crash cuts off is chained
// by the next write of the tenant.
func (s Jobs) chainAll(ctx context.Context, log *slog.Logger) error {
	rows, err := s.db.through(allTenants).query(ctx, "SELECT id FROM tenants ORDER BY id")
	ids, err := collect(rows, err, func(id *tenants.TenantID) []any { return []any{(*uuid)(id)} })
	for _, id := range ids {
		if err != nil {
			break
		}
		began := s.now()
		err = s.w.chain(ctx, id, func(seq int64) {
			if s.now().Sub(began) > 5*time.Second {
				began = s.now()
				log.Info("chaining the audit rows of an earlier version", "tenant", id, "rows", seq)
			}
		})
	}
	return translate(err)
}

// chainOld is chainAll for a database that was brought up to date just now.
func chainOld(ctx context.Context, db *database, c Config) error {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	w, err := newWriter(ctx, db, newCache(c.Now), c.Now, c.Log)
	if err != nil {
		return err
	}
	err = Jobs{&core{now: c.Now, db: db, w: w}}.chainAll(ctx, c.Log)
	return errors.Join(err, w.close())
}

// CloseRepeats writes a row for what was repeated within ten minutes of an earlier one, where they
// are over, of every tenant. It says how many rows that was.
func (s Jobs) CloseRepeats(ctx context.Context) (closed int, err error) {
	type due struct {
		tenant uuid
		seq    int64
	}
	rows, err := s.db.through(allTenants).query(ctx, "SELECT tenant_id, seq FROM audit_repeats WHERE due_at <= ? ORDER BY due_at LIMIT 500",
		micros(s.now()))
	found, err := collect(rows, err, func(d *due) []any { return []any{&d.tenant, &d.seq} })
	if err != nil {
		return 0, translate(err)
	}
	for _, d := range found {
		scope := s.of(tenants.TenantID(d.tenant))
		if err := scope.write(ctx, func(t *tx) error { return t.closeRepeat(scope, d.seq) }); err != nil {
			return closed, err
		}
		closed++
	}
	return closed, nil
}

func (t *tx) closeRepeat(s *scope, seq int64) error {
	var times, last int64
	err := t.row("SELECT times, last_at FROM audit_repeats WHERE tenant_id = ? AND seq = ?", []any{uuid(s.id), seq}, &times, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // another node was faster
	}
	if err != nil {
		return err
	}
	if _, err := t.exec("DELETE FROM audit_repeats WHERE tenant_id = ? AND seq = ?", uuid(s.id), seq); err != nil {
		return err
	}
	rows, err := t.query(context.Background(), "SELECT "+auditColumns+" FROM audits WHERE tenant_id = ? AND seq = ?", uuid(s.id), seq)
	found, err := collect(rows, err, (*auditRow).fields)
	if err != nil || len(found) == 0 {
		return err
	}
	a := found[0].noun()
	if err := t.counter(s.id); err != nil {
		return err
	}
	by := s.by(Who{Actor: a.Actor, IP: a.IP, RequestID: a.RequestID})
	t.append(by, auditEntry{a.Action, a.Target, a.TargetName, a.Detail, a.Changes, a.Refused}, found[0].Changes,
		tenants.Audit{Times: times, LastAt: moment(last)})
	return nil
}

// verifyStep is how many rows a verification reads at once.
const verifyStep = 2000

// chain reads the rows behind after up to and with upto, in order.
func (s *scope) chain(ctx context.Context, after, upto int64, each func(*tenants.Audit) error) error {
	for after < upto {
		rows, err := s.reads().query(ctx, "SELECT "+auditColumns+" FROM audits WHERE tenant_id = ? AND seq > ? AND seq <= ? ORDER BY seq "+
			"LIMIT ?", uuid(s.id), after, upto, verifyStep)
		if err != nil {
			return translate(err)
		}
		n := 0
		for ; rows.Next(); n++ {
			var r auditRow
			if err := rows.Scan(r.fields()...); err != nil {
				return errors.Join(translate(err), rows.Close())
			}
			a := r.noun()
			after = a.Seq
			if err := each(&a); err != nil {
				return errors.Join(err, rows.Close())
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return translate(err)
		}
		if n < verifyStep {
			return nil
		}
	}
	return nil
}

// Verify checks the tenant's chain from its first row, or from the anchor up to which rows were
// removed, to the last. progress, if set, gets how many of how many rows are checked.
func (s Audits) Verify(ctx context.Context, key AuditKey, progress func(done, all int64)) (tenants.AuditVerdict, error) {
	heads, err := s.Heads(ctx)
	if err != nil {
		return tenants.AuditVerdict{}, err
	}
	last, err := s.whole(ctx)
	if err != nil {
		return tenants.AuditVerdict{}, err
	}
	from := anchorOf(heads)
	v := tenants.NewAuditVerifier(tenants.TenantID(strings.ToLower(string(s.id))), key.Public, from)
	for _, h := range heads {
		if h.Seq >= from.Seq {
			_ = v.Head(h) // End has the fault
		}
	}
	errStop := errors.New("stop")
	err = s.chain(ctx, from.Seq, last, func(a *tenants.Audit) error {
		if progress != nil && a.Seq%verifyStep == 0 {
			progress(a.Seq-from.Seq, last-from.Seq)
		}
		if v.Row(a, a.Hash) != nil {
			return errStop
		}
		return nil
	})
	if err != nil && !errors.Is(err, errStop) {
		return tenants.AuditVerdict{}, err
	}
	verdict := v.End()
	if now, err := s.anchor(ctx); verdict.Fault != nil && err == nil && now.Seq > from.Seq {
		return s.Verify(ctx, key, progress) // rows were removed while they were read
	}
	return verdict, nil
}

func anchorOf(heads []tenants.AuditHead) (anchor tenants.AuditHead) {
	for _, h := range heads {
		if h.Anchor && h.Seq > anchor.Seq {
			anchor = h
		}
	}
	return anchor
}

// AuditPeriod is the rows of an export: with numbers above After up to and with Upto; 0 = the last.
type AuditPeriod struct{ After, Upto int64 }

// Period finds the rows of a time: from its first moment up to its end. A zero end is open.
func (s Audits) Period(ctx context.Context, from, to time.Time) (p AuditPeriod, err error) {
	last, err := s.lastSeq(ctx)
	if err != nil {
		return p, err
	}
	anchor, err := s.anchor(ctx)
	if err != nil {
		return p, err
	}
	p = AuditPeriod{After: anchor.Seq, Upto: last}
	if !from.IsZero() {
		first, err := s.firstFrom(ctx, anchor.Seq+1, last, from)
		if err != nil {
			return p, err
		}
		p.After = max(anchor.Seq, first-1)
	}
	if !to.IsZero() {
		behind, err := s.firstFrom(ctx, anchor.Seq+1, last, to)
		if err != nil {
			return p, err
		}
		p.Upto = max(p.After, behind-1)
	}
	return p, nil
}

// firstFrom is the number of the first row from low to high that is not before a moment, by
// halving.
func (s *scope) firstFrom(ctx context.Context, low, high int64, from time.Time) (int64, error) {
	for high++; low < high; {
		middle := (low + high) / 2
		at, err := s.auditAt(ctx, middle)
		if err != nil {
			return 0, err
		}
		if at < micros(from) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// Sign signs the last row of a period, so that an export vouches for every row of it.
func (s Audits) Sign(ctx context.Context, p AuditPeriod) error { return s.sign(ctx, p.Upto, false) }

// Export writes the rows of a period with their proofs and the heads that are signed.
func (s Audits) Export(ctx context.Context, w io.Writer, p AuditPeriod) error {
	last, err := s.whole(ctx)
	if err != nil {
		return err
	}
	if p.Upto == 0 {
		p.Upto = last
	}
	key, err := s.s.auditKey(ctx)
	if err != nil {
		return err
	}
	heads, err := s.Heads(ctx)
	if err != nil {
		return err
	}
	from := tenants.AuditHead{Seq: p.After}
	if anchor := anchorOf(heads); anchor.Seq > p.After {
		from = anchor
	} else if p.After > 0 {
		if from.Hash, err = s.hashOf(ctx, p.After); err != nil {
			return err
		}
	}
	out, err := tenants.NewAuditWriter(w, tenants.TenantID(strings.ToLower(string(s.id))), key.Public, from)
	if err != nil {
		return err
	}
	heads = slices.DeleteFunc(heads, func(h tenants.AuditHead) bool { return h.Seq < from.Seq || h.Seq > p.Upto || h.Seq == 0 })
	for _, h := range heads {
		if err := out.Head(h); err != nil {
			return err
		}
	}
	if err := s.chain(ctx, from.Seq, p.Upto, out.Row); err != nil {
		return err
	}
	return out.End()
}
