package store

import (
	"slices"
	"strconv"
	"strings"

	"carillon/tenants"
)

// batch collects rows of one table and inserts them many at a time: binding a row costs a fifth of
// a statement of its own on SQLite and next to nothing against a round trip to PostgreSQL.
type batch struct {
	into    string // INSERT INTO …
	columns []string
	usual   []any // what a column nearly always holds; nil = not known. See short
	args    []any
	texts   map[shape]string
	brief   []any // arguments without the usual ones
}

// shape is what the text of a statement depends on.
type shape struct {
	rows  int
	short bool
}

// sizes of the statements that a batch is cut into, so that few are ever prepared.
var sizes = []int{64, 16, 4, 1}

func newBatch(table string, columns ...string) batch {
	return batch{
		into:    "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES ",
		columns: columns,
		usual:   make([]any, len(columns)),
		texts:   map[shape]string{},
	}
}

// with says what columns nearly always hold: texts, whole numbers, truth and empty bytes.
func (b batch) with(usual map[string]any) batch {
	for i, c := range b.columns {
		b.usual[i] = usual[c]
	}
	return b
}

// expect makes room for some rows, so that hundreds are collected without copying.
func (b *batch) expect(rows int) { b.args = slices.Grow(b.args, rows*len(b.columns)) }

// add collects a row, or the next columns of one.
func (b *batch) add(args ...any) { b.args = append(b.args, args...) }

func (b *batch) text(s shape) string {
	if text, ok := b.texts[s]; ok {
		return text
	}
	row := make([]string, len(b.columns))
	for i := range row {
		if row[i] = "?"; s.short && b.usual[i] != nil {
			row[i] = literal(b.usual[i])
		}
	}
	one := "(" + strings.Join(row, ", ") + ")"
	text := b.into + one + strings.Repeat(", "+one, s.rows-1)
	b.texts[s] = text
	return text
}

