package connections_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/app/connections"
	"carillon/tenants"
)

var (
	berlin, _ = time.LoadLocation("Europe/Berlin")
	feedFrom  = time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC)
	feedTo    = feedFrom.AddDate(0, 0, tenants.RosterDays)
)

// calendar wraps lines of events into a feed.
func calendar(lines ...string) []byte {
	return []byte("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VCALENDAR\r\n")
}

func event(lines ...string) string {
	return "BEGIN:VEVENT\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VEVENT"
}

const strangeZone = "BEGIN:VTIMEZONE\r\nTZID:Clinic Time\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nTZOFFSETFROM:+0200\r\n" +
	"TZOFFSETTO:+0100\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\nBEGIN:DAYLIGHT\r\nDTSTART:19700329T020000\r\n" +
	"TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE"

func TestReadFeed(t *testing.T) {
	t.Parallel()
	ones := strings.Repeat("1,", 99) + "1"
	for name, c := range map[string]struct {
		feed []byte
		want []string // from–to who (person), in UTC
		note string   // part of one
	}{
		"one event in UTC": {feed: calendar(event("UID:1", "SUMMARY:Dr\\, Who", "DTSTART:20261024T080000Z", "DTEND:20261024T100000Z")),
			want: []string{"10-24 08:00–10-24 10:00 Dr, Who ()"}},
		"a floating time is in the account's zone": {feed: calendar(event("SUMMARY:anna", "DTSTART:20261024T080000", "DURATION:PT1H30M")),
			want: []string{"10-24 06:00–10-24 07:30 anna (anna)"}},
		"nine o'clock stays nine o'clock": {feed: calendar(event("SUMMARY:Anna (night)", "DTSTART;TZID=Europe/Berlin:20261024T090000",
			"DTEND;TZID=Europe/Berlin:20261024T100000", "RRULE:FREQ=DAILY;COUNT=3")), want: []string{
			"10-24 07:00–10-24 08:00 Anna (night) (anna)", "10-25 08:00–10-25 09:00 Anna (night) (anna)",
			"10-26 08:00–10-26 09:00 Anna (night) (anna)"}},
		"the same in a zone that the feed describes": {feed: calendar(strangeZone, event("SUMMARY:x",
			"DTSTART;TZID=Clinic Time:20261024T090000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2")),
			want: []string{"10-24 07:00–10-24 08:00 x ()", "10-25 08:00–10-25 09:00 x ()"}},
		"a zone as Outlook names it": {feed: calendar(event("SUMMARY:x", "DTSTART;TZID=W. Europe Standard Time:20261024T090000",
			"DURATION:PT1H")), want: []string{"10-24 07:00–10-24 08:00 x ()"}},
		"a zone with a prefix": {feed: calendar(event("SUMMARY:x",
			"DTSTART;TZID=/mozilla.org/20050126_1/America/New_York:20261024T090000", "DURATION:PT1H")),
			want: []string{"10-24 13:00–10-24 14:00 x ()"}},
		"a zone that nobody knows": {feed: calendar(event("SUMMARY:x", "DTSTART;TZID=Moon/Tycho:20261024T090000", "DURATION:PT1H")),
			want: []string{"10-24 07:00–10-24 08:00 x ()"}, note: `"Moon/Tycho" is not known`},
		"a zone that changes on a day that never comes": {feed: calendar(badZone("BYMONTHDAY=30", 1),
			event("SUMMARY:x", "DTSTART;TZID=bad:20261024T090000", "DURATION:PT1H")),
			want: []string{"10-24 07:00–10-24 08:00 x ()"}, note: `"bad" is not known`},
		"a zone as old programs describe it": {feed: calendar(strings.Replace(strangeZone, "BYDAY=-1SU",
			"BYMONTHDAY=25,26,27,28,29,30,31;BYDAY=SU", 2), event("SUMMARY:x", "DTSTART;TZID=Clinic Time:20261024T090000",
			"DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2")),
			want: []string{"10-24 07:00–10-24 08:00 x ()", "10-25 08:00–10-25 09:00 x ()"}},
		"whole days, over the change of the clocks": {feed: calendar(event("SUMMARY:x", "DTSTART;VALUE=DATE:20261024",
			"DTEND;VALUE=DATE:20261026")), want: []string{"10-23 22:00–10-25 23:00 x ()"}},
		"a whole day without an end": {feed: calendar(event("SUMMARY:x", "DTSTART;VALUE=DATE:20261101")),
			want: []string{"10-31 23:00–11-01 23:00 x ()"}},
		"exceptions": {feed: calendar(event("UID:s", "SUMMARY:x", "DTSTART:20261024T080000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=4",
			"EXDATE:20261025T080000Z,20261026T080000Z")), want: []string{"10-24 08:00–10-24 09:00 x ()", "10-27 08:00–10-27 09:00 x ()"}},
		"an exception by its day": {feed: calendar(event("SUMMARY:x", "DTSTART:20261024T080000Z", "DURATION:PT1H",
			"RRULE:FREQ=DAILY;COUNT=2", "EXDATE;VALUE=DATE:20261025")), want: []string{"10-24 08:00–10-24 09:00 x ()"}},
		"one of a series moved": {feed: calendar(
			event("UID:s", "SUMMARY:anna", "DTSTART:20261024T080000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=2"),
			event("UID:s", "SUMMARY:ben", "RECURRENCE-ID:20261031T080000Z", "DTSTART:20261031T120000Z", "DURATION:PT2H")),
			want: []string{"10-24 08:00–10-24 09:00 anna (anna)", "10-31 12:00–10-31 14:00 ben (ben)"}},
		"one of a series cancelled": {feed: calendar(
			event("UID:s", "SUMMARY:anna", "DTSTART:20261024T080000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=2"),
			event("UID:s", "STATUS:CANCELLED", "RECURRENCE-ID:20261024T080000Z", "DTSTART:20261024T080000Z")),
			want: []string{"10-31 08:00–10-31 09:00 anna (anna)"}},
		"more dates": {feed: calendar(event("SUMMARY:x", "DTSTART:20261024T080000Z", "DURATION:PT1H",
			"RDATE:20261024T080000Z,20261029T080000Z")), want: []string{"10-24 08:00–10-24 09:00 x ()", "10-29 08:00–10-29 09:00 x ()"}},
		"until an instant": {feed: calendar(event("SUMMARY:x", "DTSTART;TZID=Europe/Berlin:20261101T090000", "DURATION:PT1H",
			"RRULE:FREQ=DAILY;UNTIL=20261102T080000Z")), want: []string{"11-01 08:00–11-01 09:00 x ()", "11-02 08:00–11-02 09:00 x ()"}},
		"a night that has begun": {feed: calendar(event("SUMMARY:x", "DTSTART:20261019T200000Z", "DTEND:20261020T060000Z")),
			want: []string{"10-19 20:00–10-20 06:00 x ()"}},
		"an attendee before the summary": {feed: calendar(event("SUMMARY:Anna's shift", "ATTENDEE;CN=\"Ben\":mailto:BEN@example.com",
			"DTSTART:20261024T080000Z", "DURATION:PT1H")), want: []string{"10-24 08:00–10-24 09:00 Anna's shift (ben)"}},
		"an attendee by name": {feed: calendar(event("SUMMARY:Shift", "ATTENDEE;CN=Carla Diaz:mailto:c@example.com",
			"DTSTART:20261024T080000Z", "DURATION:PT1H")), want: []string{"10-24 08:00–10-24 09:00 Shift (carla.diaz)"}},
		"a file with a mark, line feeds only and folded lines": {feed: []byte("\ufeffBEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:an\n na\n" +
			"DTSTART:20261024T080000Z\nDURATION:PT1H\nX-EMPTY\nEND:VEVENT\nEND:VCALENDAR"),
			want: []string{"10-24 08:00–10-24 09:00 anna (anna)"}},
		"a broken event beside a good one": {feed: calendar(event("SUMMARY:bad", "DTSTART:tomorrow"),
			event("SUMMARY:x", "DTSTART:20261024T080000Z", "DURATION:PT1H")), want: []string{"10-24 08:00–10-24 09:00 x ()"},
			note: `DTSTART "tomorrow" is no date or time`},
		"each second for ever": {feed: calendar(event("SUMMARY:x", "DTSTART:19700101T000000Z", "DURATION:PT1S", "RRULE:FREQ=SECONDLY")),
			note: "repeats by the day at most"},
		"a day that never comes": {feed: calendar(event("SUMMARY:x", "DTSTART:19700101T000000Z", "DURATION:PT1S",
			"RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"))},
		"a rule with a billion times": {feed: calendar(event("SUMMARY:x", "DTSTART:19700101T000000Z", "DURATION:PT1S",
			"RRULE:FREQ=DAILY;BYHOUR="+ones+";BYMINUTE="+ones+";BYSECOND="+ones)),
			note: "beyond what a duty needs"},
		"an interval beyond all years": {feed: calendar(event("SUMMARY:x", "DTSTART:20261001T000000Z", "DURATION:PT1S",
			"RRULE:FREQ=YEARLY;INTERVAL=9223372036854775807")), note: "beyond what a duty needs"},
	} {
		got, err := connections.ReadFeed(c.feed, feedFrom, feedTo, berlin, tenants.NewPersons([]string{"anna", "ben", "carla.diaz"}))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if said := duties(got); !slices.Equal(said, c.want) && !strings.HasPrefix(name, "each second") &&
			!strings.Contains(name, "billion") && !strings.Contains(name, "beyond") {
			t.Errorf("%s:\n got %q\nwant %q", name, said, c.want)
		}
		if c.note != "" && !strings.Contains(strings.Join(got.Notes, " "), c.note) {
			t.Errorf("%s: notes %q, want %q", name, got.Notes, c.note)
		}
	}
}

