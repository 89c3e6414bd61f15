package storetest

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

func testSubscriptions(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	_, err := s.Subscription().Get(ctx)
	b.refused(err, tenants.Unknown, "no subscription")
	e, err := s.Subscription().Entitlement(ctx)
	b.must(err)
	equal(b, e.Standing, tenants.StandingOpen, "without a subscription")

	now := b.clock.Now()
	trial := b.s.Plans().Trial("", "starter", now)
	b.must(s.Subscription().Set(ctx, trial))
	got, err := s.Subscription().Get(ctx)
	b.must(err)
	trial.Tenant = got.Tenant
	equal(b, got, trial, "read back")
	e, err = s.Subscription().Entitlement(ctx) // the cache was emptied by the write
	b.must(err)
	equal(b, e.Standing, tenants.StandingTrial, "in a trial")
	equal(b, e.Plan.Name, "Starter", "plan")

	b.must(s.Subscription().Change(ctx, func(x *tenants.Subscription) error {
		x.State, x.Customer = tenants.SubActive,
			"cus_1"
		return nil
	}))
	at := b.clock.add(time.Minute)
	b.must(s.Subscription().Change(ctx, func(x *tenants.Subscription) error { x.SyncedAt = at; return nil }))
	stop := errors.New("stop")
	if err := s.Subscription().Change(ctx, func(x *tenants.Subscription) error { x.Plan = "gold"; return stop }); !errors.Is(err, stop) {
		b.Errorf("an error of change: %v", err)
	}
	got, err = s.Subscription().Get(ctx)
	b.must(err)
	equal(b, got.Customer+" "+got.Plan, "cus_1 starter", "after changes")
	equal(b, got.SyncedAt, at, "when Stripe was asked")
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "subscription."})
	b.must(err)
	equal(b, len(audits), 2, "audit rows: being asked is no change")
	equal(b, audits[0].Detail, "state, customer", "what changed")

	id, err := b.s.Tenants().OfCustomer(ctx, "cus_1")
	b.must(err)
	equal(b, id, got.Tenant, "tenant of a customer")
	for _, who := range []string{"", "cus_2"} {
		_, err = b.s.Tenants().OfCustomer(ctx, who)
		b.refused(err, tenants.Unknown, "nobody's customer")
	}
	b.refused(other.Subscription().Set(ctx, tenants.Subscription{Plan: "starter", State: tenants.SubActive, Customer: "cus_1"}),
		tenants.Conflict, "one customer of two tenants")
	b.must(other.Subscription().Set(ctx, tenants.Subscription{Plan: "retired", State: tenants.SubActive}))
	e, err = other.Subscription().Entitlement(ctx)
	b.must(err)
	equal(b, e.Plan.Name, "retired", "a plan that the file has no more")
	equal(b, e.Plan.Grace, 7*24*time.Hour, "its grace")
	all, err := b.s.Tenants().Subscriptions(ctx)
	b.must(err)
	equal(b, len(all), 2, "subscriptions")
	b.must(s.Subscription().Remove(ctx))
	b.refused(s.Subscription().Remove(ctx), tenants.Unknown, "removed twice")
	e, err = s.Subscription().Entitlement(ctx)
	b.must(err)
	equal(b, e.Standing, tenants.StandingOpen, "after it was removed")
	b.named()
	b.cut()
}

