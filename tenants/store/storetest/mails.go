package storetest

import (
	"strings"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testMails: each alert is mailed once for each time it begins, to one claimer at a time, and of
// each tenant apart.
func testMails(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	b.clock.add(time.Second) // so that the ids are ordered
	other := b.tenant()
	const lease = 5 * time.Minute
	raise := func(s *store.Scope, target string) {
		b.Helper()
		_, err := s.Alerts().Raise(ctx, tenants.AlertTokensRefused, target, "detail")
		b.must(err)
	}
	claim := func(want string) []tenants.Alert {
		b.Helper()
		list, err := b.s.Jobs().DueAlerts(ctx, b.clock.Now(), lease)
		b.must(err)
		var targets []string
		for _, a := range list {
			targets = append(targets, a.Target)
		}
		equal(b, strings.Join(targets, " "), want, "claimed")
		return list
	}
	claim("")
	raise(s, "a")
	b.clock.add(time.Second)
	raise(s, "a")
	b.clock.add(time.Second)
	raise(s, "b")
	raise(other, "a") // of the same name
	all := claim("a b a")
	equal(b, all[0].Tenant == all[1].Tenant && all[1].Tenant != all[2].Tenant, true, "ordered by tenant")
	claim("")

	b.clock.add(lease)
	all = claim("a b a") // who claimed it died
	b.must(s.Alerts().MarkMailed(ctx, all, b.clock.Now()))
	n, first, err := s.Alerts().MailsSince(ctx, b.clock.Now().Add(-time.Hour))
	b.must(err)
	equal(b, n, 1, "mails")
	equal(b, first, b.clock.Now(), "the first of them")
	n, _, err = other.Alerts().MailsSince(ctx, time.Time{})
	b.must(err)
	equal(b, n, 0, "the other tenant's mails")
	b.clock.add(lease)
	b.must(other.Alerts().DropMail(ctx, claim("a")))
	b.clock.add(lease)
	claim("")

	// An alert that comes and goes is mailed once an hour.
	b.must(s.Alerts().Resolve(ctx, tenants.AlertTokensRefused, "a"))
	raise(s, "a")
	claim("")
	b.clock.add(time.Hour)
	again := claim("a")
	b.must(s.Alerts().Resolve(ctx, tenants.AlertTokensRefused, "a"))
	b.clock.add(time.Hour)
	claim("") // over before anybody was told
	raise(s, "a")
	b.must(s.Alerts().MarkMailed(ctx, again, b.clock.Now())) // of the one before: this one is another
	again = claim("a")
	b.must(s.Alerts().MailAt(ctx, again, b.clock.Now().Add(20*time.Minute)))
	b.clock.add(lease)
	claim("")
	b.clock.add(15 * time.Minute)
	claim("a")

	owner, admin := b.member(s, tenants.Owner), b.member(s, tenants.Admin)
	b.member(s, tenants.Viewer)
	b.member(other, tenants.Owner)
	people, err := s.Members().Managers(ctx)
	b.must(err)
	equal(b, strings.Join(people, " "), owner.Email+" "+admin.Email, "who is written to")
}
