package switchboard

import (
	"time"

	"carillon/app/trace"
	"carillon/tenants"
)

// trail adds to the ring's trace what happened after Apple's answer; what happened before it is there as the steps that did it.
func (b *Board) trail(r *tenants.Ring, facts []tenants.Fact) {
	for i := range facts {
		f := &facts[i]
		reason := ""
		switch f.Kind {
		case tenants.FactPlaced, tenants.FactSent, tenants.FactAccepted, tenants.FactRefused:
			continue
		case tenants.FactFailedToShow, tenants.FactSilenced: // CallKit's codes, by name; other details may hold words of people
			reason = f.Detail
		}
		b.Trace.Fact(trace.Fact{Attempt: string(f.Attempt), Ring: string(r.ID), Hop: string(f.Kind), Reason: reason, From: hopBefore(r, f), At: f.At})
	}
}

// hopBefore is when the hop before a fact's was made; zero when it is unknown, or the fact is no hop.
func hopBefore(r *tenants.Ring, f *tenants.Fact) time.Time {
	for _, h := range tenants.Hops {
		if h.Fact != f.Kind || h.From == "" {
			continue
		}
		for i := range r.Attempts {
			a := &r.Attempts[i]
			if a.ID != f.Attempt {
				continue
			}
			for _, before := range a.Facts {
				if before.Kind == h.From {
					return before.At
				}
			}
		}
	}
	return time.Time{}
}
