package storetest

import (
	"sync"
	"sync/atomic"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// roll rolls until want facts are counted, and not one more. On PostgreSQL a transaction that is
// open anywhere on the server, such as another test's, holds newer facts back for a moment.
func (b *bench) roll(want int) {
	b.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline, got := time.Now().Add(time.Minute), 0; ; <-tick.C {
		n, err := b.roller.Jobs().Roll(b.Context(), 1000)
		b.must(err)
		if got += n; got > want || n == 0 && got == want {
			equal(b, got, want, "rolled")
			return
		}
		if time.Now().After(deadline) {
			b.Fatalf("rolled %d facts, want %d", got, want)
		}
	}
}

func testTallies(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	d := b.device(s, "")
	r := b.newRing(d)
	r.Agent = "0190aaaa-0000-7000-8000-0000000000a1"
	at := r.CreatedAt
	_, err := s.Rings().Add(ctx, r, noKey, r.ExpiresAt)
	b.must(err)
	b.ring(other, b.device(other, ""))
	b.roll(2)
	b.roll(0)
	// The phone's word overtakes Apple's: woke is recorded before accepted, and the hop between
	// them is timed once.
	step := func(k tenants.FactKind, after time.Duration) { b.Helper(); r = b.record(s, r, 0, k, at.Add(after)) }
	step(tenants.FactSent, 10*time.Millisecond)
	step(tenants.FactWoke, 50*time.Millisecond)
	b.roll(2)
	step(tenants.FactAccepted, 30*time.Millisecond)
	step(tenants.FactShown, 90*time.Millisecond)
	b.roll(2)
	step(tenants.FactAnswered, time.Hour) // in the next hour
	b.roll(1)

	type timed struct {
		k    tenants.FactKind
		took time.Duration
	}
	want := map[tenants.Tally]bool{}
	tally := func(k tenants.FactKind, at time.Time, bucket int) {
		want[tenants.Tally{Hour: at.Truncate(time.Hour), Fact: k, Environment: tenants.Production, AppVersion: d.AppVersion,
			OSVersion: d.OSVersion,
			Agent:     "0190aaaa-0000-7000-8000-0000000000a1", Bucket: bucket, N: 1}] = true
	}
	for _, f := range r.Attempts[0].Facts {
		tally(f.Kind, f.At, -1)
		tally(f.Kind, f.At, -2)
	}
	for _, x := range []timed{{tenants.FactSent, 10 * time.Millisecond}, {tenants.FactAccepted, 20 * time.Millisecond},
		{tenants.FactWoke, 20 * time.Millisecond}, {tenants.FactShown, 40 * time.Millisecond}} {
		tally(x.k, at, tenants.Bucket(x.took))
	}
	tally(tenants.FactAnswered, at.Add(time.Hour), tenants.Bucket(time.Hour-90*time.Millisecond))
	got, err := s.Analytics().Tallies(ctx, at.Add(-time.Hour), time.Time{})
	b.must(err)
	equal(b, len(got), len(want), "cells")
	for _, x := range got {
		if !want[x] {
			b.Errorf("unexpected cell %+v", x)
		}
	}
	b.checkFunnel(s, at)
}

func testRollAtOnce(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	d := b.device(s, "")
	const rings = 60
	var writers, rollers sync.WaitGroup
	stop := make(chan struct{})
	var rolled atomic.Int64
	for range 3 {
		rollers.Go(func() {
			for {
				n, err := b.s.Jobs().Roll(ctx, 7)
				if err != nil {
					b.Error(err)
				}
				rolled.Add(int64(n))
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for range rings {
		writers.Go(func() {
			r := b.newRing(d)
			if _, err := s.Rings().Add(ctx, r, noKey, r.ExpiresAt); err != nil {
				b.Error(err)
				return
			}
			for _, k := range []tenants.FactKind{tenants.FactSent, tenants.FactAccepted} {
				if _, _, err := s.Rings().Change(ctx, r.ID, nil, time.Time{}, fold(r.Attempts[0].ID, k, b.clock.Now())); err != nil {
					b.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	rollers.Wait()
	b.roll(3*rings - int(rolled.Load()))
	rows, err := s.Analytics().Funnel(ctx, b.clock.Now().Add(-time.Hour), b.clock.Now().Add(time.Hour), "")
	b.must(err)
	equal(b, len(rows), 3, "facts")
	for _, row := range rows {
		equal(b, row.N, rings, "counted "+string(row.Fact))
		equal(b, row.Rings, rings, "rings counted "+string(row.Fact))
		var timed int64
		for _, n := range row.Buckets {
			timed += n
		}
		if want := int64(rings); row.Fact != tenants.FactPlaced && timed != want {
			b.Errorf("timed %s: %d, want %d", row.Fact, timed, want)
		}
	}
}

// testTalliesByRing: a person with three phones is rung once, whatever the phones do.
func testTalliesByRing(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	r := b.newRing(b.device(s, "ana"), b.device(s, "ana"), b.device(s, "ana"))
	r.To = tenants.To{Person: "ana"}
	at := r.CreatedAt
	_, err := s.Rings().Add(ctx, r, noKey, r.ExpiresAt)
	b.must(err)
	step := func(attempt int, k tenants.FactKind, after time.Duration) {
		b.Helper()
		b.clock.add(time.Millisecond)
		r = b.record(s, r, attempt, k, at.Add(after))
	}
	b.roll(3)
	for i := range 3 {
		step(i, tenants.FactAccepted, time.Duration(20+i)*time.Millisecond)
	}
	b.roll(3)
	step(2, tenants.FactWoke, 50*time.Millisecond)
	step(0, tenants.FactWoke, 60*time.Millisecond)
	step(0, tenants.FactShown, 70*time.Millisecond)
	step(1, tenants.FactSilenced, 80*time.Millisecond)
	step(0, tenants.FactAnswered, time.Second) // and elsewhere for the third
	b.roll(6)
	ends, err := s.Analytics().RingEnds(ctx, at.Add(-time.Hour), time.Time{}, time.UTC)
	b.must(err)
	equal(b, len(ends), 0, "ends while they talk")
	step(0, tenants.FactHungUp, 2*time.Hour)
	b.roll(1)

	rows, err := s.Analytics().Funnel(ctx, at.Add(-time.Hour), time.Time{}, "")
	b.must(err)
	phones := map[tenants.FactKind]int64{tenants.FactPlaced: 3, tenants.FactAccepted: 3, tenants.FactWoke: 2, tenants.FactShown: 1,
		tenants.FactAnswered: 1, tenants.FactSilenced: 1, tenants.FactElsewhere: 1, tenants.FactHungUp: 1}
	equal(b, len(rows), len(phones), "facts")
	for _, row := range rows {
		equal(b, row.N, phones[row.Fact], "phones "+string(row.Fact))
		equal(b, row.Rings, 1, "rings "+string(row.Fact))
	}
	ends, err = s.Analytics().RingEnds(ctx, at.Add(-time.Hour), time.Time{}, time.UTC)
	b.must(err)
	equal(b, len(ends), 1, "ends")
	equal(b, ends[0], store.RingEnd{Day: at.UTC().Format(time.DateOnly), State: tenants.Ended, N: 1}, "the end")

	// Nobody answers: the ring ends once, when its last phone does, on the day on which it was
	// placed.
	missed := b.newRing(b.device(s, "ben"), b.device(s, "ben"))
	missed.To = tenants.To{Person: "ben"}
	_, err = s.Rings().Add(ctx, missed, noKey, missed.ExpiresAt)
	b.must(err)
	b.clock.add(time.Millisecond)
	missed = b.record(s, missed, 0, tenants.FactRefused, missed.CreatedAt)
	b.roll(3)
	b.clock.add(time.Millisecond)
	b.record(s, missed, 1, tenants.FactExpired, missed.CreatedAt.Add(30*time.Second))
	b.roll(1)
	ends, err = s.Analytics().RingEnds(ctx, at.Add(-time.Hour), time.Time{}, time.UTC)
	b.must(err)
	equal(b, len(ends), 2, "ends of both")
	equal(b, ends[1].N, 1, "missed once")
	equal(b, ends[1].State, tenants.Missed, "missed")
	reasons, _, err := s.Analytics().Reasons(ctx, at.Add(-time.Hour), time.Time{})
	b.must(err)
	equal(b, len(reasons), 2, "reasons: refused and silenced, and no ends")
}