// named: the audit row names each field that changed, and the day on which the tenant got its first
// subscription stays.
func (b *bench) named() {
	b.Helper()
	ctx, s := b.Context(), b.tenant()
	began := b.clock.Now()
	b.must(s.Subscription().Set(ctx, tenants.Subscription{Plan: "starter", State: tenants.SubActive, Interval: tenants.Monthly}))
	at := b.clock.add(time.Hour).Add(7 * time.Nanosecond) // the database keeps microseconds
	for want, change := range map[string]func(*tenants.Subscription){
		"plan":           func(x *tenants.Subscription) { x.Plan = "growth" },
		"interval":       func(x *tenants.Subscription) { x.Interval = tenants.Yearly },
		"period_start":   func(x *tenants.Subscription) { x.PeriodStart = at },
		"trial_end":      func(x *tenants.Subscription) { x.TrialEnd = at },
		"trial_cut":      func(x *tenants.Subscription) { x.TrialCut = at },
		"cancel_at_end":  func(x *tenants.Subscription) { x.CancelAtEnd = true },
		"past_due_since": func(x *tenants.Subscription) { x.PastDueSince = at },
		"overage":        func(x *tenants.Subscription) { x.Overage = true },
		"customer":       func(x *tenants.Subscription) { x.Customer = "cus_named" },
		"stripe":         func(x *tenants.Subscription) { x.Stripe = "sub_named" },
		"quantity":       func(x *tenants.Subscription) { x.Quantity = 2 },
		"state":          func(x *tenants.Subscription) { x.State = tenants.SubPaused },
	} {
		for range 2 { // the second time it is no change
			b.must(s.Subscription().Change(ctx, func(x *tenants.Subscription) error { change(x); return nil }))
		}
		audits, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "subscription."})
		b.must(err)
		equal(b, audits[0].Detail, want, "what changed")
		if len(audits[0].Changes) != 1 || audits[0].Changes[0].Before == audits[0].Changes[0].After {
			b.Errorf("the change of %s is recorded as %q", want, audits[0].Changes)
		}
		equal(b, audits[0].Times, 1, "how often "+want+" changed")
	}
	b.must(s.Subscription().Set(ctx, tenants.Subscription{Plan: "scale", State: tenants.SubActive, CreatedAt: at}))
	got, err := s.Subscription().Get(ctx)
	b.must(err)
	equal(b, got.CreatedAt.Equal(began), true, "since when there is one")
	b.must(s.Subscription().Remove(ctx))
}

// cut ends a trial early: one alert, however often it is written, until something was bought, or
// the operator took it away.
func (b *bench) cut() {
	b.Helper()
	ctx, s := b.Context(), b.tenant()
	open := func() []tenants.Alert {
		b.Helper()
		all, err := s.Alerts().List(ctx, false)
		b.must(err)
		return all
	}
	change := func(what func(*tenants.Subscription)) {
		b.Helper()
		b.must(s.Subscription().Change(ctx, func(x *tenants.Subscription) error { what(x); return nil }))
	}
	again := func() {
		b.Helper()
		b.must(s.Subscription().Set(ctx, b.s.Plans().Trial("", "starter", b.clock.Now())))
		change(func(x *tenants.Subscription) { x.CutTrial(b.clock.Now()) })
	}
	again()
	change(func(x *tenants.Subscription) { x.SyncedAt = b.clock.Now(); x.EndCut() })
	first := open()
	if len(first) != 1 || first[0].Kind != tenants.AlertTrial || first[0].Count != 1 {
		b.Fatalf("the alerts of a cut are %+v", first)
	}
	change(func(x *tenants.Subscription) {
		x.State, x.PeriodEnd = tenants.SubActive, b.clock.Now().AddDate(0, 1, 0)
	})
	equal(b, len(open()), 0, "alerts after something was bought")
	again()
	equal(b, len(open()), 1, "alerts of another cut")
	b.must(s.Alerts().Resolve(ctx, tenants.AlertTrial, ""))
	b.must(s.Subscription().Remove(ctx)) // closed by hand before
	again()
	b.must(s.Subscription().Remove(ctx))
	equal(b, len(open()), 0, "alerts without a subscription")
}

// testPlanLimits: devices and people past the plan are refused where they are added, also when many
// come at once.
func testPlanLimits(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	first := b.device(s, "")
	b.must(s.Subscription().Set(ctx, b.s.Plans().Trial("", "starter", b.clock.Now())))
	var added, refused atomic.Int64
	var wait sync.WaitGroup
	for range 120 {
		d := b.newDevice("")
		wait.Go(func() {
			_, _, err := s.Devices().Add(ctx, d, hashOf("limit", d.ID))
			switch tenants.KindOf(err) {
			case tenants.Unpaid:
				refused.Add(1)
			default:
				b.must(err)
				added.Add(1)
			}
		})
	}
	wait.Wait()
	equal(b, added.Load(), 99, "devices until the plan is full")
	equal(b, refused.Load(), 21, "devices past it")
	first.PhoneID = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
	_, known, err := s.Devices().Add(ctx, first, hashOf("again"))
	b.must(err)
	equal(b, known, true, "a device that is there registers again")
	back := b.newDevice("")
	back.PhoneID = first.PhoneID
	_, known, err = s.Devices().Add(ctx, back, hashOf("installed again"))
	b.must(err) // it takes the place of its earlier row
	equal(b, known, false, "a phone that installed its app again")
	_, _, err = s.Devices().Add(ctx, b.newDevice(""), hashOf("one more"))
	b.refused(err, tenants.Unpaid, "one more device")

	b.member(s, tenants.Owner)
	invite := func(email string) error {
		now := b.clock.Now()
		return s.Invitations().Add(ctx, store.Invitation{Hash: hashOf(email, b.next()), Email: email, Role: tenants.Viewer,
			CreatedAt: now,
			ExpiresAt: now.Add(time.Hour)}, nil)
	}
	b.must(invite("a@example.com"))
	b.must(invite("b@example.com"))
	b.must(invite("b@example.com")) // a new link takes no second place
	b.refused(invite("c@example.com"), tenants.Unpaid, "a fourth person")
	n, err := s.Members().Count(ctx)
	b.must(err)
	equal(b, n, 3, "people")
	b.must(s.Subscription().Remove(ctx))
	b.must(invite("c@example.com"))
}

