package switchboard

import (
	"strings"
	"time"

	"carillon/tenants"
)

// mediaWork is a kind of request about the sound of a call. Each costs the gateway memory, time of
// the processor, and packets to addresses that the phone named, so each has its own limits.
type mediaWork struct {
	name string
	does string // in a sentence: "This device … too often."

	ring, device, tenant, all tenants.Rate
}

// The limits are far above what phones do: a phone answers once, and again or with an ICE restart
// when it changes its network.
var (
	answers = mediaWork{
		name: "answers", does: "answers calls",
		ring: tenants.Rate{Every: 2 * time.Second, Burst: 6}, device: tenants.Rate{Every: time.Second, Burst: 12},
		tenant: tenants.Rate{Every: time.Second / 20, Burst: 200}, all: tenants.Rate{Every: time.Second / 100, Burst: 400},
	}
	iceRestarts = mediaWork{
		name: "restarts", does: "restarts ICE",
		ring: tenants.Rate{Every: 2 * time.Second, Burst: 4}, device: tenants.Rate{Every: time.Second, Burst: 8},
		tenant: tenants.Rate{Every: time.Second / 20, Burst: 100}, all: tenants.Rate{Every: time.Second / 100, Burst: 200},
	}
	fragments = mediaWork{ // a phone may send each candidate by itself
		name: "fragments", does: "sends ICE fragments",
		ring: tenants.Rate{Every: time.Second / 5, Burst: 50}, device: tenants.Rate{Every: time.Second / 10, Burst: 100},
		tenant: tenants.Rate{Every: time.Second / 200, Burst: 2000}, all: tenants.Rate{Every: time.Second / 1000, Burst: 4000},
	}
)

// admitMedia refuses work that comes too often on one ring, from one device, in one tenant
// (TooMany) or on this server (Unavailable). It reads and writes nothing.
func (b *Board) admitMedia(w mediaWork, d tenants.Device, id tenants.RingID) error {
	of := func(r tenants.Rate, who, id string) tenants.Rate {
		r.Name = who + " " + w.name + " " + id
		return r
	}
	which, wait := b.limits.Take(b.Now(), of(w.ring, "ring", string(id)), of(w.device, "device", string(d.ID)),
		of(w.tenant, "account", string(d.Tenant)), of(w.all, "server", ""))
	if wait == 0 {
		return nil
	}
	who, _, _ := strings.Cut(which, " ")
	e := &tenants.Error{Kind: tenants.TooMany, Code: "too_many_" + w.name, RetryAfter: wait}
	switch who {
	case "ring":
		e.Msg = "This device " + w.does + " too often on this ring. Wait a moment and try again."
	case "server":
		e.Kind, e.Msg = tenants.Unavailable, "This server has too many calls to set up right now. Wait a moment and try again."
	default:
		e.Msg = "This " + who + " " + w.does + " too often. Wait a moment and try again."
	}
	return e
}
