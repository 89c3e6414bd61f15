package connections_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/connections"
	"carillon/tenants"
)

// TestCalendars: a feed is read when it is due, and in full only when it has changed; one that
// fails keeps the last schedule and has an alert until it works again.
func TestCalendars(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenants.Healthcare)
	var mu sync.Mutex // guards these
	status, asked, unchanged := 200, 0, 0
	feed := string(calendar(event("SUMMARY:Night shift", "ATTENDEE;CN=Anna:mailto:anna@example.com", "DTSTART:20261102T080000",
		"DURATION:PT10H", "RRULE:FREQ=DAILY")))
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		switch {
		case r.Header.Get("X-Key") != "k" || status != 200:
			w.WriteHeader(max(status, 400))
		case r.Header.Get("If-None-Match") == `"1"`:
			unchanged++
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("ETag", `"1"`)
			_, _ = w.Write([]byte(feed))
		}
	}))
	t.Cleanup(s.Close)
	o.trust(s)
	o.device("anna", "", "")
	c := o.connect(tenants.Connection{Role: tenants.RoleCalendar, URL: s.URL + "/duty.ics", Headers: map[string]string{"X-Key": "k"}})
	k := connections.NewCalendars(o.dialer(), o.store, o.clock)
	t.Cleanup(func() { o.must(k.Close()) })
	turn := func(after time.Duration) tenants.Roster {
		t.Helper()
		o.set(o.clock().Add(after))
		o.must(k.Read(t.Context()))
		got, err := o.scope.Rosters().Get(t.Context(), c.ID)
		o.must(err)
		return got.Roster
	}
	alerts := func(want int) {
		t.Helper()
		open, err := o.scope.Alerts().List(t.Context(), false)
		o.must(err)
		if len(open) != want || want > 0 && open[0].Kind != tenants.AlertCalendar {
			t.Errorf("alerts: %+v", open)
		}
	}
	got := turn(0)
	on := got.On(noon)
	if len(on) != 1 || on[0].Person != "anna" || on[0].Who != "Night shift" || len(got.Duties) != 60 && len(got.Duties) != 61 {
		t.Errorf("on duty: %+v of %d", on, len(got.Duties))
	}
	turn(time.Minute) // not due
	if got = turn(tenants.RosterEvery); asked != 2 || unchanged != 1 || len(got.On(noon)) != 1 {
		t.Errorf("asked %d times, %d unchanged; %+v", asked, unchanged, got.Cause)
	}
	status = 503
	for i := range 4 {
		if got = turn(tenants.RosterEvery); got.Failed != i+1 || !strings.Contains(got.Cause, "503") || len(got.On(noon)) != 1 {
			t.Errorf("failure %d: %+v", i+1, got.Failed)
		}
		alerts(map[bool]int{true: 1}[i >= 2])
	}
	status = 200
	if got = turn(tenants.RosterEvery); got.Failed != 0 || got.Cause != "" || !got.GoodAt.Equal(o.clock()) {
		t.Errorf("after it works again: %+v", got)
	}
	alerts(0)
	// After a day it is read in full: the time that it looks ahead has moved on.
	before := len(got.Duties)
	if got = turn(30 * time.Hour); unchanged != 2 || len(got.Duties) < before-1 {
		t.Errorf("%d unchanged, %d duties", unchanged, len(got.Duties))
	}
	feed = "<html>sign in</html>"
	if got = turn(30 * time.Hour); !strings.Contains(got.Cause, "iCalendar") || len(got.Duties) == 0 {
		t.Errorf("a page: %+v", got.Cause)
	}
}
