package switchboard

import (
	"time"

	"carillon/tenants"
)

// mediaWork is a kind of request about the sound of a call. Each costs the gateway memory, time of
// the processor, and packets to addresses that the phone named, so each has its own rates.
type mediaWork struct {
	code                      string // of the refusals
	ring, device, tenant, all tenants.Rate
}

// refusing gives the rates their names and what they say. does is what a device does, as in "This
// device … too often".
func (w mediaWork) refusing(name, does string) mediaWork {
	for of, r := range map[string]*tenants.Rate{"ring": &w.ring, "device": &w.device, "account": &w.tenant, "server": &w.all} {
		r.Of, r.Says = of+" "+name, "This "+of+" "+does+" too often. Wait a moment and try again."
	}
	w.ring.Says = "This device " + does + " too often on this ring. Wait a moment and try again."
	w.all.Says, w.all.Shared = "This server has too many calls to set up right now. Wait a moment and try again.", true
	w.code = "too_many_" + name
	return w
}

// The rates are far above what phones do: a phone answers once, and again or with an ICE restart
// when it changes its network.
var (
	answers = mediaWork{
		ring: tenants.Rate{Every: 2 * time.Second, Burst: 6}, device: tenants.Rate{Every: time.Second, Burst: 12},
		tenant: tenants.Rate{Every: time.Second / 20, Burst: 200}, all: tenants.Rate{Every: time.Second / 100, Burst: 400},
	}.refusing("answers", "answers calls")
	iceRestarts = mediaWork{
		ring: tenants.Rate{Every: 2 * time.Second, Burst: 4}, device: tenants.Rate{Every: time.Second, Burst: 8},
		tenant: tenants.Rate{Every: time.Second / 20, Burst: 100}, all: tenants.Rate{Every: time.Second / 100, Burst: 200},
	}.refusing("restarts", "restarts ICE")
	fragments = mediaWork{ // a phone may send each candidate by itself
		ring: tenants.Rate{Every: time.Second / 5, Burst: 50}, device: tenants.Rate{Every: time.Second / 10, Burst: 100},
		tenant: tenants.Rate{Every: time.Second / 200, Burst: 2000}, all: tenants.Rate{Every: time.Second / 1000, Burst: 4000},
	}.refusing("fragments", "sends ICE fragments")
)

// admitMedia refuses work that comes too often on one ring, from one device, in one tenant
// (TooMany) or on this server (Unavailable). It reads and writes nothing.
func (b *Board) admitMedia(w mediaWork, d tenants.Device, id tenants.RingID) error {
	return b.limits.Admit(b.Now(), w.code, w.ring.For(string(id)), w.device.For(string(d.ID)), w.tenant.For(string(d.Tenant)), w.all)
}
