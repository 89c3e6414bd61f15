package health_test

import (
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

// TestUsageIsMailedOnce: those who manage the tenant hear at 80 % and at all of what the plan
// includes, once each in a month, and the alert closes when there is room again. Another plan has
// another limit, which is news; while a payment is owed nothing is known to have ended.
func TestUsageIsMailedOnce(t *testing.T) {
	t.Parallel()
	w := newMailWorld(t)
	began := w.clock.Now()
	sub := tenants.Subscription{Plan: "growth", State: tenants.SubActive, Interval: tenants.Monthly, Stripe: "sub_1", Customer: "cus_1",
		PeriodStart: began, PeriodEnd: began.AddDate(0, 1, 0), CreatedAt: began}
	must(t, w.scope.Subscription().Set(t.Context(), sub))
	e, err := w.scope.Subscription().Entitlement(t.Context())
	must(t, err)
	people := 3 // of newMailWorld
	var last tenants.UserID
	fill := func(n int64) {
		t.Helper()
		for ; int64(people) < n; people++ {
			last = tenants.NewID[tenants.UserID](w.clock.Now())
			must(t, w.store.Users().Add(t.Context(), tenants.User{ID: last, Email: string(last) + "@example.com", Password: "phc",
				Theme: "auto", CreatedAt: w.clock.Now()}))
			must(t, w.scope.Members().Add(t.Context(), tenants.Member{User: last, Role: tenants.Viewer, CreatedAt: w.clock.Now()}))
		}
	}
	look := func(mails, open int, says string) {
		t.Helper()
		w.clock.Pass(10 * time.Minute)
		for range 2 {
			must(t, w.monitor.ReviewUsage(t.Context()))
		}
		w.clock.Pass(time.Hour) // mails of one kind wait for each other
		got := w.send()
		for to, m := range got {
			if !strings.Contains(m.Text, says) {
				t.Errorf("to %s: %q", to, m.Text)
			}
		}
		if len(got) != mails || len(w.alerts(tenants.AlertUsage)) != open {
			t.Errorf("%d people: %d mails and %d open alerts, want %d and %d", people, len(got),
				len(w.alerts(tenants.AlertUsage)), mails, open)
		}
	}
	most := e.Plan.People
	look(0, 0, "")
	fill((most*4 + 4) / 5)
	look(2, 1, "people of the plan are in use")
	look(0, 1, "")
	must(t, w.scope.Alerts().Resolve(t.Context(), tenants.AlertUsage, "people_80"))
	look(0, 0, "") // somebody closed it: not again this month
	fill(most)
	look(2, 1, "All "+tenants.FormatCount(most)+" people of the plan are in use")
	must(t, w.scope.Members().Remove(t.Context(), last))
	look(0, 0, "")
	sub.Plan = "starter"
	must(t, w.scope.Subscription().Set(t.Context(), sub))
	look(2, 1, "All 3 people of the plan are in use")
	look(0, 1, "")
	sub.State, sub.PastDueSince = tenants.SubPastDue, w.clock.Now().AddDate(0, 0, -8)
	must(t, w.scope.Subscription().Set(t.Context(), sub))
	must(t, w.monitor.ReviewUsage(t.Context()))
	if n := len(w.alerts(tenants.AlertUsage)); n != 1 {
		t.Errorf("%d open alerts while a payment is owed, want 1", n)
	}
}
