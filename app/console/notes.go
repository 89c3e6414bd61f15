package console

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// notesCard is what was said in a ring's call; nil when nothing was written down. Where reading is
// recorded, it is opened only when the person asks for it.
func notesCard(ctx context.Context, c *fiber.Ctx, v *page.Visitor, r *tenants.Ring) (*views.Notes, error) {
	if r.Call == nil || !v.Role.May(seeNotes) {
		return nil, nil
	}
	asked := web.Query(c, "notes") == "show"
	read := v.Scope.Notes().Get
	if asked {
		read = v.Scope.Notes().Read
	}
	n, changed, err := read(ctx, r.ID)
	if err != nil || changed.IsZero() {
		return nil, err
	}
	card := &views.Notes{Ring: string(r.ID), CanErase: v.Role.May(mayNotes), Total: len(n.Lines)}
	if card.Closed = v.Tenant.Opaque() && !asked; card.Closed {
		return card, nil
	}
	card.Summary, card.Query = n.Summary, page.Shown(strings.TrimSpace(web.Query(c, "q")), 100)
	for _, l := range n.Find(card.Query) {
		card.Lines = append(card.Lines, views.NoteRow{Agent: l.Who == tenants.SpeakerAgent, Offset: offset(l, r.Call), At: v.At(l.At),
			Text: l.Text})
	}
	return card, nil
}

// offset is when a line was said, in minutes and seconds since the answer. Clocks of programs may
// be wrong: a line before the answer has 0:00.
func offset(l tenants.NoteLine, c *tenants.Call) string {
	d := max(0, l.At.Sub(c.AnsweredAt)) / time.Second
	return fmt.Sprintf("%d:%02d", d/60, d%60)
}

// readNotes finds the notes of the ring in the path, for a file.
func (k ringPages) readNotes(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (*tenants.Ring, tenants.Notes, error) {
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return nil, tenants.Notes{}, err
	}
	r, err := v.Scope.Rings().Get(ctx, id)
	if err != nil {
		return nil, tenants.Notes{}, err
	}
	n, changed, err := v.Scope.Notes().Read(ctx, id)
	if err == nil && changed.IsZero() {
		err = tenants.NoSuch("note")
	}
	return r, n, err
}

// notesText sends what was said as plain text.
func (k ringPages) notesText(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	r, n, err := k.readNotes(ctx, c, v)
	if err != nil {
		return err
	}
	var b strings.Builder
	if n.Summary != "" {
		b.WriteString(n.Summary + "\n\n")
	}
	for _, l := range n.Lines {
		fmt.Fprintf(&b, "[%s] %s: %s\n", offset(l, r.Call), l.Who, strings.ReplaceAll(l.Text, "\n", "\n    "))
	}
	h := &c.Response().Header
	h.SetContentType("text/plain; charset=utf-8")
	h.Set(fiber.HeaderContentDisposition, `attachment; filename="call-`+string(r.ID)+`.txt"`)
	return c.SendString(b.String())
}

// notesCSV sends what was said as a list. The summary is its first row.
func (k ringPages) notesCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	r, n, err := k.readNotes(ctx, c, v)
	if err != nil {
		return err
	}
	var rows [][]string
	if n.Summary != "" {
		rows = append(rows, []string{"", "", "summary", n.Summary})
	}
	for _, l := range n.Lines {
		rows = append(rows, []string{page.Stamp(l.At), offset(l, r.Call), string(l.Who), l.Text})
	}
	return k.SendSheet(ctx, c, page.Sheet{Name: "call-" + string(r.ID), Head: []string{"at", "since_answer", "who", "text"},
		More: func(context.Context, string) ([][]string, string, error) { return rows, "", nil }})
}

// erasure erases what was said in all calls of the ring's person.
func (k ringPages) erasure(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return confirmation{}, err
	}
	person, err := v.Scope.Notes().Person(ctx, id)
	if err != nil {
		return confirmation{}, err
	}
	return confirmation{
		ask: views.NotesErase(views.Notes{Ring: string(id), Person: person}), title: "Erase notes", nav: views.NavRings,
		up: up("Ring", views.RingPath(string(id))),
		do: func(ctx context.Context) error {
			_, err := v.Scope.Notes().Erase(ctx, id)
			return err
		},
		said: page.FlashErased, next: views.RingPath(string(id)),
	}, nil
}
