package switchboard

import (
	"context"
	"strconv"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// Report is what a phone says happened, by its own clock.
type Report struct {
	Kind       tenants.FactKind
	At, SentAt time.Time // zero when the phone gave none
	Code       *int      // CallKit's error code, with failed_to_show and silenced
}

// Faults names what a phone cannot report.
func (r Report) Faults() (list []tenants.Field) {
	if !r.Kind.Reportable() {
		list = append(list, tenants.Field{Name: "kind", Message: "woke, shown, failed_to_show, silenced, declined or busy"})
	}
	switch {
	case r.Code == nil:
	case !r.Kind.Coded():
		list = append(list, tenants.Field{Name: "code", Message: "only with failed_to_show and silenced"})
	case *r.Code < 0 || *r.Code > tenants.MaxCallKitCode:
		list = append(list, tenants.Field{Name: "code",
			Message: "a CXErrorCodeIncomingCallError code, 0 to " + strconv.Itoa(tenants.MaxCallKitCode)})
	}
	return list
}

// Report records a phone's fact. A late or repeated fact is no error: recorded says whether it was
// news. A kind that phones may not report is Invalid, a ring that does not ring this device
// Unknown.
func (b *Board) Report(ctx context.Context, d tenants.Device, id tenants.RingID, rep Report) (recorded bool, err error) {
	if faults := rep.Faults(); len(faults) > 0 {
		return false, &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "A phone cannot report this.", Fields: faults}
	}
	now := b.Now()
	detail := ""
	if rep.Code != nil {
		detail = tenants.CallKitCode(*rep.Code)
	}
	changed, facts, err := b.Store.For(d.Tenant).By(phone(d)).Rings().Change(ctx, id, nil, time.Time{},
		func(r *tenants.Ring) ([]tenants.Fact, error) {
			a, ok := r.AttemptOf(d.ID)
			if !ok {
				return nil, tenants.NoSuch("ring")
			}
			b.pushing.setDone(a.ID)
			return r.Fold(tenants.Fact{
				Attempt: a.ID, Kind: rep.Kind, At: rep.happened(r.CreatedAt, a.Facts, now), Received: now,
				RawAt: rep.At, RawSent: rep.SentAt, Detail: detail,
			}), nil
		})
	if err != nil || len(facts) == 0 {
		return false, err
	}
	b.tell(changed, facts)
	if rep.Kind == tenants.FactShown {
		b.ringing.keep(changed, now)
		b.attachEarly(changed)
	}
	return true, nil
}

// Phone is the ring as one of its devices sees it; Unknown for any other device.
func (b *Board) Phone(ctx context.Context, d tenants.Device, id tenants.RingID) (*tenants.Ring, error) {
	r, err := b.Store.For(d.Tenant).Rings().Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if _, ok := r.AttemptOf(d.ID); !ok {
		return nil, tenants.NoSuch("ring")
	}
	return r, nil
}

func phone(d tenants.Device) store.Who {
	return store.Who{Actor: tenants.Actor{Kind: tenants.ActorDevice, ID: string(d.ID), Name: d.Name}}
}

// happened is when the phone's fact happened by our clock: not before its ring, for a phone's
// difference of times may be a lie too, and not before what the phone itself had seen by then, for
// an earlier message may have been the longer one on its way.
func (r Report) happened(placed time.Time, known []tenants.Fact, now time.Time) time.Time {
	at := later(tenants.PhoneTime(now, r.At, r.SentAt), placed)
	for _, f := range known {
		if !f.RawAt.IsZero() && !f.RawAt.After(r.At) {
			at = later(at, f.At)
		}
	}
	return at
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