func duties(s tenants.Roster) (all []string) {
	for _, d := range s.Duties {
		all = append(all, fmt.Sprintf("%s–%s %s (%s)", d.From.Format("01-02 15:04"), d.To.Format("01-02 15:04"), d.Who, d.Person))
	}
	return all
}

func TestRefusedFeeds(t *testing.T) {
	t.Parallel()
	many := strings.Repeat(event("DTSTART:20261024T080000Z")+"\r\n", 50_000)
	for name, c := range map[string]struct{ feed, want string }{
		"a page":          {"<!doctype html><title>Sign in</title>", "iCalendar feed"},
		"nothing":         {"", "iCalendar feed"},
		"cut off":         {string(calendar(event("DTSTART:20261024T080000Z")))[:60], "cut off"},
		"50,000 events":   {string(calendar(many)), "20,000 events"},
		"6 MiB":           {string(calendar("X:" + strings.Repeat("a", 6<<20))), "5 MiB"},
		"components deep": {string(calendar(strings.Repeat("BEGIN:VEVENT\r\n", 100_000))), "do not fit together"},
		"no value":        {string(calendar(event("DTSTART;TZID=Europe/Berlin"))), "no iCalendar"},
		"an open quote":   {string(calendar(event(`DTSTART;TZID="Europe`))), "no iCalendar"},
	} {
		_, err := connections.ReadFeed([]byte(c.feed), feedFrom, feedTo, berlin, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// badZone is a VTIMEZONE with a rule in February, n times.
func badZone(rule string, n int) string {
	return "BEGIN:VTIMEZONE\r\nTZID:bad\r\n" + strings.Repeat("BEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"+
		"TZOFFSETFROM:+0200\r\n"+
		"TZOFFSETTO:+0100\r\nRRULE:FREQ=YEARLY;BYMONTH=2;"+rule+"\r\nEND:STANDARD\r\n", n) + "END:VTIMEZONE"
}

// TestFeedsThatTakeTime reads feeds that are made to take long; each ends within the bound.
func TestFeedsThatTakeTime(t *testing.T) {
	t.Parallel()
	var zones, named []string
	for i := range 500 {
		id := fmt.Sprint("bad", i)
		zones = append(zones, strings.Replace(badZone("BYDAY=6SU", 50), "bad", id, 1), event("DTSTART;TZID="+id+":20261024T000000"))
	}
	for i := range 19_000 {
		named = append(named, event(fmt.Sprint("DTSTART;TZID=a/b/c/d", i, ":20261024T000000")))
	}
	for name, feed := range map[string][]byte{
		"many old series": calendar(strings.Repeat(event("SUMMARY:x", "DTSTART:19000101T000000Z", "DURATION:PT1S",
			"RRULE:FREQ=DAILY")+"\r\n", 19_000)),
		"many that never match": calendar(strings.Repeat(event("DTSTART:19000101T000000Z", "DURATION:PT1S",
			"RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")+"\r\n", 19_000)),
		"a zone whose change never comes":     calendar(badZone("BYMONTHDAY=30", 30_000), event("DTSTART;TZID=bad:20261024T000000")),
		"many zones whose changes never come": calendar(strings.Join(zones, "\r\n")),
		"many names of zones":                 calendar(strings.Join(named, "\r\n")),
		"long parameters": calendar(strings.Repeat(event("DTSTART;X="+strings.Repeat("a", 2000)+
			":20261024T080000Z")+"\r\n", 2000)),
	} {
		began := time.Now()
		if _, err := connections.ReadFeed(feed, feedFrom, feedTo, berlin, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

// TestSeriesOfRandomFeeds builds feeds from random parts and checks what holds for each schedule.
func TestSeriesOfRandomFeeds(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(11, 5))
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	for range 300 {
		lines := []string{"UID:" + pick("a", "b", ""), "SUMMARY:" + pick("anna", "ben on call", "")}
		lines = append(lines, pick("DTSTART", "DTSTART;VALUE=DATE", "DTSTART;TZID=Europe/Berlin", "DTSTART;TZID=Clinic Time")+":"+
			pick("20261024T083000", "20261024", "20250330T020000Z", "19991231T235959"))
		lines = append(lines, pick("DURATION:PT8H", "DURATION:P1D", "DTEND:20261024T120000Z", "DURATION:-PT1H"))
		lines = append(lines, "RRULE:FREQ="+pick("DAILY", "WEEKLY", "MONTHLY", "YEARLY")+pick("", ";INTERVAL=2", ";COUNT=500",
			";BYDAY=MO,TU", ";BYSETPOS=-1;BYDAY=FR", ";UNTIL=20261101", ";BYWEEKNO=53"))
		s, err := connections.ReadFeed(calendar(strangeZone, event(lines...)), feedFrom, feedTo, berlin,
			tenants.NewPersons([]string{"anna"}))
		if err != nil {
			t.Fatalf("%q: %v", lines, err)
		}
		for i, d := range s.Duties {
			if !d.To.After(d.From) || !d.To.After(feedFrom) || !d.From.Before(feedTo) || i > 0 && d.From.Before(s.Duties[i-1].From) {
				t.Errorf("%q: %v", lines, d)
			}
		}
	}
}

func FuzzReadFeed(f *testing.F) {
	f.Add(calendar(strangeZone, event("UID:1", "SUMMARY:x", "DTSTART;TZID=Clinic Time:20261024T090000", "DURATION:PT1H",
		"RRULE:FREQ=MONTHLY;BYDAY=1MO;UNTIL=20271231T000000Z", "EXDATE:20261102T080000Z", "ATTENDEE;CN=A:mailto:a@example.com")))
	f.Add([]byte("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;A=\"\nEND:VEVENT\nEND:VCALENDAR"))
	f.Fuzz(func(t *testing.T, feed []byte) {
		s, err := connections.ReadFeed(feed, feedFrom, feedTo, berlin, tenants.NewPersons([]string{"a"}))
		if err == nil && (len(s.Duties) > tenants.MaxDuties || len(s.Notes) > 20) {
			t.Errorf("%d duties, %d notes", len(s.Duties), len(s.Notes))
		}
	})
}
