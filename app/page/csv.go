package page

import (
	"bufio"
	"context"
	"encoding/csv"
	"log/slog"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

// Sheet is a list as a file. more gives the rows of a page and the cursor of the next one; it runs
// after the handler has returned and must not touch the request.
type Sheet struct {
	Name string // of the file, without date and ending
	Head []string
	Sums []int // columns of calculated numbers that nobody types: a minus sign begins no formula there
	More func(ctx context.Context, after string) (rows [][]string, next string, err error)
}

const (
	sheetTime = 2 * time.Minute // for a whole file
	SheetPage = 200             // rows read at once
)

// SendSheet streams a list as CSV (RFC 4180). The first page is read before anything is sent, so
// that a refusal can still be sent.
func (m *Common) SendSheet(ctx context.Context, c *fiber.Ctx, s Sheet) error {
	rows, next, err := s.More(ctx, "")
	if err != nil {
		return err
	}
	h := &c.Response().Header
	h.SetContentType("text/csv; charset=utf-8; header=present")
	h.Set(fiber.HeaderContentDisposition, `attachment; filename="`+s.Name+"-"+m.Now().UTC().Format(time.DateOnly)+`.csv"`)
	h.Set(fiber.HeaderCacheControl, "no-store")
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		ctx, cancel := context.WithTimeout(context.Background(), sheetTime)
		defer cancel()
		if err := s.write(ctx, w, rows, next); err != nil {
			m.Log.LogAttrs(ctx, slog.LevelWarn, "csv cut off", slog.String("list", s.Name), slog.String("err", err.Error()))
		}
	})
	return nil
}

func (s Sheet) write(ctx context.Context, w *bufio.Writer, rows [][]string, next string) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	if err := out.Write(s.Head); err != nil {
		return err
	}
	for {
		for _, r := range rows {
			for i := range r {
				if !slices.Contains(s.Sums, i) {
					r[i] = Cell(r[i])
				}
			}
			if err := out.Write(r); err != nil {
				return err
			}
		}
		if out.Flush(); out.Error() != nil || next == "" {
			return out.Error()
		}
		var err error
		if rows, next, err = s.More(ctx, next); err != nil {
			_ = out.Write([]string{"This file is not complete: reading the rest failed. Download it again."})
			out.Flush()
			return err
		}
	}
}

// Cell is a text that begins no formula.
func Cell(s string) string { return tenants.SpreadsheetCell(s) }

// Stamp is a moment in UTC (RFC 3339), as the API gives it, whatever the tenant's zone: files of
// two tenants can be laid side by side. It is empty for never.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
