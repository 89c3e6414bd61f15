package page

import (
	"bufio"
	"context"
	"encoding/csv"
	"io"
	"log/slog"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
)

// Sheet is a list as a file. more gives the rows of a page and the cursor of the next one; it runs
// after the handler has returned and must not touch the request.
type Sheet struct {
	Name string // of the file, without date and ending
	Head []string
	More func(ctx context.Context, after string) (rows [][]string, next string, err error)
}

const (
	sheetTime = 2 * time.Minute // for a whole file
	SheetPage = 200             // rows read at once
)

// exportBounds is how many files are written at once in this process.
func exportBounds() web.SlotBounds {
	return web.SlotBounds{
		Code: "too_many_exports", What: "downloads running", Cure: "Wait until one is complete and try again.", After: 5 * time.Second,
		Each: map[string]int{web.KindPerson: 2, web.KindPartner: 2}, Tenant: 4, Network: 8, All: 16,
	}
}

// SendSheet streams a list as CSV (RFC 4180). The first page is read before anything is sent, so
// that a refusal can still be sent. It refuses where too many files are being written.
func (m *Common) SendSheet(ctx context.Context, c *fiber.Ctx, s Sheet) error {
	leave, err := m.exports.Take(holderOf(c))
	if err != nil {
		return err
	}
	writes := false // then the writer leaves
	defer func() {
		if !writes {
			leave()
		}
	}()
	rows, next, err := s.More(ctx, "")
	if err != nil {
		return err
	}
	h := &c.Response().Header
	h.SetContentType("text/csv; charset=utf-8; header=present")
	h.Set(fiber.HeaderContentDisposition, `attachment; filename="`+s.Name+"-"+m.Now().UTC().Format(time.DateOnly)+`.csv"`)
	h.Set(fiber.HeaderCacheControl, "no-store")
	if c.Method() == fiber.MethodHead {
		return nil
	}
	writes = true
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		defer leave()
		ctx, cancel := context.WithTimeout(context.Background(), sheetTime)
		defer cancel()
		if err := s.write(ctx, w, rows, next); err != nil {
			m.Log.LogAttrs(ctx, slog.LevelWarn, "csv cut off", slog.String("list", s.Name), slog.String("err", err.Error()))
		}
	})
	return nil
}

// SendFile streams a file that write makes. It refuses where too many files are being written.
// write runs after the handler has returned and must not touch the request. Where it fails, the
// answer is cut off, so that no reader takes it for whole.
func (m *Common) SendFile(c *fiber.Ctx, kind, name, ending string, write func(context.Context, io.Writer) error) error {
	leave, err := m.exports.Take(holderOf(c))
	if err != nil {
		return err
	}
	h := &c.Response().Header
	h.SetContentType(kind)
	h.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+"-"+m.Now().UTC().Format(time.DateOnly)+"."+ending+`"`)
	h.Set(fiber.HeaderCacheControl, "no-store")
	if c.Method() == fiber.MethodHead {
		leave()
		return nil
	}
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		defer leave()
		ctx, cancel := context.WithTimeout(context.Background(), sheetTime)
		defer cancel()
		if err := web.Recovered(func() error { return write(ctx, w) }); err != nil {
			m.Log.LogAttrs(ctx, slog.LevelWarn, "download cut off", slog.String("file", name), slog.String("err", err.Error()))
		}
	})
	return nil
}

func (s Sheet) write(ctx context.Context, w *bufio.Writer, rows [][]string, next string) error {
	out := NewCSV(w)
	if err := out.Write(s.Head); err != nil {
		return err
	}
	for {
		for _, r := range rows {
			if err := out.Write(r); err != nil {
				return err
			}
		}
		if out.Flush(); out.Error() != nil || next == "" {
			return out.Error()
		}
		var err error
		err = web.Recovered(func() error {
			rows, next, err = s.More(ctx, next)
			return err
		})
		if err != nil {
			_ = out.Write([]string{"This file is not complete: reading the rest failed. Download it again."})
			out.Flush()
			return err
		}
	}
}

// CSV writes RFC 4180. Every file of ours is written by it, so that no cell starts a formula.
type CSV struct{ w *csv.Writer }

// NewCSV returns a CSV that writes to w. Flush ends it.
func NewCSV(w io.Writer) CSV {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	return CSV{out}
}

// Write writes one row. It changes the cells of the slice; see tenants.SpreadsheetCell.
func (f CSV) Write(row []string) error {
	for i := range row {
		row[i] = tenants.SpreadsheetCell(row[i])
	}
	return f.w.Write(row)
}

// Flush writes what is buffered.
func (f CSV) Flush() { f.w.Flush() }

// Error returns the first error of a write.
func (f CSV) Error() error { return f.w.Error() }

// Stamp is a moment in UTC (RFC 3339), as the API gives it, whatever the tenant's zone: files of
// two tenants can be laid side by side. It is empty for never.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
