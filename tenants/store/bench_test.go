package store_test

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

const atOnce = 100 // callers

func BenchmarkAddRing(b *testing.B) {
	each(b, func(b *testing.B, s *store.Scope) { load(b, s, false) })
}

// BenchmarkChangeRing changes rings that were placed before the clock starts.
func BenchmarkChangeRing(b *testing.B) {
	each(b, func(b *testing.B, s *store.Scope) { load(b, s, true) })
}

func each(b *testing.B, run func(*testing.B, *store.Scope)) {
	b.Run("sqlite", func(b *testing.B) { run(b, tenant(b, storetest.Open(b))) })
	b.Run("postgres", func(b *testing.B) {
		run(b, tenant(b, storetest.OpenConfig(b, store.Config{URL: storetest.Postgres(b)})))
	})
}

func tenant(b *testing.B, s *store.Store) *store.Scope {
	b.Helper()
	t := tenants.Tenant{ID: tenants.NewID[tenants.TenantID](time.Now()), Slug: "bench", Name: "Bench", Industry: tenants.Salon,
		State:    tenants.TenantActive,
		TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: time.Now()}
	if err := s.Tenants().Add(b.Context(), store.Who{}, t); err != nil {
		b.Fatal(err)
	}
	return s.For(t.ID).By(store.Who{Actor: tenants.Actor{Kind: tenants.ActorKey, ID: "0190aaaa-0000-7000-8000-00000000000c", Name: "bench"},
		IP: "192.0.2.1", RequestID: "request"})
}

func load(b *testing.B, s *store.Scope, change bool) {
	now := time.Now()
	rings := make([]*tenants.Ring, b.N)
	for i := range rings {
		rings[i] = ring(now, i)
	}
	pushed := s.By(store.Who{})
	add := func(r *tenants.Ring) error {
		_, err := s.Rings().Add(b.Context(), r, store.Idempotency{}, r.ExpiresAt)
		return err
	}
	set := func(r *tenants.Ring) error {
		_, _, err := pushed.Rings().Change(b.Context(), r.ID, r, r.ExpiresAt, push)
		return err
	}
	if change {
		spread(b, rings, add)
	}
	start := cpu()
	b.ResetTimer()
	if change {
		spread(b, rings, set)
	} else {
		spread(b, rings, add)
	}
	b.StopTimer()
	b.ReportMetric(float64((cpu()-start).Microseconds())/float64(b.N), "cpu-µs/op")
}

func ring(now time.Time, i int) *tenants.Ring {
	return &tenants.Ring{
		ID: tenants.NewID[tenants.RingID](now.Add(time.Duration(i) * 100 * time.Microsecond)), State: tenants.Placed,
		To:     tenants.To{Device: "0190aaaa-0000-7000-8000-000000000000"},
		Caller: "Salon Anna", Reference: fmt.Sprint(i), By: tenants.Actor{Kind: tenants.ActorKey,
			ID:   "0190aaaa-0000-7000-8000-00000000000c",
			Name: "bench"}, CreatedAt: now.Add(time.Duration(i) * 100 * time.Microsecond),
		ExpiresAt: now.Add(30 * time.Second), Attempts: []tenants.Attempt{{
			ID:     tenants.NewID[tenants.AttemptID](now.Add(time.Duration(i) * 100 * time.Microsecond)),
			Device: "0190aaaa-0000-7000-8000-000000000000", Credential: "0190aaaa-0000-7000-8000-000000000001",
			State: tenants.Placed, AppVersion: "3.2", OSVersion: "26.1", Push: tenants.Push{APNsID: tenants.NewRandomID(),
				Topic: "com.example.app.voip",
				Token: strings.Repeat("ab", 32), Environment: tenants.Production},
		}},
	}
}

func push(r *tenants.Ring) ([]tenants.Fact, error) {
	now := r.CreatedAt.Add(5 * time.Millisecond)
	a := &r.Attempts[0]
	a.Push.Tries, a.Push.Status, a.Push.SentAt, a.Push.AnsweredAt = 1, 200, now, now
	facts := r.Fold(tenants.Fact{Attempt: a.ID, Kind: tenants.FactSent, At: now, Received: now})
	return append(facts, r.Fold(tenants.Fact{Attempt: a.ID, Kind: tenants.FactAccepted, At: now, Received: now})...), nil
}

