package console

import (
	"carillon/app/page/pagetest"

	"strconv"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// BenchmarkPages draws pages of a tenant with 20,000 rings in thirty days.
func BenchmarkPages(b *testing.B) {
	h := open(b)
	t := h.full("beta", "Beta")
	seed(h, t, 20_000)
	w := t.Quick(t.Owner)
	for _, p := range Pages(map[string]string{"rings": string(t.ring), "devices": string(t.device)}) {
		name := strings.NewReplacer(string(t.ring), "id", string(t.device), "id").Replace(p)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				w.Get(p).Want(200)
				h.Clock.Pass(10 * time.Millisecond) // figures grow stale as they do when ten people look
			}
		})
	}
}

// seed places rings over the last thirty days, most of them answered.
func seed(h *server, b *tenant, n int) {
	jobs, done := make(chan int), make(chan struct{})
	for range 64 {
		go func() {
			for i := range jobs {
				seedRing(h, b, h.Clock.Now().Add(-time.Duration(i)*(30*24*time.Hour/time.Duration(n))))
			}
			done <- struct{}{}
		}()
	}
	for i := range n {
		jobs <- i
	}
	close(jobs)
	for range 64 {
		<-done
	}
	for {
		rolled, err := h.Store.Jobs().Roll(h.Context(), 5000)
		pagetest.Must(h, err)
		if rolled == 0 {
			return
		}
	}
}

func seedRing(h *server, b *tenant, at time.Time) {
	id := tenants.NewID[tenants.AttemptID](at)
	jitter := time.Duration(at.UnixNano()/1000%977) * time.Millisecond
	r := &tenants.Ring{ID: tenants.NewID[tenants.RingID](at), Tenant: b.Id, State: tenants.Placed, To: tenants.To{Device: b.device},
		Reference: "ref-" + strconv.Itoa(int(jitter)),
		By:        tenants.Actor{Kind: tenants.ActorKey, Name: "k"}, CreatedAt: at, ExpiresAt: at.Add(30 * time.Second)}
	r.Attempts = []tenants.Attempt{{ID: id, Ring: r.ID, Device: b.device, Credential: b.credential, State: tenants.Placed,
		AppVersion: "1." + strconv.Itoa(int(jitter/time.Millisecond)%4), OSVersion: "26",
		Push:  tenants.Push{APNsID: tenants.NewRandomID(), Topic: "t.voip", Token: "aa", Environment: tenants.Production, Status: 200},
		Facts: []tenants.Fact{{Attempt: id, Kind: tenants.FactPlaced, At: at, Received: at}}}}
	for i, k := range []tenants.FactKind{tenants.FactSent, tenants.FactAccepted, tenants.FactWoke, tenants.FactShown, tenants.FactAnswered,
		tenants.FactConnected, tenants.FactHungUp} {
		when := at.Add(time.Duration(i) * (50*time.Millisecond + jitter))
		r.Fold(tenants.Fact{Attempt: id, Kind: k, At: when, Received: when})
	}
	_, err := b.Scope().Rings().Add(h.Context(), r, store.Idempotency{}, at)
	if err != nil {
		h.Error(err)
	}
}
