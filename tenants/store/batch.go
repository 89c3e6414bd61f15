package store

import (
	"strings"

	"carillon/tenants"
)

// batch collects rows of one table and inserts them many at a time: binding a row costs a fifth of
// a statement of its own on SQLite and next to nothing against a round trip to PostgreSQL.
type batch struct {
	head    string // INSERT INTO … VALUES
	columns int
	args    []any
	texts   map[int]string // by number of rows
}

// sizes of the statements that a batch is cut into, so that few are ever prepared.
var sizes = []int{64, 16, 4, 1}

func newBatch(table string, columns ...string) batch {
	return batch{
		head:    "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES ",
		columns: len(columns),
		texts:   map[int]string{},
	}
}

func (b *batch) add(args ...any) { b.args = append(b.args, args...) }

func (b *batch) text(rows int) string {
	if s, ok := b.texts[rows]; ok {
		return s
	}
	row := "(?" + strings.Repeat(", ?", b.columns-1) + ")"
	s := b.head + row + strings.Repeat(", "+row, rows-1)
	b.texts[rows] = s
	return s
}

// flush writes the rows in order. each, if set, is called for every statement with its arguments
// and number of rows, and runs it.
func (b *batch) flush(each func(text string, args []any, rows int) error) error {
	for from := 0; from < len(b.args); {
		rest := (len(b.args) - from) / b.columns
		for _, n := range sizes {
			if n > rest {
				continue
			}
			to := from + n*b.columns
			if err := each(b.text(n), b.args[from:to], n); err != nil {
				return err
			}
			from = to
			break
		}
	}
	b.forget()
	return nil
}

func (b *batch) forget() {
	clear(b.args)
	b.args = b.args[:0]
}

// batches are the tables of the hot path.
type batches struct {
	rings, attempts, facts, audits batch
	seqs                           []*int64 // where the seq of each collected fact goes; two places for each
}

func newBatches() batches {
	return batches{
		rings:    newBatch("rings", names(ringColumns+", due_at")...),
		attempts: newBatch("attempts", names("tenant_id, "+attemptColumns)...),
		facts:    newBatch("facts", names("tenant_id, "+factColumns)...),
		audits: newBatch("audits", "tenant_id", "seq", "at", "actor_kind", "actor_id", "actor_name", "action", "target", "detail",
			"ip", "request_id", "target_name", "changes", "result", "times", "last_at", "salts", "erased", "hash"),
	}
}

func (b *batches) empty() bool {
	return len(b.rings.args)+len(b.attempts.args)+len(b.facts.args)+len(b.audits.args) == 0
}

func (b *batches) forget() {
	b.rings.forget()
	b.attempts.forget()
	b.facts.forget()
	b.audits.forget()
	clear(b.seqs)
	b.seqs = b.seqs[:0]
}

// flush writes what is collected, parents before children, and the audit counters. Rows of many
// tenants go in one statement.
func (t *tx) flush() error {
	if t.rows.empty() {
		return nil
	}
	was := t.access
	t.access = allTenants
	defer func() { t.access = was }()
	plain := func(text string, args []any, _ int) error { _, err := t.run(text, args); return err }
	if err := t.rows.rings.flush(plain); err != nil {
		return err
	}
	if err := t.rows.attempts.flush(plain); err != nil {
		return err
	}
	if err := t.flushFacts(); err != nil {
		return err
	}
	if len(t.rows.audits.args) == 0 {
		return nil
	}
	if err := t.rows.audits.flush(plain); err != nil {
		return err
	}
	if t.d.dialect.isFile() {
		return nil // the rows say the last seq
	}
	for id, tip := range t.audits {
		if _, err := t.run("UPDATE tenants SET audit_seq = ?, audit_hash = ? WHERE id = ?", []any{tip.seq, tip.hash[:],
			uuid(id)}); err != nil {
			return err
		}
	}
	clear(t.audits)
	return nil
}

// flushFacts also hands out the seqs. SQLite gives the rows of one statement consecutive ones and
// tells the last.
func (t *tx) flushFacts() error {
	seqs := t.rows.seqs
	err := t.rows.facts.flush(func(text string, args []any, rows int) error {
		mine := seqs[:2*rows]
		seqs = seqs[2*rows:]
		if !t.d.dialect.countsSeqs() {
			return t.returned(text+" RETURNING seq", args, mine)
		}
		r, err := t.run(text, args)
		if err != nil {
			return err
		}
		last, err := r.LastInsertId()
		for i := range rows {
			*mine[2*i] = last - int64(rows-1-i)
			*mine[2*i+1] = *mine[2*i]
		}
		return err
	})
	if err == nil {
		clear(t.rows.seqs)
		t.rows.seqs = t.rows.seqs[:0]
	}
	return err
}

func (t *tx) returned(text string, args []any, seqs []*int64) error {
	t.d.observe(text)
	rows, err := t.open(text, args)
	if err != nil {
		return t.fail(err)
	}
	defer rows.Close()
	for i := 0; rows.Next(); i += 2 {
		if err := rows.Scan(seqs[i]); err != nil {
			return t.fail(err)
		}
		*seqs[i+1] = *seqs[i]
	}
	return t.fail(rows.Err())
}

// addFact collects a fact; its seq goes to both places once it is written.
func (t ringsTx) addFact(tenant tenants.TenantID, ring tenants.RingID, f *tenants.Fact, seq, also *int64) {
	t.wrote = true
	t.rows.seqs = append(t.rows.seqs, seq, also)
	row := rowOfFact(ring, f)
	t.rows.facts.add(append([]any{uuid(tenant)}, values(row.fields())...)...)
}
