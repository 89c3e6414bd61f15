package store_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// BenchmarkRollLive folds answered rings as a running server does: a hundred in a turn, which the
// writer still has in memory, with latencies that spread as those of phones do.
func BenchmarkRollLive(b *testing.B) {
	const turn = 100
	s := storetest.Open(b)
	scope, now := tenant(b, s), time.Now()
	random := rand.New(rand.NewPCG(1, 2))
	took := func(typical time.Duration) time.Duration {
		return time.Duration(float64(typical) * (0.5 + random.ExpFloat64()))
	}
	var spent time.Duration
	for done := 0; done < b.N; done += turn {
		for i := range min(turn, b.N-done) {
			r := ring(now, done+i)
			if _, err := scope.Rings().Add(b.Context(), r, store.Idempotency{}, r.ExpiresAt); err != nil {
				b.Fatal(err)
			}
			answered := func(r *tenants.Ring) (facts []tenants.Fact, err error) {
				at := r.CreatedAt
				for _, step := range []struct {
					kind    tenants.FactKind
					typical time.Duration
				}{{tenants.FactSent, time.Millisecond}, {tenants.FactAccepted, 80 * time.Millisecond},
					{tenants.FactWoke, 400 * time.Millisecond}, {tenants.FactShown, 60 * time.Millisecond},
					{tenants.FactAnswered, 4 * time.Second}, {tenants.FactConnected, 300 * time.Millisecond},
					{tenants.FactHungUp, time.Minute}} {
					at = at.Add(took(step.typical))
					facts = append(facts, r.Fold(tenants.Fact{Attempt: r.Attempts[0].ID, Kind: step.kind, At: at, Received: at})...)
				}
				return facts, nil
			}
			if _, _, err := scope.Rings().Change(b.Context(), r.ID, r, time.Time{}, answered); err != nil {
				b.Fatal(err)
			}
		}
		start := cpu()
		for n := 1; n > 0; {
			var err error
			if n, err = s.Jobs().Roll(b.Context(), 5000); err != nil {
				b.Fatal(err)
			}
		}
		spent += cpu() - start
	}
	b.ReportMetric(float64(spent.Microseconds())/float64(b.N), "cpu-µs/ring")
}