// spread gives the rings to atOnce callers.
func spread(b *testing.B, rings []*tenants.Ring, do func(*tenants.Ring) error) {
	var wait sync.WaitGroup
	for i := range atOnce {
		wait.Go(func() {
			for j := i; j < len(rings); j += atOnce {
				if err := do(rings[j]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
}

// cpu is the time this process has computed, in user mode and in the kernel.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkTargets is what each ring reads before it is placed.
func BenchmarkTargets(b *testing.B) {
	each(b, func(b *testing.B, s *store.Scope) {
		now := time.Now()
		d := tenants.Device{ID: tenants.NewID[tenants.DeviceID](now), Token: strings.Repeat("ab", 32), Bundle: "com.example.app",
			CreatedAt: now}
		if _, _, err := s.Devices().Add(b.Context(), d, tenants.Hash{}); err != nil {
			b.Fatal(err)
		}
		c := tenants.Credential{ID: tenants.NewID[tenants.CredentialID](now), Kind: tenants.P8, Bundle: d.Bundle, Environment: tenants.Auto,
			CreatedAt: now}
		if err := s.Credentials().Add(b.Context(), c, []byte("secret")); err != nil {
			b.Fatal(err)
		}
		start := cpu()
		for b.Loop() {
			if list, err := s.Rings().Targets(b.Context(), tenants.To{Device: d.ID}); err != nil || len(list) != 1 {
				b.Fatal(list, err)
			}
		}
		b.ReportMetric(float64((cpu()-start).Microseconds())/float64(b.N), "cpu-µs/op")
	})
}

// BenchmarkRing reads one ring with its attempts, facts and call.
func BenchmarkRing(b *testing.B) {
	each(b, func(b *testing.B, s *store.Scope) {
		r := ring(time.Now(), 0)
		if _, err := s.Rings().Add(b.Context(), r, store.Idempotency{}, r.ExpiresAt); err != nil {
			b.Fatal(err)
		}
		start := cpu()
		for b.Loop() {
			if _, err := s.Rings().Get(b.Context(), r.ID); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64((cpu()-start).Microseconds())/float64(b.N), "cpu-µs/op")
	})
}

// BenchmarkRoll folds the three facts of a pushed ring.
func BenchmarkRoll(b *testing.B) {
	s := storetest.Open(b)
	scope, now := tenant(b, s), time.Now()
	rings := make([]*tenants.Ring, b.N)
	for i := range rings {
		rings[i] = ring(now, i)
	}
	spread(b, rings, func(r *tenants.Ring) error {
		if _, err := scope.Rings().Add(b.Context(), r, store.Idempotency{}, r.ExpiresAt); err != nil {
			return err
		}
		_, _, err := scope.Rings().Change(b.Context(), r.ID, r, r.ExpiresAt, push)
		return err
	})
	start := cpu()
	b.ResetTimer()
	for left := 3 * b.N; left > 0; {
		n, err := s.Jobs().Roll(b.Context(), 2000)
		if err != nil || n == 0 {
			b.Fatal(n, err)
		}
		left -= n
	}
	b.ReportMetric(float64((cpu()-start).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkDuties reads what a ring to a group needs, of a tenant with as many groups as it may
// have and a schedule for each.
func BenchmarkDuties(b *testing.B) {
	each(b, func(b *testing.B, s *store.Scope) {
		now := time.Now()
		var g tenants.Group
		for i := range int(tenants.CapGroups.Most) {
			hours := tenants.Schedule{ID: tenants.NewID[tenants.ScheduleID](now), Name: fmt.Sprint("Hours ", i), Zone: "UTC",
				CreatedAt: now}
			hours.Weekly[time.Monday] = []tenants.Span{{From: 480, To: 960}}
			if err := s.Schedules().Add(b.Context(), hours); err != nil {
				b.Fatal(err)
			}
			g = tenants.Group{ID: tenants.NewID[tenants.GroupID](now), Name: fmt.Sprint("Group ", i), Way: tenants.Simultaneous,
				StepSeconds: 20, CreatedAt: now}
			for n := range tenants.MaxGroupMembers {
				g.Members = append(g.Members, tenants.GroupMember{Person: fmt.Sprint("person", n), Schedule: hours.ID})
			}
			if err := s.Groups().Add(b.Context(), g); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportAllocs()
		for b.Loop() {
			if d, err := s.Groups().Duties(b.Context(), g); err != nil || len(d.Schedules) != 1 {
				b.Fatal(d.Schedules, err)
			}
		}
	})
}
