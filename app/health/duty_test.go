package health_test

import (
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

// TestNobodyOnDuty: a gap between two schedules raises one alert, and the next duty closes it.
func TestNobodyOnDuty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, now := t.Context(), w.clock.Now()
	hours := func(from, to time.Duration) tenants.ScheduleID {
		s := tenants.Schedule{ID: tenants.NewID[tenants.ScheduleID](now), Name: "Hours", Zone: "UTC", CreatedAt: now}
		begin := now.UTC().Add(from)
		minute := begin.Hour()*60 + begin.Minute()
		for day := range s.Weekly {
			s.Weekly[day] = []tenants.Span{{From: minute, To: (minute + int(to/time.Minute)) % tenants.DayMinutes}}
		}
		must(t, w.scope.Schedules().Add(ctx, s))
		return s.ID
	}
	g := tenants.Group{ID: tenants.NewID[tenants.GroupID](now), Name: "Night line", Way: tenants.Sequential, StepSeconds: 20,
		CreatedAt: now, Members: []tenants.GroupMember{{Person: "ana", Schedule: hours(-time.Hour, 2*time.Hour)}, {Person: "ben",
			Schedule: hours(3*time.Hour, time.Hour)}}}
	must(t, w.scope.Groups().Add(ctx, g))
	look := func(pass time.Duration, open int) {
		t.Helper()
		w.clock.Pass(pass)
		for range 2 {
			must(t, w.monitor.ReviewDuty(ctx))
		}
		list := w.alerts(tenants.AlertDuty)
		if len(list) != open || open > 0 && (list[0].Target != string(g.ID) || list[0].Count != 1 ||
			!strings.Contains(list[0].Detail, "“Night line” is on duty until")) {
			t.Errorf("after %s: %+v, want %d", pass, list, open)
		}
	}
	look(0, 0)
	look(2*time.Hour, 1)
	must(t, w.scope.Alerts().Resolve(ctx, tenants.AlertDuty, string(g.ID)))
	look(10*time.Minute, 0) // the same gap
	look(time.Hour, 0)      // ben is on duty
	look(3*time.Hour, 1)
	look(18*time.Hour, 0) // ana, on the next day
	look(2*time.Hour, 1)
	for i := range g.Members {
		g.Members[i].Schedule = ""
	}
	must(t, w.scope.Groups().Set(ctx, g))
	look(0, 0)
}

// TestGroupsShareAGap: groups whose schedules leave the same gap have one alert, which names them;
// it goes on with the others when the first is no longer in the gap.
func TestGroupsShareAGap(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, now := t.Context(), w.clock.Now()
	hours := func(after time.Duration) tenants.ScheduleID {
		s := tenants.Schedule{ID: tenants.NewID[tenants.ScheduleID](now), Name: "Hours", Zone: "UTC", CreatedAt: now}
		begin := now.UTC().Add(after)
		minute := begin.Hour()*60 + begin.Minute()
		for day := range s.Weekly {
			s.Weekly[day] = []tenants.Span{{From: minute, To: (minute + 60) % tenants.DayMinutes}}
		}
		must(t, w.scope.Schedules().Add(ctx, s))
		return s.ID
	}
	one, two, three := hours(2*time.Hour), hours(4*time.Hour), hours(3*time.Hour)
	add := func(name string, schedules ...tenants.ScheduleID) tenants.Group {
		g := tenants.Group{ID: tenants.NewID[tenants.GroupID](now), Name: name, Way: tenants.Sequential, StepSeconds: 20, CreatedAt: now}
		now = now.Add(time.Millisecond) // ids in order
		for i, s := range schedules {
			g.Members = append(g.Members, tenants.GroupMember{Person: "person-" + string(rune('a'+i)), Schedule: s})
		}
		must(t, w.scope.Groups().Add(ctx, g))
		return g
	}
	first, second := add("First", one, two), add("Second", two, one)
	add("Other", one, three)
	look := func(want map[tenants.GroupID]string) {
		t.Helper()
		for range 2 {
			must(t, w.monitor.ReviewDuty(ctx))
		}
		list := w.alerts(tenants.AlertDuty)
		for _, a := range list {
			if names := want[tenants.GroupID(a.Target)]; a.Count > 2 || names != "" && !strings.Contains(a.Detail, names+" on duty until") {
				t.Errorf("%+v", a)
			}
			if _, ok := want[tenants.GroupID(a.Target)]; !ok && !strings.Contains(a.Detail, "“Other”") {
				t.Errorf("%+v", a)
			}
		}
		if len(list) != len(want)+1 {
			t.Errorf("%d alerts: %+v", len(list), list)
		}
	}
	look(map[tenants.GroupID]string{first.ID: "the groups “First” and “Second” is"})
	first.Members[0].Schedule = ""
	must(t, w.scope.Groups().Set(ctx, first))
	look(map[tenants.GroupID]string{second.ID: "the group “Second” is"})
	first.Members[0].Schedule = one
	must(t, w.scope.Groups().Set(ctx, first))
	look(map[tenants.GroupID]string{second.ID: "the groups “First” and “Second” is"})
	if err := w.monitor.ReviewDutyBut(ctx, w.scope, second.ID); err == nil || len(w.alerts(tenants.AlertDuty)) < 2 {
		t.Errorf("%v: the alert of a group that can’t be read stays", err)
	}
	for _, a := range w.alerts(tenants.AlertDuty) {
		must(t, w.scope.Alerts().Resolve(ctx, tenants.AlertDuty, a.Target))
	}
	add("Third", one, two)
	must(t, w.monitor.ReviewDuty(ctx))
	if list := w.alerts(tenants.AlertDuty); len(list) != 0 {
		t.Errorf("a person closed the alerts of these gaps: %+v", list)
	}
}
