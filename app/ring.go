package app

import (
	"context"
	"errors"
	"fmt"

	"carillon/app/api/client"
)

// ringCmd places a ring through the API and follows it in the terminal.
type ringCmd struct {
	asking
	To        string `required:"" help:"Id of the device, or with --person your name of a person."`
	Person    bool   `help:"--to is a person: ring all of their devices."`
	Agent     string `help:"Id of the agent that talks."`
	Caller    string `help:"Label that the phone shows."`
	Reference string `help:"Your own number of the matter. The app can read it."`
	TTL       int    `name:"ttl" help:"Seconds to ring, 5 to 60."`
	Once      string `name:"idempotency-key" help:"Your name of this ring: the same within 24 hours rings nobody twice." placeholder:"KEY"`
}

// Run places the ring and prints each fact as it is recorded, until the ring has ended. With --json
// these are lines of JSON, the ring first and last.
func (r *ringCmd) Run(ctx context.Context, c terminal) error {
	api, err := r.open()
	if err != nil {
		return err
	}
	var edit []client.RequestEditorFn
	if r.Once != "" {
		edit = append(edit, client.IdempotencyKey(r.Once))
	}
	ring, err := api.Rings.Place(ctx, r.request(), edit...)
	if err != nil {
		err = r.cure(err)
		if far := (*farError)(nil); errors.As(err, &far) && far.code == exitUnknown {
			far.text += " Look up its id under Devices in the console, or ring all devices of a person with --person."
		}
		return err
	}
	if err := r.tell(c, ring, "ring "+ring.ID); err != nil {
		return err
	}
	if err := r.follow(ctx, c, api, ring.ID, ""); err != nil {
		return err
	}
	if ring, err = api.Rings.Get(ctx, ring.ID); err != nil {
		return r.cure(err)
	}
	if err := r.tell(c, ring, fmt.Sprintf("%s: %s", ring.State, deref(ring.EndDetail))); err != nil {
		return err
	}
	if ring.State != client.RingStateEnded {
		return &farError{"nobody talked", exitNotAnswered}
	}
	return nil
}

// tell prints the ring as JSON, or a line about it.
func (r *ringCmd) tell(c terminal, ring client.Ring, line string) error {
	if r.JSON {
		return r.printed(c, ring, nil)
	}
	_, err := fmt.Fprintln(c.out, line)
	return err
}

func (r *ringCmd) request() client.RingRequest {
	q := client.RingRequest{To: client.To{Device: &r.To}, Agent: given(r.Agent), Caller: given(r.Caller), Reference: given(r.Reference)}
	if r.Person {
		q.To = client.To{Person: &r.To}
	}
	if r.TTL != 0 {
		q.TTLS = &r.TTL
	}
	return q
}

// deref is the text, or nothing.
func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
