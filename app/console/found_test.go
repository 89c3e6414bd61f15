package console

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/app/page"
	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// TestNamesAreComposed: a name or a tag whose accents are characters of their own is the same as
// one whose letters have them.
func TestNamesAreComposed(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	at := "/devices/" + string(b.device)
	w.Post(at, url.Values{"name": {"Zoe\u0308’s phone"}, "person": {"zoe"}, "environment": {"production"},
		"tags": {"cafe\u0301"}}).Leads(at)
	for _, zoe := range []string{"Zo\u00eb", "Zoe\u0308", "zoe"} {
		w.Get("/devices?q=" + url.QueryEscape(zoe)).Want(200).Has("Zo\u00eb’s phone")
		w.Get("/audit?q=" + url.QueryEscape(zoe)).Want(200).Has("“Zo\u00eb’s phone”")
	}
	for _, tag := range []string{"caf\u00e9", "cafe\u0301"} {
		w.Get("/devices?tag=" + url.QueryEscape(tag)).Want(200).Has("Zo\u00eb’s phone")
	}
	w.Get(at + "/remove").Want(200)
	w.Post(at+"/remove", url.Values{"confirm": {"Zoe\u0308's phone"}}).Leads("/devices")
	w.Get("/audit?q=zoe").Want(200).Has("removed the device")
}

// TestAuditKinds: the log is narrowed to each kind of thing, and leads to what is still there.
func TestAuditKinds(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Get("/audit?action=alert_rule").Want(200).Has("added the alert rule", "Beta rule").Lacks("added the group")
	w.Get("/audit?action=alert").Want(200).Lacks("added the alert rule")
	w.Get("/audit?action=group").Want(200).Has("added the group", `href="/groups/`+string(b.group)+`"`).Lacks("Beta rule")
	w.Get("/audit?action=schedule").Want(200).Has("added the schedule", `href="/schedules/`+string(b.schedule)+`"`)
	w.Get("/audit?action=key").Want(200).Has(`href="/keys/` + string(b.key) + `"`)
	w.Get("/audit.csv?action=group").Want(200).Has("group.add").Lacks("alert_rule.add")
}

// TestInvitationsAreFound: who was invited and has not come is found among the people, and sent a
// new link from there.
func TestInvitationsAreFound(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Post("/people/add", url.Values{"email": {"late@beta.example"}, "role": {"viewer"}}).Want(200)
	w.Get("/people?q=LATE").Want(200).Has("late@beta.example", "Send again", "1 open invitation").
		Lacks(b.Owner.Email + "</small>")
	w.Get("/people?q=nobody").Want(200).Lacks("late@beta.example", "open invitation")
}

// TestFiguresCountWhatTheirListHas: where a list is too long to be counted, the hours say how many
// rings it has, and they say what the list has.
func TestFiguresCountWhatTheirListHas(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	for i := range 40 {
		seedRing(h, b, h.Clock.Now().Add(-time.Duration(i)*47*time.Minute))
	}
	for n := 1; n > 0; {
		var err error
		n, err = h.Store.Jobs().Roll(t.Context(), 1000)
		pagetest.Must(t, err)
	}
	tn, err := b.Scope().Tenant(t.Context())
	pagetest.Must(t, err)
	v := &page.Visitor{Scope: b.Scope(), Tenant: tn, Zone: tn.Zone()}
	k, hour := ringPages{h.k}, h.Clock.Now().Truncate(time.Hour)
	from := hour.Add(-30 * time.Hour)
	clock := func(hour, day int) *store.Clock { return &store.Clock{Zone: v.Zone, Hour: hour, Weekday: day} }
	at := hour.Add(-5 * time.Hour).In(v.Zone)
	for i, q := range []store.RingQuery{
		{From: from}, {From: from, To: hour}, {From: from, State: tenants.Ended}, {From: from, State: tenants.Failed},
		{From: from, Cut: tenants.Cut{By: tenants.SplitAppVersion, Value: "1.0"}},
		{From: from, Cut: tenants.Cut{By: tenants.SplitAppVersion, Value: "1.1"}, State: tenants.Ended},
		{From: from, Clock: clock(at.Hour(), int(at.Weekday()))}, {From: from, Clock: clock(-1, int(at.Weekday())), State: tenants.Ended},
	} {
		n, ok, err := k.inHours(t.Context(), v, q)
		pagetest.Must(t, err)
		want, err := b.Scope().Rings().Total(t.Context(), q)
		pagetest.Must(t, err)
		if !ok || want.More || n != want.N {
			t.Errorf("query %d: %d rings by their hours (%v), %d in the list", i, n, ok, want.N)
		}
		if i == 0 && n < 30 {
			t.Errorf("only %d rings", n)
		}
	}
	old := hour.Add(-400 * 24 * time.Hour) // rings of then may be removed
	for _, q := range []store.RingQuery{{}, {From: old}, {From: old, To: hour}, {From: from, Search: "x"}, {From: from, Device: b.device},
		{From: from, Person: "ana"},
		{From: from, State: tenants.Ringing}, {From: from.Add(time.Minute)}, {From: from, To: hour.Add(time.Second)}} {
		if n, ok, err := k.inHours(t.Context(), v, q); ok || err != nil {
			t.Errorf("%+v: %d rings by hours (%v)", q, n, err)
		}
	}
	month := store.RingQuery{From: hour.Add(-31 * 24 * time.Hour)}
	if _, ok, err := k.inHours(t.Context(), v, month); !ok || err != nil {
		t.Errorf("the hours of a month are not counted (%v)", err)
	}
	v.Tenant.Changes = &tenants.RuleChanges{Retention: map[tenants.DataKind]int{tenants.DataRings: 30}}
	if n, ok, err := k.inHours(t.Context(), v, month); ok || err != nil {
		t.Errorf("%d rings of a month by hours, where 30 days are kept (%v)", n, err)
	}
	v.Zone = time.FixedZone("half an hour", 5*3600+1800)
	if n, ok, err := k.inHours(t.Context(), v, store.RingQuery{From: from, Clock: clock(8, -1)}); ok || err != nil {
		t.Errorf("%d rings of an hour that begins at half past (%v)", n, err)
	}
	if _, ok, err := k.inHours(t.Context(), v, store.RingQuery{From: from}); !ok || err != nil {
		t.Errorf("the hours of no hour of a day are not counted (%v)", err)
	}
}

