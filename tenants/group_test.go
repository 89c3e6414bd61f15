package tenants

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// at reads a moment by the clock on the wall of a zone.
func wallTime(t *testing.T, zone, text string) time.Time {
	t.Helper()
	where, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	at, err := time.ParseInLocation("2006-01-02 15:04", text, where)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// hours is a schedule with the same spans every day.
func everyDay(zone string, spans ...Span) Schedule {
	s := Schedule{Name: "Day", Zone: zone}
	for i := range s.Weekly {
		s.Weekly[i] = spans
	}
	return s
}

func TestScheduleOverChangesOfTheClock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, zone string
		span       Span
		from       string   // UTC, the moment to begin at
		edges      []string // UTC, of the changes that follow
		first      bool     // on at from
	}{
		{"Berlin skips 02:00 to 03:00", "Europe/Berlin", Span{90, 150}, "2026-03-28T23:00Z", []string{"2026-03-29T00:30Z",
			"2026-03-29T01:00Z"},
			false},
		{"a span inside the skipped hour is no duty", "Europe/Berlin", Span{130, 170}, "2026-03-28T23:00Z",
			[]string{"2026-03-30T00:10Z", "2026-03-30T00:50Z"}, false},
		{"Berlin has 02:00 to 03:00 twice", "Europe/Berlin", Span{150, 240}, "2026-10-24T23:00Z",
			[]string{"2026-10-25T00:30Z", "2026-10-25T01:00Z", "2026-10-25T01:30Z", "2026-10-25T03:00Z"}, false},
		{"New York has 01:00 to 02:00 twice", "America/New_York", Span{60, 120}, "2026-11-01T04:30Z",
			[]string{"2026-11-01T05:00Z", "2026-11-01T07:00Z"}, false},
		{"New York skips 02:00 to 03:00", "America/New_York", Span{60, 180}, "2026-03-08T05:30Z",
			[]string{"2026-03-08T06:00Z", "2026-03-08T07:00Z"}, false},
		{"Lord Howe skips half an hour", "Australia/Lord_Howe", Span{120, 150}, "2026-10-03T14:00Z", []string{"2026-10-04T15:00Z"}, false},
		{"Lord Howe has half an hour twice", "Australia/Lord_Howe", Span{90, 120}, "2026-04-04T14:00Z",
			[]string{"2026-04-04T14:30Z", "2026-04-04T15:30Z"}, false},
		{"over midnight", "Europe/Berlin", Span{22 * 60, 6 * 60}, "2026-06-01T10:00Z",
			[]string{"2026-06-01T20:00Z", "2026-06-02T04:00Z", "2026-06-02T20:00Z"}, false},
		{"over midnight, begun the day before", "Europe/Berlin", Span{22 * 60, 6 * 60}, "2026-06-01T01:00Z", []string{"2026-06-01T04:00Z"},
			true},
	} {
		s := everyDay(c.zone, c.span)
		at, err := time.Parse("2006-01-02T15:04Z", c.from)
		if err != nil {
			t.Fatal(err)
		}
		if s.On(at) != c.first {
			t.Errorf("%s: on at %s: %v", c.name, c.from, s.On(at))
		}
		for _, want := range c.edges {
			next, ok := s.Until(at)
			if got := next.UTC().Format("2006-01-02T15:04Z"); !ok || got != want {
				t.Errorf("%s: after %s the next change is %s, want %s", c.name, at.UTC().Format(time.RFC3339), got, want)
				break
			}
			at = next
		}
	}
}

// Until must agree with On, minute by minute.
func TestUntilAgreesWithOn(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"} {
		s := Schedule{Zone: zone}
		s.Weekly[time.Sunday] = []Span{{100, 175}, {1380, 200}}
		s.Weekly[time.Monday] = []Span{{0, DayMinutes}}
		s.Weekly[time.Friday] = []Span{{600, 601}}
		s.Exceptions = []Exception{{Date: "2026-03-30"}, {Date: "2026-10-26", Spans: []Span{{60, 90}}}}
		for _, start := range []string{"2026-03-06T00:00Z", "2026-03-27T00:00Z", "2026-04-03T00:00Z", "2026-10-02T00:00Z",
			"2026-10-23T00:00Z",
			"2026-10-30T00:00Z"} {
			at, _ := time.Parse("2006-01-02T15:04Z", start)
			at = at.In(s.zone())
			end := at.AddDate(0, 0, 4)
			for at.Before(end) {
				next, _ := s.Until(at)
				for m := at; m.Before(next) && m.Before(end); m = m.Add(time.Minute) {
					if s.on(m) != s.on(at) {
						t.Fatalf("%s: Until(%s) is %s, but On changes at %s", zone, at, next, m)
					}
				}
				if s.on(next) == s.on(at) {
					t.Fatalf("%s: nothing changes at %s", zone, next)
				}
				at = next
			}
		}
	}
}

