package connections

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// transcript sends what agents wrote down about a call: all of it, as it is when it is sent, so
// that a later delivery takes the place of an earlier one. Where the industry or the settings keep
// words private, only ids leave.
type transcript struct {
	*webhook
	store *store.Store
}

// noteText is the data of note.added with the words.
type noteText struct {
	tenants.NoteData
	Text    []noteLine `json:"text,omitempty"`
	Summary string     `json:"summary_text,omitempty"`
}

type noteLine struct {
	Who  tenants.Speaker `json:"who"`
	At   time.Time       `json:"at"`
	Text string          `json:"text"`
}

// Deliver adds the words to the event and posts it. Notes that were erased since leave ids only.
// The answer is not kept: a receiver may repeat the words in it.
func (x transcript) Deliver(ctx context.Context, c tenants.Connection, s Secrets, e Event) (Answer, error) {
	a, err := x.post(ctx, c, s, e)
	a.Body = nil
	return a, err
}

func (x transcript) post(ctx context.Context, c tenants.Connection, s Secrets, e Event) (Answer, error) {
	scope := x.store.For(c.Tenant)
	t, err := scope.Tenant(ctx)
	if err != nil {
		return Answer{}, err
	}
	if e.Ring == "" || t.Opaque() || c.Transcript != nil && c.Transcript.IDsOnly {
		return x.webhook.Deliver(ctx, c, s, e)
	}
	n, _, err := scope.Notes().Get(ctx, e.Ring)
	if err != nil && tenants.KindOf(err) != tenants.Unknown {
		return Answer{}, err
	}
	if e.Body, err = withText(e.Body, n); err != nil {
		return Answer{}, fmt.Errorf("connection %s: event %s: %w", c.ID, e.ID, err)
	}
	return x.webhook.Deliver(ctx, c, s, e)
}

func withText(body []byte, n tenants.Notes) ([]byte, error) {
	var b struct {
		Type      tenants.EventKind `json:"type"`
		Timestamp time.Time         `json:"timestamp"`
		Data      noteText          `json:"data"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return nil, err
	}
	b.Data.Summary = n.Summary
	for _, l := range n.Lines {
		b.Data.Text = append(b.Data.Text, noteLine{l.Who, l.At, l.Text})
	}
	return json.Marshal(b)
}
