package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"carillon/app/api/client"
	"carillon/tenants"
)

// ringStates lists the states of rings for the command line.
func ringStates() string {
	words := make([]string, len(tenants.RingStates))
	for i, s := range tenants.RingStates {
		words[i] = string(s)
	}
	return strings.Join(words, ",")
}

// ringsCmd reads and stops rings.
type ringsCmd struct {
	List      ringsList      `cmd:"" help:"Rings, newest first."`
	Show      ringsShow      `cmd:"" help:"One ring with all that happened."`
	Cancel    ringsCancel    `cmd:"" help:"Stop a ring, or hang up its call."`
	Events    ringsEvents    `cmd:"" help:"Print what happens to a ring, until it has ended."`
	Join      ringsJoin      `cmd:"" help:"Make a token with which an agent joins the call."`
	Recording ringsRecording `cmd:"" help:"Save the recording of a call in a file."`
}

type ringsList struct {
	asking
	paging
	State  string `help:"Only rings in this state." enum:",${ring_states}" default:""`
	Device string `help:"Only rings of this device."`
	Person string `help:"Only rings of this person."`
	Agent  string `help:"Only rings of this agent."`
	Search string `help:"Start of an id, a reference, a caller, a person or a device name." short:"s"`
	From   string `help:"Placed at or after." placeholder:"2026-11-24T08:00:00Z"`
	To     string `help:"Placed before." placeholder:"2026-11-25T08:00:00Z"`
}

func (r *ringsList) Run(ctx context.Context, c terminal) error {
	q := query("state", r.State, "device", r.Device, "person", r.Person, "agent", r.Agent, "q", r.Search, "from", r.From, "to", r.To)
	return r.list(ctx, c, r.paging, "/v1/rings", q, "id", "state", "created_at", "to.person|to.device")
}

type ringsShow struct {
	asking
	one
}

func (r *ringsShow) Run(ctx context.Context, c terminal) error {
	return r.get(ctx, c, idPath("/v1/rings/%s", r.ID), nil)
}

type ringsCancel struct {
	asking
	one
}

func (r *ringsCancel) Run(ctx context.Context, c terminal) error {
	return r.ask(ctx, c, http.MethodPost, idPath("/v1/rings/%s/cancel", r.ID), nil, nil)
}

type ringsJoin struct {
	asking
	one
}

func (r *ringsJoin) Run(ctx context.Context, c terminal) error {
	return r.ask(ctx, c, http.MethodPost, idPath("/v1/rings/%s/join", r.ID), nil, nil)
}

type ringsEvents struct {
	asking
	one
	Last string `help:"Only events after this one: its id." placeholder:"ID"`
}

func (r *ringsEvents) Run(ctx context.Context, c terminal) error {
	api, err := r.open()
	if err != nil {
		return err
	}
	return r.follow(ctx, c, api, r.ID, r.Last)
}

// follow prints the events of a ring until it has ended.
func (a *asking) follow(ctx context.Context, c terminal, api *client.Client, id, last string) error {
	for f, err := range api.Rings.FollowFrom(ctx, id, last) {
		if err != nil {
			return a.cure(err)
		}
		if err := a.event(c, f.ID, f.RingEvent, ""); err != nil {
			return err
		}
	}
	return nil
}

// event prints one event, after the ring that it is of where there are several.
func (a *asking) event(c terminal, id string, f client.RingEvent, ring string) error {
	if !a.JSON {
		detail := printable(deref(f.Detail))
		if ring != "" {
			fmt.Fprintf(c.out, "%s  %s  %-14s %s\n", f.At.Local().Format("15:04:05.000"), ring, f.Kind, detail)
			return nil
		}
		fmt.Fprintf(c.out, "%s  %-14s %s %s\n", f.At.Local().Format("15:04:05.000"), f.Kind, f.Device, detail)
		return nil
	}
	text, err := json.Marshal(struct {
		ID   string `json:"id,omitempty"`
		Ring string `json:"ring,omitempty"`
		client.RingEvent
	}{id, ring, f})
	if err != nil {
		return err
	}
	return printJSON(c, text)
}

type ringsRecording struct {
	asking
	one
	To string `help:"File to write; - is standard output." placeholder:"FILE" required:""`
}

func (r *ringsRecording) Run(ctx context.Context, c terminal) error {
	api, err := r.open()
	if err != nil {
		return err
	}
	sound, kind, err := api.Rings.Recording(ctx, r.ID)
	if err != nil {
		return r.cure(err)
	}
	defer sound.Close()
	if r.To == "-" {
		_, err = io.Copy(c.out, sound)
		return r.cure(err)
	}
	n, err := saveAs(r.To, sound)
	if err != nil {
		return r.cure(err)
	}
	return r.printed(c, map[string]any{"file": r.To, "type": kind, "bytes": n}, nil)
}

// transferCmd gives a call to somebody else.
type transferCmd struct {
	asking
	one
	Agent  string `help:"Id of the agent that takes the call." xor:"to" required:""`
	Person string `help:"The person whose phones ring." xor:"to" required:""`
}

func (t *transferCmd) Run(ctx context.Context, c terminal) error {
	to := map[string]any{"person": t.Person}
	if t.Agent != "" {
		to = map[string]any{"agent": t.Agent}
	}
	return t.ask(ctx, c, http.MethodPost, idPath("/v1/rings/%s/transfer", t.ID), nil, map[string]any{"to": to})
}

// notesCmd reads and writes what was said in a call.
type notesCmd struct {
	Show notesShow `cmd:"" help:"What was said in a call."`
	Add  notesAdd  `cmd:"" help:"Write down what was said."`
}

type notesShow struct {
	asking
	one
}

func (n *notesShow) Run(ctx context.Context, c terminal) error {
	return n.get(ctx, c, idPath("/v1/rings/%s/notes", n.ID), nil)
}

type notesAdd struct {
	asking
	one
	Summary string   `help:"What came out of the call. It takes the place of the summary before."`
	Line    []string `help:"A line, such as \"person: At nine.\" or \"agent: Good.\" Repeat it for more." sep:"none"`
	From    string   `help:"The whole body as JSON: @FILE, or - for standard input." placeholder:"@FILE"`
}

func (n *notesAdd) Run(ctx context.Context, c terminal) error {
	body, err := settings("from", n.From)
	if err != nil {
		return err
	}
	if body == nil {
		if body, err = n.body(c.now()); err != nil {
			return err
		}
	}
	return n.ask(ctx, c, http.MethodPost, idPath("/v1/rings/%s/notes", n.ID), nil, body)
}

// body makes lines of the flags. They were said a millisecond apart, which keeps their order.
func (n *notesAdd) body(now time.Time) (map[string]any, error) {
	body := map[string]any{}
	if n.Summary != "" {
		body["summary"] = n.Summary
	}
	var lines []map[string]string
	for i, l := range n.Line {
		who, text, ok := strings.Cut(l, ":")
		if !ok {
			return nil, misused{fmt.Errorf("--line: %q begins with neither agent: nor person: as in agent:Hello", l)}
		}
		lines = append(lines, map[string]string{"who": strings.TrimSpace(who), "text": strings.TrimSpace(text),
			"at": now.Add(time.Duration(i) * time.Millisecond).UTC().Format(time.RFC3339Nano)})
	}
	if lines != nil {
		body["lines"] = lines
	}
	return body, nil
}