func TestExceptionsDecideForTheirDate(t *testing.T) {
	t.Parallel()
	s := everyDay("Europe/Berlin", Span{480, 960})
	s.Exceptions = []Exception{{Date: "2026-12-24", Note: "Christmas Eve"}, {Date: "2026-12-26", Spans: []Span{{600, 660}}}}
	for text, on := range map[string]bool{"2026-12-23 08:00": true, "2026-12-23 07:59": false, "2026-12-23 16:00": false,
		"2026-12-24 10:00": false, "2026-12-26 09:59": false, "2026-12-26 10:00": true, "2026-12-26 11:00": false} {
		if got := s.On(wallTime(t, "Europe/Berlin", text)); got != on {
			t.Errorf("on at %s: %v", text, got)
		}
	}
	if on, why := s.duty("ana", wallTime(t, "Europe/Berlin", "2026-12-24 10:00"), Roster{}); on ||
		why != "ana is off until Friday 08:00 (Christmas Eve)" {
		t.Errorf("why: %s", why)
	}
}

// said are the steps in short: place in time, person, state and reason.
func said(steps []Step) (lines []string) {
	for _, s := range steps {
		if s.State == StepPlanned {
			lines = append(lines, fmt.Sprintf("%d %s %d+%d %s", s.Wave, s.Person, s.After/time.Second, s.For/time.Second, s.Name))
			continue
		}
		lines = append(lines, "- "+s.Reason)
	}
	return lines
}

