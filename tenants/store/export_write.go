package store

import (
	"archive/zip"
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"carillon/tenants"
)

// exportStep is how many rows are read at once. Only so many are in memory.
const exportStep = 500

// ExportFormat is the version of the files of an export.
const ExportFormat = 1

// ExportManifest is the last file of an export.
const ExportManifest = "manifest.json"

// ExportFiles describes the files of an export, in their order.
func ExportFiles() []ExportFile {
	var all []ExportFile
	for _, t := range exportTables {
		f := ExportFile{Name: t.file + ".jsonl", About: t.about}
		for _, c := range t.fields() {
			f.Fields = append(f.Fields, ExportField{c.name, c.kind})
		}
		all = append(all, f)
	}
	return append(all, exportOthers["facts"], exportOthers["notes"], exportOthers["audits"])
}

// exportColumn is a column and its name in a line.
type exportColumn struct{ expr, name, kind string }

func (t exportTable) fields() (all []exportColumn) {
	for _, one := range strings.Split(t.columns, ", ") {
		expr, kind, _ := strings.Cut(one, " ")
		all = append(all, exportColumn{expr, expr[strings.LastIndex(expr, ".")+1:], cmp.Or(kind, fieldText)})
	}
	return all
}

// exportManifest says what is in an export.
type exportManifest struct {
	Format int                  `json:"format"`
	Tenant tenants.TenantID     `json:"tenant"`
	Name   string               `json:"name"`
	MadeAt string               `json:"made_at"`
	Files  []exportManifestFile `json:"files"`
}

type exportManifestFile struct {
	Name   string `json:"name"`
	Rows   int64  `json:"rows"`
	SHA256 string `json:"sha256"`
}

// exporter writes one export.
type exporter struct {
	*scope
	zip  *zip.Writer
	at   time.Time
	said func(file string, rows int64) error
	rows int64 // of all files so far
	list exportManifest
}

// Write writes everything of the tenant as a zip of JSON lines, and says how many those are. Each
// file is read by itself, some hundred rows at a time: what changes meanwhile may be in one and not
// yet in another. said gets how far it is; its error ends the export.
func (s Exports) Write(ctx context.Context, w io.Writer, said func(file string, rows int64) error) (rows int64, err error) {
	tenant, err := s.tenant(ctx)
	if err != nil {
		return 0, err
	}
	x := &exporter{scope: s.scope, zip: zip.NewWriter(w), at: s.s.now().UTC(), said: said}
	x.list = exportManifest{Format: ExportFormat, Tenant: tenant.ID, Name: tenant.Name, MadeAt: x.at.Format(time.RFC3339)}
	for _, t := range exportTables {
		if err := x.add(t.file+".jsonl", func(out *exportLines) error { return x.table(ctx, t, out) }); err != nil {
			return x.rows, err
		}
	}
	for _, f := range []struct {
		table string
		write func(context.Context, *exportLines) error
	}{{"facts", x.facts}, {"notes", x.notesOf}, {"audits", x.audits}} {
		if err := x.add(exportOthers[f.table].Name, func(out *exportLines) error { return f.write(ctx, out) }); err != nil {
			return x.rows, err
		}
	}
	return x.rows, x.end()
}

// end writes the manifest.
func (x *exporter) end() error {
	text, err := json.MarshalIndent(x.list, "", "  ")
	if err != nil {
		return err
	}
	w, err := x.create(ExportManifest)
	if err == nil {
		_, err = w.Write(text)
	}
	return errors.Join(err, x.zip.Close())
}

func (x *exporter) create(name string) (io.Writer, error) {
	return x.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: x.at})
}

// exportLines counts the lines of a file.
type exportLines struct {
	*bufio.Writer
	name string
	rows int64
	x    *exporter
}

// progress is called for each page of rows.
func (l *exportLines) progress() error { return l.x.said(l.name, l.x.rows+l.rows) }