// testMetered: each ring that Apple accepted counts once, whatever else happens to it.
func testMetered(b *bench) {
	ctx := b.Context()
	s, free := b.tenant(), b.tenant()
	start := b.clock.Now().Add(-time.Hour)
	sub := tenants.Subscription{Plan: "starter", State: tenants.SubActive, Interval: tenants.Monthly, Stripe: "sub_1", Customer: "cus_1",
		PeriodStart: start, PeriodEnd: start.AddDate(0, 1, 0)}
	b.must(s.Subscription().Set(ctx, sub))
	accept := func(s *store.Scope, r *tenants.Ring) {
		for i := range r.Attempts {
			r = b.record(s, r, i, tenants.FactAccepted, b.clock.Now())
		}
	}
	two := b.ring(s, b.device(s, ""), b.device(s, ""))
	half := b.record(s, two, 0, tenants.FactAccepted, b.clock.Now())
	b.roll(3) // the ring's facts are counted in two turns of the roller
	b.record(s, half, 1, tenants.FactAccepted, b.clock.Now())
	test := b.newRing(b.device(s, ""))
	test.Test = true
	_, err := s.Rings().Add(ctx, test, noKey, test.ExpiresAt)
	b.must(err)
	accept(s, test)
	b.ring(s, b.device(s, "")) // never accepted
	accept(free, b.ring(free, b.device(free, "")))
	b.roll(6)
	later := b.clock.add(24 * time.Hour)
	accept(s, b.ring(s, b.device(s, "")))
	b.roll(2)
	days, err := s.Subscription().UsageDays(ctx, start, time.Time{}, time.UTC)
	b.must(err)
	equal(b, len(days), 2, "days")
	equal(b, days[0].Rings, 1, "a ring of two phones, on the first day")
	equal(b, days[1].Day, later.Format(time.DateOnly), "the second day")
	east := time.FixedZone("", (24-later.UTC().Hour())*3600)
	days, err = s.Subscription().UsageDays(ctx, start, time.Time{}, east)
	b.must(err)
	equal(b, days[1].Day, later.AddDate(0, 0, 1).Format(time.DateOnly), "the second day, where it is midnight already")
	b.clock.add(2 * time.Second) // what was remembered is a second old at most
	e, err := s.Subscription().Entitlement(ctx)
	b.must(err)
	equal(b, e.Usage.Rings, 2, "rings of the month")
	nothing, err := free.Subscription().UsageDays(ctx, start, time.Time{}, time.UTC)
	b.must(err)
	equal(b, len(nothing), 0, "days of a tenant without a subscription")

	open, err := b.s.Jobs().Unreported(ctx, 10)
	b.must(err)
	equal(b, len(open), 2, "rings for Stripe's meter")
	equal(b, open[0].Ring, two.ID, "the oldest first")
	equal(b, open[0].Customer, "cus_1", "customer")
	b.must(b.s.Jobs().Reported(ctx, open[:1]))
	open, err = b.s.Jobs().Unreported(ctx, 10)
	b.must(err)
	equal(b, len(open), 1, "left")
	b.must(b.s.Jobs().Forget(ctx, b.clock.add(41*24*time.Hour)))
	open, err = b.s.Jobs().Unreported(ctx, 10)
	b.must(err)
	equal(b, len(open), 1, "what Stripe has not heard of is not forgotten")

	e, err = s.Subscription().Entitlement(ctx) // renewed, and nobody has told us: the next month begins at 0
	b.must(err)
	equal(b, e.Usage.Rings, 0, "rings of the next month")
}

