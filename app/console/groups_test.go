package console

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// TestGroupPage: a group is made by its form, and its page says who would ring, at any moment.
func TestGroupPage(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	now := h.Clock.Now()
	office := tenants.Schedule{ID: tenants.NewID[tenants.ScheduleID](now), Name: "Office", Zone: "UTC", CreatedAt: now}
	office.Weekly[time.Monday] = []tenants.Span{{From: 480, To: 960}}
	pagetest.Must(t, b.Scope().Schedules().Add(t.Context(), office))
	w := b.Quick(b.Owner)
	w.Get("/groups").Want(200).Has("Beta line", "One after the other", "Add group")
	form := url.Values{"name": {"Night line"}, "way": {"sequential"}, "step_s": {"20"}, "members": {"ana, office\nben"},
		"escalate": {string(b.group)}}
	w.Post("/groups/add", form).Want(303)
	all, _, err := b.Scope().Groups().List(t.Context(), store.Page{Search: "night"})
	pagetest.Must(t, err)
	if len(all) != 1 || len(all[0].Members) != 2 || all[0].Members[0].Schedule != office.ID || all[0].Escalate != b.group {
		t.Fatalf("made %+v", all)
	}
	path := "/groups/" + string(all[0].ID)
	w.Get(path+"?at=2026-11-28T10:00").Want(200).Has("ana is off until Monday 08:00", "ben cannot be rung", "ana, Office")
	w.Get(path + "?at=yesterday").Want(200).Has("Choose a date and a time")
	form.Set("members", "ana, Night shift")
	w.Post(path, form).Has("no schedule with this name", "ana, Night shift")
	form.Set("members", "ana\nana")
	w.Post(path, form).Has("is named twice")
}

// TestSchedulePage: a schedule is filled by its form, Monday is copied, and its page says what
// comes in the next seven days; one by a calendar says why it cannot be read.
func TestSchedulePage(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Get("/schedules").Want(200).Has("Beta hours", "Mon 08:00–16:00 · UTC", "Add schedule")
	form := url.Values{"name": {"Nights"}, "time_zone": {"Europe/Berlin"}, "d1-0-from": {"22:00"}, "d1-0-to": {"06:00"},
		"d6-0-from": {"18:00"}, "d6-0-to": {"00:00"}, "x0-date": {"2026-12-24"}, "x0-note": {"Christmas Eve"}, "copy": {"weekdays"}}
	copied := w.Post("/schedules/add", form).Want(200)
	copied.Has(`name="d5-0-from" value="22:00"`, `name="d0-0-from" value=""`)
	form.Del("copy")
	w.Post("/schedules/add", form).Want(303)
	all, _, err := b.Scope().Schedules().List(t.Context(), store.Page{Search: "nights"})
	pagetest.Must(t, err)
	if len(all) != 1 || len(all[0].Weekly[time.Monday]) != 1 || all[0].Weekly[time.Saturday][0].To != tenants.DayMinutes ||
		len(all[0].Exceptions) != 1 {
		t.Fatalf("made %+v", all)
	}
	path := "/schedules/" + string(all[0].ID)
	w.Get(path).Want(200).Has("The next 7 days", "22:00–24:00", "Christmas Eve", "No group uses this schedule yet", `value="00:00"`)
	form.Set("d1-0-to", "")
	w.Post(path, form).Want(400).Has("Monday: give each span a beginning and an end", `name="d1-0-from" value="22:00"`)
	w.Get(path + "/remove").Want(200).Has("No group uses it")

	fed := ofFed(b)
	w.Get(fed).Want(200).Has("Not read yet", "Read now")
	w.Post(fed+"/read", url.Values{}).Want(303)
	w.Get(fed).Want(200).Has("Cannot be read", "nobody is left out because of it")
	w.Post(fed+"/read", url.Values{}).Want(429)
	g, err := b.Scope().Groups().Get(t.Context(), b.group)
	pagetest.Must(t, err)
	g.Members[0].Schedule = all[0].ID
	pagetest.Must(t, b.Scope().Groups().Set(t.Context(), g))
	w.Get("/schedules").Has("Beta line")
	w.Get(path + "/remove").Has("It is used by Beta line")
	w.Post(path+"/remove", url.Values{"confirm": {"Nights"}}).Want(409).Has("Give their members another one first")
}

// TestGroupsElsewhere: a group is rung by the test button, also in quiet hours by those who may,
// and is found by Ctrl-K.
func TestGroupsElsewhere(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	to := url.Values{"device": {"group:" + string(b.group)}}
	w.Get("/rings/test").Want(200).Has("Beta line", `value="group:`+string(b.group)).Lacks("Emergency")
	w.Post("/rings/test", to).Want(403).Has("Nobody of the group Beta line can be rung now")
	g, err := b.Scope().Groups().Get(t.Context(), b.group)
	pagetest.Must(t, err)
	g.Members = []tenants.GroupMember{{Person: b.Tag() + "-person"}, {Person: "nobody"}}
	pagetest.Must(t, b.Scope().Groups().Set(t.Context(), g))
	live := w.Post("/rings/test", to).Want(303).Header.Get("Location")
	w.Get(live).Want(200).Has("Test ring")
	ring := strings.TrimSuffix(live, "/test")
	w.Get(ring).Want(200).Has("Beta line", "is always on duty", "nobody cannot be rung", "Left out")
	w.Get(ring + "/part?view=ring").Has("Left out")
	w.Post(ring+"/cancel", url.Values{}).Want(303)
	w.Get(ring).Has("/rings/test?device=group:" + string(b.group))
	now := h.Clock.Now().UTC()
	pagetest.Must(t, b.Scope().SetRules(t.Context(), func(c *tenants.RuleChanges) {
		minute := now.Hour()*60 + now.Minute()
		c.Quiet = &tenants.QuietHours{From: (minute + tenants.DayMinutes - 60) % tenants.DayMinutes, To: (minute + 60) % tenants.DayMinutes,
			Days: tenants.EveryDay}
	}))
	d, err := b.Scope().Devices().Get(t.Context(), b.device)
	pagetest.Must(t, err)
	d.TimeZone = "UTC"
	pagetest.Must(t, b.Scope().Devices().Set(t.Context(), d))
	w.Get("/rings/test").Has("Emergency: ring in quiet hours too")
	phone := url.Values{"device": {string(b.device)}}
	w.Post("/rings/test", phone).Want(403).Has("Quiet hours until")
	phone.Set("emergency", "1")
	w.Post("/rings/test", phone).Want(303)
	w.Get("/palette?q=beta+li").Has(`href="/groups/` + string(b.group))
	w.Get("/palette?q=beta+ho").Has(`href="/schedules/` + string(b.schedule))
}