func TestWhoRings(t *testing.T) {
	t.Parallel()
	now := wallTime(t, "Europe/Berlin", "2026-11-27 17:00") // a Friday
	office := everyDay("Europe/Berlin", Span{480, 960})
	office.ID, office.Weekly[time.Saturday], office.Weekly[time.Sunday] = "office", nil, nil
	call := Schedule{ID: "call", Name: "On call", Zone: "Europe/Berlin", Calendar: "feed"}
	duty := Roster{GoodAt: now.Add(-time.Hour), Duties: []Duty{{From: now.Add(-time.Hour), To: now.Add(time.Hour), Person: "ben"},
		{From: now.Add(time.Hour), To: now.Add(2 * time.Hour), Person: "cem"}}}
	group := func(id GroupID, way Way, step int, next GroupID, members ...GroupMember) Group {
		return Group{ID: id, Name: string(id), Way: way, StepSeconds: step, Escalate: next, Members: members}
	}
	person := func(names ...string) (m []GroupMember) {
		for _, n := range names {
			m = append(m, GroupMember{Person: n})
		}
		return m
	}
	late := duty
	late.GoodAt, late.Failed = now.Add(-25*time.Hour), 100
	stale := duty
	stale.GoodAt, stale.Failed = now.Add(-3*time.Hour), 2
	rotating := group("turn", RoundRobin, 10, "", GroupMember{Person: "a", Turn: 7}, GroupMember{Person: "b", Turn: 5},
		GroupMember{Person: "c"})
	for _, c := range []struct {
		name  string
		group Group
		d     Duties
		want  []string
	}{
		{"all at once", group("g", Simultaneous, 30, "", person("a", "b")...), Duties{}, []string{"1 a 0+30 g", "1 b 0+30 g"}},
		{"one after the other", group("g", Sequential, 20, "", person("a", "b", "c")...), Duties{},
			[]string{"1 a 0+20 g", "2 b 20+20 g", "3 c 40+20 g"}},
		{"who is off leaves no gap", group("g", Sequential, 20, "", GroupMember{Person: "ana", Schedule: "office"},
			GroupMember{Person: "b"}),
			Duties{Schedules: map[ScheduleID]Schedule{"office": office}}, []string{"- ana is off until Monday 08:00", "1 b 0+20 g"}},
		{"in turn", rotating, Duties{}, []string{"1 c 0+10 turn", "2 b 10+10 turn", "3 a 20+10 turn"}},
		{"refused", group("g", Simultaneous, 30, "", person("a", "b")...), Duties{Refused: map[string]string{"a": "No recorded consent"}},
			[]string{"- No recorded consent", "1 b 0+30 g"}},
		{"escalation", group("g", Simultaneous, 30, "h", person("a", "b")...),
			Duties{Groups: map[GroupID]Group{"h": group("h", Sequential, 15, "", person("b", "c", "d")...)}},
			[]string{"1 a 0+30 g", "1 b 0+30 g", "- b rings in an earlier step", "2 c 30+15 h", "3 d 45+15 h"}},
		{"at once when nobody of the first can be rung", group("g", Simultaneous, 30, "h", person("a")...),
			Duties{Refused: map[string]string{"a": "no phone"}, Groups: map[GroupID]Group{"h": group("h", Sequential, 15, "",
				person("c")...)}},
			[]string{"- no phone", "1 c 0+15 h"}},
		{"a loop ends", group("g", Simultaneous, 30, "h", person("a")...), Duties{Groups: map[GroupID]Group{
			"h": group("h", Sequential, 15, "g", person("c")...), "g": group("g", Simultaneous, 30, "h", person("x")...)}},
			[]string{"1 a 0+30 g", "2 c 30+15 h"}},
		{"time is bounded", group("g", Sequential, 60, "h", person("a", "b", "c", "d")...), Duties{Groups: map[GroupID]Group{
			"h": group("h", Sequential, 50, "", person("e", "f")...)}}, []string{"1 a 0+60 g", "2 b 60+60 g", "3 c 120+60 g",
			"4 d 180+60 g",
			"5 e 240+50 h", "- A ring lasts at most 300 seconds: no time is left"}},
		{"by a calendar", group("g", Simultaneous, 30, "", GroupMember{Person: "ben", Schedule: "call"},
			GroupMember{Person: "cem", Schedule: "call"}, GroupMember{Person: "dee", Schedule: "call"}),
			Duties{Schedules: map[ScheduleID]Schedule{"call": call}, Rosters: map[ConnectionID]Roster{"feed": duty}},
			[]string{"1 ben 0+30 g", "- cem is off until 18:00", "- dee is not on call in the next 60 days"}},
		{"by an older copy of it", group("g", Simultaneous, 30, "", GroupMember{Person: "cem", Schedule: "call"}),
			Duties{Schedules: map[ScheduleID]Schedule{"call": call}, Rosters: map[ConnectionID]Roster{"feed": stale}},
			[]string{"- cem is off until 18:00 (by the calendar as it was 3 hours ago)"}},
		{"nobody is left out by a copy of yesterday", group("g", Simultaneous, 30, "", GroupMember{Person: "cem", Schedule: "call"}),
			Duties{Schedules: map[ScheduleID]Schedule{"call": call}, Rosters: map[ConnectionID]Roster{"feed": late}},
			[]string{"1 cem 0+30 g"}},
		{"nor by none", group("g", Simultaneous, 30, "", GroupMember{Person: "cem", Schedule: "call"}),
			Duties{Schedules: map[ScheduleID]Schedule{"call": call}}, []string{"1 cem 0+30 g"}},
	} {
		if got := said(WhoRings(now, c.group, c.d)); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

func TestTakeTurns(t *testing.T) {
	t.Parallel()
	steps := []Step{{N: 1, Group: "g", Person: "a", InTurn: true, State: StepPlanned, Reason: "A"}, {N: 2, Group: "g", Person: "b",
		State: StepLeftOut}, {N: 3, Group: "g", Person: "c", InTurn: true, State: StepPlanned, Reason: "C"},
		{N: 4, Group: "h", Person: "d", InTurn: true, State: StepPlanned}}
	if got := TakeTurns(steps, "g", map[string]int64{"a": 2, "b": 0, "c": 1, "d": 0}); got != "c" {
		t.Errorf("turn of %q", got)
	}
	if steps[0].Person != "c" || steps[0].Reason != "C" || steps[0].N != 1 || steps[2].Person != "a" || steps[1].Person != "b" ||
		steps[3].Person != "d" {
		t.Errorf("steps: %+v", steps)
	}
	if got := TakeTurns(steps[1:2], "g", nil); got != "" {
		t.Errorf("nobody in turn: %q", got)
	}
}

func TestGroupRules(t *testing.T) {
	t.Parallel()
	good := Group{ID: "a", Name: "Night line", Way: Sequential, StepSeconds: 20, Members: []GroupMember{{Person: "ana"}}}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for field, spoil := range map[string]func(*Group){
		"name": func(g *Group) { g.Name = " " }, "way": func(g *Group) { g.Way = "loud" },
		"step_s":   func(g *Group) { g.StepSeconds = 61 },
		"members":  func(g *Group) { g.Members = append(g.Members, GroupMember{Person: "ana"}) },
		"escalate": func(g *Group) { g.Escalate = g.ID },
	} {
		g := good
		g.Members = slices.Clone(good.Members)
		spoil(&g)
		if err := g.Check(); err == nil || !strings.Contains(err.Error(), field+": ") {
			t.Errorf("%s: %v", field, err)
		}
	}
	groups := map[GroupID]Group{}
	for i, id := range []GroupID{"a", "b", "c", "d", "e"} {
		g := good
		g.ID = id
		if i < 4 {
			g.Escalate = GroupID(rune('a' + i + 1))
		}
		groups[id] = g
	}
	if err := groups["b"].CheckEscalation(groups); err != nil {
		t.Errorf("three groups that follow: %v", err)
	}
	if err := groups["a"].CheckEscalation(groups); err == nil || !strings.Contains(err.Error(), "at most three") {
		t.Errorf("four groups that follow: %v", err)
	}
	loop := groups["e"]
	loop.Escalate = "c"
	if err := loop.CheckEscalation(groups); err == nil {
		t.Error("a loop is taken")
	}
	loop.Escalate = "nobody"
	if err := loop.CheckEscalation(groups); err == nil {
		t.Error("a group that does not exist is taken")
	}
	long := groups["e"]
	long.Escalate, long.StepSeconds = "d", 60
	long.Members = []GroupMember{{Person: "a"}, {Person: "b"}, {Person: "c"}, {Person: "d"}, {Person: "e"}}
	if err := long.Check(); err != nil {
		t.Errorf("300 seconds: %v", err)
	}
	d := groups["d"]
	d.Escalate = ""
	if err := long.CheckEscalation(map[GroupID]Group{"d": d}); err == nil || !strings.Contains(err.Error(), "320 seconds") {
		t.Errorf("320 seconds: %v", err)
	}
}

func TestQuietNow(t *testing.T) {
	t.Parallel()
	berlin, _ := time.LoadLocation("Europe/Berlin")
	r := Rules{Quiet: QuietHours{From: 21 * 60, To: 8 * 60, Days: EveryDay}}
	if e := r.QuietNow(wallTime(t, "Europe/Berlin", "2026-11-27 20:59"), berlin); e != nil {
		t.Errorf("before: %v", e)
	}
	for text, until := range map[string]string{"2026-11-27 21:00": "Saturday 08:00", "2026-11-28 07:59": "until 08:00"} {
		if e := r.QuietNow(wallTime(t, "Europe/Berlin", text), berlin); e == nil || e.Code != "quiet_hours" || !strings.Contains(e.Msg,
			until) {
			t.Errorf("at %s: %v", text, e)
		}
	}
}

func TestDecideByRules(t *testing.T) {
	t.Parallel()
	berlin, _ := time.LoadLocation("Europe/Berlin")
	night := wallTime(t, "Europe/Berlin", "2026-11-27 22:00")
	ask := Question{Tenant: Tenant{State: TenantActive}, Device: Device{State: DeviceActive, Person: "ana"},
		Credential: &Credential{State: CredentialActive}, Now: night, Zone: berlin}
	code := func(change func(*Question)) string {
		q := ask
		change(&q)
		var refusal *Error
		if errors.As(Decide(q), &refusal) {
			return refusal.Code
		}
		return ""
	}
	quiet := Rules{Quiet: QuietHours{From: 21 * 60, To: 8 * 60, Days: EveryDay}}
	consent := Rules{Consent: ConsentRecorded}
	for name, c := range map[string]struct {
		want   string
		change func(*Question)
	}{
		"without rules":            {"", func(*Question) {}},
		"in quiet hours":           {"quiet_hours", func(q *Question) { q.Rules = quiet }},
		"in an emergency":          {"", func(q *Question) { q.Rules, q.Emergency = quiet, true }},
		"where it is still day":    {"", func(q *Question) { q.Rules, q.Device.TimeZone = quiet, "America/New_York" }},
		"without a consent":        {"consent_missing", func(q *Question) { q.Rules, q.Emergency = consent, true }},
		"of nobody":                {"consent_missing", func(q *Question) { q.Rules, q.Device.Person = consent, "" }},
		"with another's consent":   {"consent_missing", func(q *Question) { q.Rules, q.Agreed = consent, map[string]bool{"ben": true} }},
		"with a recorded consent":  {"", func(q *Question) { q.Rules, q.Agreed = consent, map[string]bool{"ana": true} }},
		"on a zone that is no one": {"quiet_hours", func(q *Question) { q.Rules, q.Device.TimeZone = quiet, "Mars/Base" }},
	} {
		if got := code(c.change); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
