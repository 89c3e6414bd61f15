package console

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// TestConnectionOfEachRole adds one of each role with its form, opens the form again and saves it:
// nothing of the settings is lost, and no password comes out.
func TestConnectionOfEachRole(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.Quick(b.Owner)
	sid := "AC" + strings.Repeat("0a", 16)
	for role, more := range map[tenants.ConnectionRole][]string{
		tenants.RoleWebhook: {"url", "https://a.example/"}, tenants.RoleCRM: {"url", "https://a.example/", "ask", "1", "ask_url",
			"https://a.example/who"},
		tenants.RoleMLS:      {"url", "https://a.example/"},
		tenants.RoleCalendar: {"url", "https://a.example/on-call.ics", "feed_zone", "Europe/Berlin"},
		tenants.RoleSMS: {"url", "https://api.twilio.com", "account_sid", sid, "token", "s3cret", "sms_from", "+49 1511 2345678", "quiet_from",
			"20:30", "minutes", "90"},
		tenants.RoleAudit:      {"url", "syslog+tls://logs.example:6514", "facility", "10"},
		tenants.RoleTranscript: {"url", "https://a.example/", "ids_only", "1"},
	} {
		form := append([]string{"role", string(role), "name", "It is " + string(role)}, more...)
		res := w.Post("/connections/add", fieldsOf(form...))
		if signs(tenants.Connection{Role: role, URL: more[1]}) {
			res.Want(200).Has("whsec_")
		} else {
			res.Want(303)
		}
	}
	all, _, err := b.Scope().Connections().List(t.Context(), store.Page{Limit: 50})
	pagetest.Must(t, err)
	if len(all) != len(tenants.ConnectionRoles) {
		t.Fatalf("%d connections were added", len(all))
	}
	for _, was := range all {
		at := "/connections/" + string(was.ID)
		shown := w.Get(at).Want(200).Has(was.Role.Name()).Lacks("s3cret")
		if test := `action="` + at + `/test"`; was.Role == tenants.RoleCalendar {
			shown.Lacks(test)
		} else {
			shown.Has(test, testWords[was.Role], testButton(was.Role, false))
		}
		if was.Role == tenants.RoleSMS {
			shown.Has("/v1/sms/"+string(was.ID), incomingTextsSub)
		}
		edit := w.Get(at + "/edit").Want(200).Lacks("s3cret")
		form := formOf(t, edit.Body, at+"/edit")
		w.Post(at+"/edit", form).Leads(at)
		now, err := b.Scope().Connections().Get(t.Context(), was.ID)
		pagetest.Must(t, err)
		if settingsText(now) != settingsText(was) {
			t.Errorf("%s: saving the form changed the settings\nfrom %s\nto   %s", was.Role, settingsText(was), settingsText(now))
		}
	}
	w.Post("/connections/add", fieldsOf("role", "sms", "name", "x", "url", "https://api.twilio.com", "account_sid", "1", "token", "s3cret",
		"minutes", "many", "per_day", "0", "quiet_from", "25:00")).Want(400).Has("AC and 32 of", "Enter this again", "1 to 10,080 minutes",
		"A time of day such as 21:00").Lacks("s3cret")
	w.Post("/connections/add", fieldsOf("role", "audit", "name", "x", "url", "https://a.example/", "facility", "99")).Want(400).
		Has("1 to 23")
	opaque := h.bare("clinic", "Clinic")
	was, err := opaque.Scope().Tenant(t.Context())
	pagetest.Must(t, err)
	was.Industry = tenants.Healthcare
	pagetest.Must(t, opaque.Scope().SetTenant(t.Context(), was))
	w = opaque.Quick(opaque.Owner)
	w.Get("/connections/add?role=transcript").Want(200).Has("does not leave Carillon").Lacks("Send ids only")
	w.Get("/connections/add?role=sms").Has("You can use {time}.").Lacks("{caller}")
	w.Get("/connections/add").Lacks("MLS (listings)")
}

// TestCalendarShowsWhoIsOnCall: the page of a calendar shows who is on call now and next, and why
// it could not be read.
func TestCalendarShowsWhoIsOnCall(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	now := h.Clock.Now()
	id := tenants.NewID[tenants.ConnectionID](now)
	_, err := b.Scope().Connections().Add(t.Context(), tenants.Connection{ID: id, Tenant: b.Id, Name: "Rota", Role: tenants.RoleCalendar,
		URL: "https://a.example/on-call.ics", CreatedAt: now}.Clean())
	pagetest.Must(t, err)
	w, at := b.Quick(b.Owner), "/connections/"+string(id)
	w.Get(at).Want(200).Has("The calendar was not read yet", "Not used yet").Lacks("Send a test event", "Rotate secret", "Last 24 hours")
	w.Get(at + "/deliveries").Want(200)

	schedules := b.Scope().Rosters()
	_, err = schedules.Claim(t.Context(), id, "https://a.example/on-call.ics", now, now.Add(time.Hour))
	pagetest.Must(t, err)
	k := store.KeptRoster{Roster: tenants.Roster{Connection: id, ReadAt: now, GoodAt: now,
		Duties: []tenants.Duty{{From: now.Add(-time.Hour), To: now.Add(time.Hour), Who: "Ana on duty", Person: "ana"},
			{From: now.Add(time.Hour), To: now.Add(9 * time.Hour), Who: "Jonas"}}, Notes: []string{"one event has no end"}},
		Address: "https://a.example/on-call.ics"}
	pagetest.Must(t, schedules.Keep(t.Context(), k))
	w.Get(at).Has("Who is on call", "Ana on duty (ana)", "Jonas", "One event has no end.", "Working")
	w.Get("/connections").Has("Rota", "Working")
	k.Failed, k.Cause = 3, "the address answered 404"
	pagetest.Must(t, schedules.Keep(t.Context(), k))
	w.Get(at).Has("This connection is failing", "The address answered 404.", "Ana on duty (ana)")
	w.Get("/connections").Has("Failing")
}

// settingsText is what a connection's role was set to.
func settingsText(c tenants.Connection) string {
	all, _ := json.Marshal([]any{c.Lookup, c.Calendar, c.SMS, c.Audit, c.Transcript, c.HasToken, c.URL, c.Events})
	return string(all)
}

// formOf is what the form that is sent to action has in its fields.
func formOf(t *testing.T, page, action string) url.Values {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	pagetest.Must(t, err)
	for form := range doc.Descendants() {
		if form.Data != "form" || attr(form, "action") != action {
			continue
		}
		sent, _ := fill(form)
		for n := range form.Descendants() {
			switch {
			case n.Data == "option" && has(n, "selected"):
				sent.Add(attr(n.Parent, "name"), attr(n, "value"))
			case n.Data == "textarea" && n.FirstChild != nil:
				sent.Add(attr(n, "name"), n.FirstChild.Data)
			}
		}
		return sent
	}
	t.Fatalf("no form for %s", action)
	return nil
}