// literal is a usual value in the text of a statement of SQLite.
func literal(value any) string {
	switch v := value.(type) {
	case string:
		return "'" + v + "'"
	case bool:
		return strings.ToUpper(strconv.FormatBool(v))
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return "x''"
}

// short leaves the usual values out of the collected arguments, where every row holds them: a third
// of what SQLite would bind for a ring. ok is false where one row does not.
func (b *batch) short() (args []any, ok bool) {
	args = b.brief[:0]
	for i, a := range b.args {
		usual := b.usual[i%len(b.columns)]
		if usual == nil {
			args = append(args, a)
			continue
		}
		if bytes, is := a.([]byte); is {
			_, ok = usual.([]byte)
			ok = ok && len(bytes) == 0
		} else {
			ok = a == usual
		}
		if !ok {
			return nil, false
		}
	}
	b.brief = args
	return args, len(args) < len(b.args)
}

// flush writes the rows in order. each is called for every statement with its arguments and number
// of rows, and runs it.
func (b *batch) flush(d dialect, each func(text string, args []any, rows int) error) error {
	err := b.cut(d, each)
	if err == nil {
		b.forget()
	}
	return err
}

// cut is flush that keeps the rows: each need not run its statement at once.
func (b *batch) cut(d dialect, each func(text string, args []any, rows int) error) error {
	args, rows, short := b.args, len(b.args)/len(b.columns), false
	if brief, ok := b.short(); ok && d.prepares() {
		args, short = brief, true
	}
	for rows > 0 {
		width := len(args) / rows
		n := sizes[slices.IndexFunc(sizes, func(size int) bool { return size <= rows })]
		if err := each(b.text(shape{n, short}), args[:n*width], n); err != nil {
			return err
		}
		args, rows = args[n*width:], rows-n
	}
	return nil
}

func (b *batch) forget() {
	clear(b.args)
	clear(b.brief)
	b.args, b.brief = b.args[:0], b.brief[:0]
}

// batches are the tables of the hot path.
type batches struct {
	rings, attempts, facts, audits batch
	deliveries, tries              batch    // see feeding and settling, which flush them
	seqs                           []*int64 // where the seq of each collected fact goes; two places for each
	later                          []sent   // changes of rows that go behind new rings and attempts; PostgreSQL's only
}

func newBatches() batches {
	return batches{
		rings: newBatch("rings", names(ringColumns+", due_at")...).with(map[string]any{"version": int64(1), "state": "placed",
			"test": false, "by_kind": "key", "ended_at": int64(0), "end_reason": "", "to_group": uuid(""), "to_name": ""}),
		attempts: newBatch("attempts", names("tenant_id, "+attemptColumns)...).with(map[string]any{"step": int64(0), "state": "placed",
			"tries": int64(0), "status": int64(0), "reason": "", "sent_at": int64(0), "answered_at": int64(0)}),
		facts: newBatch("facts", names("tenant_id, "+factColumns)...).with(map[string]any{"raw_at": int64(0), "raw_sent_at": int64(0),
			"detail": "", "nth": int64(0)}),
		audits: newBatch("audits", "tenant_id", "seq", "at", "actor_kind", "actor_id", "actor_name", "action", "target", "detail",
			"ip", "request_id", "target_name", "changes", "result", "times", "last_at", "salts", "erased", "hash").with(map[string]any{
			"actor_kind": "key", "action": "ring.place", "detail": "", "target_name": "", "changes": "", "result": "", "times": int64(1),
			"last_at": int64(0), "erased": []byte{}}),
		deliveries: newBatch("deliveries", names("tenant_id, connection_id, event_id, ring_id, kind, body, state, error, at, begun_at, "+
			"due_at, tries, status, ended_at")...),
		tries: newBatch("delivery_attempts", names("tenant_id, connection_id, delivery, at, took, status, error, sent, answer, good")...),
	}
}

func (b *batches) empty() bool {
	return len(b.rings.args)+len(b.attempts.args)+len(b.facts.args)+len(b.audits.args)+len(b.later) == 0
}

func (b *batches) forget() {
	b.written()
	b.deliveries.forget()
	b.tries.forget()
}

// written forgets what flush has written.
func (b *batches) written() {
	b.rings.forget()
	b.attempts.forget()
	b.facts.forget()
	b.audits.forget()
	clear(b.seqs)
	b.seqs = b.seqs[:0]
	clear(b.later)
	b.later = b.later[:0]
}

// flush writes what is collected, parents before children, and the audit counters. Rows of many
// tenants go in one statement.
func (t *tx) flush() error {
	if t.rows.empty() {
		return nil
	}
	if t.d.dialect.pipelines() {
		return trips{t}.sendCollected()
	}
	was := t.access
	t.access = allTenants
	defer func() { t.access = was }()
	plain := func(text string, args []any, _ int) error { _, err := t.run(text, args); return err }
	if err := t.rows.rings.flush(t.d.dialect, plain); err != nil {
		return err
	}
	if err := t.rows.attempts.flush(t.d.dialect, plain); err != nil {
		return err
	}
	if err := t.flushFacts(); err != nil {
		return err
	}
	if len(t.rows.audits.args) == 0 {
		return nil
	}
	return t.rows.audits.flush(t.d.dialect, plain) // the rows say the last seq
}

// setTip keeps the end of a tenant's chain on PostgreSQL.
const setTip = "UPDATE tenants SET audit_seq = ?, audit_hash = ? WHERE id = ?"

// flushFacts also hands out the seqs: SQLite gives the rows of one statement consecutive ones and
// tells the last.
func (t *tx) flushFacts() error {
	seqs := t.rows.seqs
	err := t.rows.facts.flush(t.d.dialect, func(text string, args []any, rows int) error {
		mine := seqs[:2*rows]
		seqs = seqs[2*rows:]
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

// addFact collects a fact; its seq goes to both places once it is written.
func (t ringsTx) addFact(tenant tenants.TenantID, ring tenants.RingID, f *tenants.Fact, seq, also *int64) {
	t.wrote = true
	t.rows.seqs = append(t.rows.seqs, seq, also)
	row := rowOfFact(ring, f)
	t.rows.facts.add(uuid(tenant))
	t.rows.facts.add(values(row.fields())...)
}
