package app

import (
	"context"
	"errors"
	"fmt"

	"carillon/app/api/client"
)

// ringCmd places a ring through the API and follows it in the terminal.
type ringCmd struct {
	To     string `required:"" help:"Id of the device, or with --person your name of a person."`
	Person bool   `help:"--to is a person: ring all of their devices."`
	Caller string `help:"Label that the phone shows."`
	TTL    int    `name:"ttl" help:"Seconds to ring, 5 to 60."`
	apiFlags
}

// Run places the ring and prints each fact as it is recorded, until the ring has ended.
func (r *ringCmd) Run(ctx context.Context, c terminal) error {
	api, err := r.open()
	if err != nil {
		return err
	}
	ring, err := api.Rings.Place(ctx, r.request())
	if err != nil {
		err = r.cure(err)
		if far := (*farError)(nil); errors.As(err, &far) && far.code == exitUnknown {
			far.text += " Look up its id under Devices in the console, or ring all devices of a person with --person."
		}
		return err
	}
	fmt.Fprintf(c.out, "ring %s\n", ring.ID)
	for f, err := range api.Rings.Follow(ctx, ring.ID) {
		if err != nil {
			return r.cure(err)
		}
		fmt.Fprintf(c.out, "%s  %-14s %s %s\n", f.At.Local().Format("15:04:05.000"), f.Kind, f.Device, deref(f.Detail))
	}
	if ring, err = api.Rings.Get(ctx, ring.ID); err != nil {
		return r.cure(err)
	}
	fmt.Fprintf(c.out, "%s: %s\n", ring.State, deref(ring.EndDetail))
	return nil
}

func (r *ringCmd) request() client.RingRequest {
	q := client.RingRequest{To: client.To{Device: &r.To}}
	if r.Person {
		q.To = client.To{Person: &r.To}
	}
	if r.Caller != "" {
		q.Caller = &r.Caller
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