// testMeteredToStripe: a ring is reported to Stripe's meter if Stripe bills the tenant, and past
// the plan only with overage.
func testMeteredToStripe(b *bench) {
	ctx := b.Context()
	config := b.config
	config.Plans = tenants.Plans{Currency: "usd", Plans: []tenants.Plan{{Code: "tiny", Name: "Tiny", Rings: 2, Overage: 5},
		{Code: "endless", Name: "Endless"}}}
	b.roller = OpenConfig(b, config)
	start := b.clock.Now().Add(-time.Hour)
	live := tenants.Subscription{Plan: "tiny", State: tenants.SubActive, Interval: tenants.Monthly, Stripe: "sub", Customer: "cus",
		PeriodStart: start, PeriodEnd: start.AddDate(0, 1, 0)}
	type kind struct {
		name   string
		change func(*tenants.Subscription) // nil = no subscription
		want   int
	}
	kinds := []kind{
		{"without a subscription", nil, 0},
		{"within the plan", func(*tenants.Subscription) {}, 2},
		{"with overage", func(x *tenants.Subscription) { x.Overage = true }, 5},
		{"without a limit", func(x *tenants.Subscription) { x.Plan = "endless" }, 5},
		{"unknown to Stripe", func(x *tenants.Subscription) { x.Customer = "" }, 0},
		{"given by hand", func(x *tenants.Subscription) { x.Stripe = "" }, 0},
		{"cancelled", func(x *tenants.Subscription) { x.State = tenants.SubCancelled }, 0},
	}
	want := map[string]int{}
	scopes := map[string]*store.Scope{}
	facts := 0
	for turn := range 2 { // of the roller: what it counted before is known in the next
		for i, k := range kinds {
			s := scopes[k.name]
			if s == nil {
				s = b.tenant()
				scopes[k.name] = s
			}
			if turn == 0 && k.change != nil {
				x := live
				x.Customer += string(rune('a' + i))
				k.change(&x)
				b.must(s.Subscription().Set(ctx, x))
				want[x.Customer] += k.want
			}
			d := b.device(s, "")
			for range 1 + turn*3 {
				b.record(s, b.ring(s, d), 0, tenants.FactAccepted, b.clock.Now())
				facts += 2
			}
		}
		b.roll(facts)
		facts = 0
	}
	open, err := b.s.Jobs().Unreported(ctx, 100)
	b.must(err)
	got := map[string]int{}
	for _, m := range open {
		got[m.Customer]++
	}
	for customer, n := range want {
		equal(b, got[customer], n, "rings for the meter of "+customer)
	}
	hour := b.clock.Now().Truncate(time.Hour) // in which all was accepted
	for _, k := range kinds {
		all := map[bool]int64{true: 0, false: 5}[k.change == nil]
		for _, span := range []struct {
			from, to int // hours
			want     int64
		}{{-5, 5, all}, {0, 1, all}, {-1, 0, 0}, {1, 2, 0}} {
			days, err := scopes[k.name].Subscription().UsageDays(ctx, hour.Add(time.Duration(span.from)*time.Hour),
				hour.Add(time.Duration(span.to)*time.Hour), time.UTC)
			b.must(err)
			var n int64
			for _, d := range days {
				n += d.Rings
			}
			if n != span.want {
				b.Errorf("%s: %d rings are counted in hours %d to %d, want %d", k.name, n, span.from, span.to, span.want)
			}
		}
	}
}

func testStripeEvents(b *bench) {
	ctx := b.Context()
	e := store.StripeEvent{ID: "evt_1", Type: "invoice.paid", APIVersion: "2023-10-16", Object: "in_1"}
	at, err := b.s.StripeEvents().LastHeard(ctx)
	b.must(err)
	equal(b, at, time.Time{}, "never heard")
	var mine atomic.Int64
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			ok, err := b.s.StripeEvents().Claim(ctx, e)
			b.must(err)
			if ok {
				mine.Add(1)
			}
		})
	}
	wait.Wait()
	equal(b, mine.Load(), 1, "who acts on one event")
	claim := func(want bool, what string) {
		b.Helper()
		ok, err := b.s.StripeEvents().Claim(ctx, e)
		b.must(err)
		equal(b, ok, want, what)
	}
	b.clock.add(2 * time.Minute)
	claim(true, "after the one who took it never came back")
	claim(false, "right after")
	b.must(b.s.StripeEvents().End(ctx, e.ID, errors.New("no answer from Stripe")))
	claim(true, "after it failed")
	b.must(b.s.StripeEvents().End(ctx, e.ID, nil))
	b.clock.add(time.Hour)
	claim(false, "after it was done")
	at, err = b.s.StripeEvents().LastHeard(ctx)
	b.must(err)
	equal(b, at, b.clock.Now().Add(-time.Hour-2*time.Minute), "heard")
	b.must(b.s.Jobs().Forget(ctx, b.clock.add(91*24*time.Hour)))
	claim(true, "after it was forgotten")
}
