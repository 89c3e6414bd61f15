package api

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
)

// PathNotes is the route of a call's notes, whose body may be larger than others; see
// web.Config.Uploads.
const PathNotes = "/v1/rings/:id/notes"

// notesBody is the most bytes of a body of notes.
const notesBody = 256 << 10

// notesRequest is the body of POST /v1/rings/{id}/notes.
type notesRequest struct {
	Lines []struct {
		Who  string    `json:"who"`
		At   time.Time `json:"at"`
		Text string    `json:"text"`
	} `json:"lines"`
	Summary *string `json:"summary"`
}

func (q notesRequest) notes() (tenants.Notes, error) {
	var n tenants.Notes
	if q.Summary != nil {
		n.Summary = *q.Summary
	}
	for _, l := range q.Lines {
		n.Lines = append(n.Lines, tenants.NoteLine{Who: tenants.Speaker(l.Who), At: l.At, Text: l.Text})
	}
	n = n.Clean()
	return n, n.Check()
}

// notesView is the answer about a call's notes.
type notesView struct {
	Ring    string     `json:"ring"`
	Lines   []lineView `json:"lines"`
	Summary *string    `json:"summary"`
	Changed *string    `json:"changed_at"`
}

type lineView struct {
	Who  string `json:"who"`
	At   string `json:"at"`
	Text string `json:"text"`
}

// notesAdded is the answer to added notes.
type notesAdded struct {
	Ring  string `json:"ring"`
	Added int    `json:"added"`
	Lines int    `json:"lines"`
}

// addNotes: POST /v1/rings/{id}/notes. Lines that are there already are not added again, so a
// request can be repeated.
func (a *API) addNotes(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	if _, err := k.scope.Rings().Get(ctx, id); err != nil {
		return err // before a large body is read
	}
	leave, err := web.ReadDocument(c, k.reader.Holder, notesBody)
	if err != nil {
		return err
	}
	defer leave()
	var body notesRequest
	if err := web.LargeJSON(c, notesBody, &body); err != nil {
		return err
	}
	n, err := body.notes()
	if err != nil {
		return err
	}
	all, added, err := k.scope.Notes().Add(ctx, id, n)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, notesAdded{Ring: string(id), Added: added, Lines: len(all.Lines)})
}

// showNotes: GET /v1/rings/{id}/notes. A ring without notes has an empty list.
func (a *API) showNotes(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	n, changed, err := k.scope.Notes().Read(ctx, id)
	if err != nil {
		return err
	}
	v := notesView{Ring: string(id), Lines: make([]lineView, len(n.Lines)), Summary: opt(n.Summary), Changed: optStamp(changed)}
	for i, l := range n.Lines {
		v.Lines[i] = lineView{Who: string(l.Who), At: stamp(l.At), Text: l.Text}
	}
	return reply(c, fiber.StatusOK, v)
}