func (l *exportLines) line(b []byte) error {
	l.rows++
	_, err := l.Write(append(b, '\n'))
	return err
}

func (x *exporter) add(name string, write func(*exportLines) error) error {
	f, err := x.create(name)
	if err != nil {
		return err
	}
	sum := sha256.New()
	out := &exportLines{Writer: bufio.NewWriter(io.MultiWriter(f, sum)), name: name, x: x}
	if err := out.progress(); err != nil {
		return err
	}
	if err := errors.Join(write(out), out.Flush()); err != nil {
		return fmt.Errorf("store: %s of an export: %w", name, err)
	}
	x.rows += out.rows
	x.list.Files = append(x.list.Files, exportManifestFile{name, out.rows, hex.EncodeToString(sum.Sum(nil))})
	return nil
}

// table writes the rows of a table, page by page in the order of its keys.
func (x *exporter) table(ctx context.Context, t exportTable, out *exportLines) error {
	columns, keys := t.fields(), strings.Split(t.keys, ", ")
	read := make([]string, len(columns))
	for i, c := range columns {
		read[i] = c.expr
	}
	query := "SELECT " + strings.Join(read, ", ") + " FROM " + t.from + " WHERE " + cmp.Or(t.tenant, "tenant_id") + " = ?"
	if t.only != "" {
		query += " AND " + t.only
	}
	behind := " AND (" + t.keys + ") > (?" + strings.Repeat(", ?", len(keys)-1) + ")"
	var after []any
	for {
		asked, args := query, []any{uuid(x.id)}
		if after != nil {
			asked, args = asked+behind, append(args, after...)
		}
		n, last, err := x.page(ctx, asked+" ORDER BY "+t.keys+" LIMIT ?", append(args, exportStep), columns, out)
		if err != nil || n < exportStep {
			return err
		}
		after = after[:0]
		for _, k := range keys {
			for i, c := range columns {
				if c.expr == k {
					after = append(after, values([]any{last[i]})...)
				}
			}
		}
		if err := out.progress(); err != nil {
			return err
		}
	}
}

// page writes the rows of one statement, and gives their number and the places of the last one.
func (x *exporter) page(ctx context.Context, query string, args []any, columns []exportColumn, out *exportLines) (n int, last []any,
	err error) {
	rows, err := x.reads().query(ctx, query, args...)
	if err != nil {
		return 0, nil, translate(err)
	}
	defer rows.Close()
	for ; rows.Next(); n++ {
		last = make([]any, len(columns))
		for i, c := range columns {
			last[i] = c.place()
		}
		if err := rows.Scan(last...); err != nil {
			return n, nil, translate(err)
		}
		line, err := lineOf(columns, last)
		if err == nil {
			err = out.line(line)
		}
		if err != nil {
			return n, nil, err
		}
	}
	return n, last, translate(rows.Err())
}

// place is where a column is read to.
func (c exportColumn) place() any {
	switch c.kind {
	case fieldID:
		return new(uuid)
	case fieldNumber, fieldTime, fieldSpan:
		return new(int64)
	case fieldReal:
		return new(float64)
	case fieldBool:
		return new(bool)
	}
	return new(string)
}

// exportTime is how times are written.
const exportTime = "2006-01-02T15:04:05.000000Z"