// TestPaletteFindsPages: pages that no menu has are found by what people call them, by those who
// may open them, and none that this server does not have.
func TestPaletteFindsPages(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w, developer := b.Quick(b.Owner), b.Quick(b.Person(tenants.Developer))
	for typed, path := range map[string]string{"password": "/account", "export": "/settings/data", "deletion": "/settings/data",
		"role": "/people/roles", "verify": "/audit/review", "weekly": "/alerts/digest", "targets": "/alerts/targets",
		"industry": "/settings/rules", "provider": "/settings/sign-in"} {
		w.Get("/palette?q=" + typed).Want(200).Has(`href="` + path + `"`)
	}
	w.Get("/palette?q=invoices").Want(200).Lacks("/billing/invoices")
	developer.Get("/palette?q=verify").Want(200).Lacks("/audit/review")
	developer.Get("/palette?q=password").Want(200).Has(`href="/account"`)
}

// TestAlertsAreFoundByPlace: an alert is found by the name of what it is about, and by its day.
func TestAlertsAreFoundByPlace(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	for kind, target := range map[tenants.AlertKind]string{tenants.AlertAgent: string(b.agent),
		tenants.AlertConnection: string(b.connection),
		tenants.AlertOfRule:     string(b.rule), tenants.AlertKeyExpiry: string(b.key), tenants.AlertDuty: string(b.group),
		tenants.AlertTargetFails: string(b.target)} {
		_, err := b.Scope().Alerts().Raise(t.Context(), kind, target, "why")
		pagetest.Must(t, err)
	}
	for typed, kind := range map[string]tenants.AlertKind{"beta desk": tenants.AlertAgent, "beta hook": tenants.AlertConnection,
		"beta rule": tenants.AlertOfRule, "beta key": tenants.AlertKeyExpiry, "beta line": tenants.AlertDuty,
		"beta target": tenants.AlertTargetFails} {
		file := w.Get("/alerts.csv?q=" + url.QueryEscape(typed)).Want(200).Body
		if n := strings.Count(file, "\r\n"); n != 2 || !strings.Contains(file, string(kind)) {
			t.Errorf("%q: %d lines without %s: %q", typed, n, kind, file)
		}
	}
	w.Get("/alerts?period=today").Want(200).Has("Beta line")
	w.Get("/alerts?period=yesterday").Want(200).Lacks("Beta line")
}

// TestEveryFaultIsNamed: a file with more faults than rows fit on a page names the line of each.
func TestEveryFaultIsNamed(t *testing.T) {
	t.Parallel()
	var all []tenants.FileFault
	for line := 2; line <= 3*faultsShown; line++ {
		if line%100 != 0 {
			all = append(all, tenants.FileFault{Line: line, Column: "token", Cause: "It is missing.", Cure: "Add it."})
		}
	}
	rows, more := faultRows(all)
	if len(rows) != faultsShown+1 || more != 0 || rows[0].Lines != "2" || rows[faultsShown].Lines != "204–299, 301–399, 401–499, 501–599" {
		t.Errorf("%d rows, %d more, the last of %s", len(rows), more, rows[len(rows)-1].Lines)
	}
	for i := range 2 * faultsShown {
		all = append(all, tenants.FileFault{Line: 700 + i, Column: "token", Cause: strings.Repeat("x", i), Cure: "Add it."})
	}
	if rows, more = faultRows(all); len(rows) != 2*faultsShown || more != faultsShown+1 {
		t.Errorf("%d rows, %d more", len(rows), more)
	}
}