// lineOf is a row as a JSON object, in the order of the columns.
func lineOf(columns []exportColumn, row []any) ([]byte, error) {
	var b bytes.Buffer
	for i, c := range columns {
		b.WriteByte("{,"[min(i, 1)])
		b.WriteString(`"` + c.name + `":`)
		value, err := json.Marshal(valueOf(c.kind, row[i]))
		if err != nil {
			return nil, err
		}
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func valueOf(kind string, place any) any {
	switch p := place.(type) {
	case *uuid:
		if *p == "" {
			return nil
		}
		return string(*p)
	case *int64:
		if kind != fieldTime {
			return *p
		}
		if *p <= 0 {
			return nil
		}
		return time.UnixMicro(*p).UTC().Format(exportTime)
	case *string:
		if kind != fieldJSON {
			return *p
		}
		if json.Valid([]byte(*p)) {
			return json.RawMessage(*p)
		}
		return nil
	}
	return place
}

// walk gives the ids of rings, in order and some at a time. more is what is true of them.
func (x *exporter) walk(ctx context.Context, query string, each func([]tenants.RingID) error) error {
	after := tenants.RingID("00000000-0000-0000-0000-000000000000")
	for {
		rows, err := x.reads().query(ctx, query, uuid(x.id), uuid(after), exportStep/2)
		ids, err := collect(rows, err, func(id *tenants.RingID) []any { return []any{(*uuid)(id)} })
		if err != nil || len(ids) == 0 {
			return translate(err)
		}
		if err := each(ids); err != nil {
			return err
		}
		after = ids[len(ids)-1]
	}
}

// facts are read ring by ring: their table has no order of a tenant.
func (x *exporter) facts(ctx context.Context, out *exportLines) error {
	columns := exportTable{columns: "ring_id id, attempt_id id, kind, at time, received_at time, raw_at time, raw_sent_at time, detail, " +
		"nth number"}.fields()
	return x.walk(ctx, "SELECT id FROM rings WHERE tenant_id = ? AND id > ? ORDER BY id LIMIT ?", func(ids []tenants.RingID) error {
		_, _, err := x.page(ctx, "SELECT ring_id, attempt_id, kind, at, received_at, raw_at, raw_sent_at, detail, nth FROM facts WHERE "+
			"tenant_id = ? AND ring_id IN ("+marks(len(ids))+") ORDER BY ring_id, seq", some(x.id, ids), columns, out)
		return errors.Join(err, out.progress())
	})
}

// notesOf opens the notes of each call.
func (x *exporter) notesOf(ctx context.Context, out *exportLines) error {
	type line struct {
		Who  tenants.Speaker `json:"who"`
		At   string          `json:"at"`
		Text string          `json:"text"`
	}
	type notes struct {
		Ring    tenants.RingID `json:"ring_id"`
		Changed string         `json:"changed_at"`
		Summary string         `json:"summary"`
		Lines   []line         `json:"lines"`
	}
	return x.walk(ctx, "SELECT ring_id FROM notes WHERE tenant_id = ? AND ring_id > ? ORDER BY ring_id LIMIT ?",
		func(ids []tenants.RingID) error {
			for _, id := range ids {
				row, n, err := x.notes(ctx, id)
				if err != nil {
					return err
				}
				if row.Version == 0 {
					continue // erased since
				}
				doc := notes{id, moment(row.Updated).UTC().Format(exportTime), n.Summary, []line{}}
				for _, l := range n.Lines {
					doc.Lines = append(doc.Lines, line{l.Who, l.At.UTC().Format(exportTime), l.Text})
				}
				text, err := json.Marshal(doc)
				if err != nil {
					return err
				}
				if err := out.line(text); err != nil {
					return err
				}
			}
			return out.progress()
		})
}

// audits is the record of changes, up to a head that is signed now.
func (x *exporter) audits(ctx context.Context, out *exportLines) error {
	last, err := x.whole(ctx)
	if err == nil {
		err = x.sign(ctx, last, false)
	}
	if err == nil {
		err = (Audits{x.scope}).Export(ctx, lineCounter{out}, AuditPeriod{Upto: last})
	}
	return err
}

// lineCounter counts the lines that pass, one to a Write.
type lineCounter struct{ out *exportLines }

func (c lineCounter) Write(p []byte) (int, error) {
	if c.out.rows++; c.out.rows%exportStep == 0 {
		if err := c.out.progress(); err != nil {
			return 0, err
		}
	}
	return c.out.Writer.Write(p)
}
