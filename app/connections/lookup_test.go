package connections_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"carillon/app/connections"
	"carillon/tenants"
)

// asking is an office with a look-up that the handler answers, and the secret that signs it.
func asking(t *testing.T, industry tenants.Industry, h http.HandlerFunc) (*office, *connections.Lookups, tenants.Connection) {
	t.Helper()
	o := newOffice(t, industry)
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	o.trust(s)
	c := o.connect(tenants.Connection{Role: tenants.RoleCRM, URL: s.URL, Lookup: &tenants.LookupSettings{Ask: true, URL: s.URL + "/who"}})
	l := connections.NewLookups(o.dialer(), o.store, o.roles, o.clock)
	t.Cleanup(func() { o.must(l.Close()) })
	return o, l, c
}

func TestLookups(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex // guards what the system answers and was asked
	var answer http.HandlerFunc
	var body, path string
	var header http.Header
	o, l, c := asking(t, tenants.Healthcare, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		body, path, header = string(b), r.URL.Path, r.Header.Clone()
		now := answer
		mu.Unlock()
		now(w, r)
	})
	say := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	q := tenants.Request{To: tenants.To{Person: "anna"}, Caller: "Ann", Reference: "lead-7"}
	patient := connections.NewLookups(o.dialer(), o.store, o.roles, o.clock) // a slow machine answers too
	patient.SetWithin(o.dialer(), time.Minute)
	t.Cleanup(func() { o.must(patient.Close()) })
	if !l.Asks(t.Context(), o.tenant.ID) || l.Asks(t.Context(), "somebody else") {
		t.Error("who is asked is not known")
	}
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   tenants.LookedUp
		note   string
	}{
		"both":           {say(`{"caller":" Ann Smith ","person":"ben"}`), tenants.LookedUp{Caller: "Ann Smith", Person: "ben"}, ""},
		"neither":        {say(`{}`), tenants.LookedUp{}, ""},
		"nothing":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, tenants.LookedUp{}, ""},
		"an error":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, tenants.LookedUp{}, "status 500"},
		"no JSON":        {say(`<html>`), tenants.LookedUp{}, "no JSON"},
		"a list":         {say(`[]`), tenants.LookedUp{}, "no JSON"},
		"a long caller":  {say(`{"caller":"` + strings.Repeat("a", 65) + `"}`), tenants.LookedUp{}, "64 characters"},
		"a wrong person": {say(`{"person":"Ann Smith"}`), tenants.LookedUp{}, "no reference"},
		"a long answer":  {say(`{"caller":"a"` + strings.Repeat(" ", 5000) + `}`), tenants.LookedUp{}, "4 KiB"},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) },
			tenants.LookedUp{}, "redirect"},
		"a broken answer": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, tenants.LookedUp{},
			"brought nothing"},
		"a late answer": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, tenants.LookedUp{},
			"did not answer within 800 ms"},
	} {
		mu.Lock()
		answer = test.answer
		mu.Unlock()
		who := patient
		if name == "a late answer" {
			who = l
		}
		began := time.Now()
		got := who.Ask(t.Context(), o.tenant, q)
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s took %v", name, took)
		}
		if !strings.Contains(got.Note, test.note) || (got.Note == "") != (test.note == "") {
			t.Errorf("%s: note %q", name, got.Note)
		}
		if got.Note = ""; got != test.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if path != "/who" || !strings.Contains(body, `"type":"ring.lookup"`) || !strings.Contains(body, `"reference":"lead-7"`) ||
		strings.Contains(body, "Ann") {
		t.Errorf("asked %s: %s", path, body)
	}
	secrets, err := o.scope.Connections().Secrets(t.Context(), c.ID)
	o.must(err)
	verifier, err := standardwebhooks.NewWebhook(string(secrets.Signing[0]))
	o.must(err)
	if err := verifier.VerifyIgnoringTimestamp([]byte(body), header); err != nil {
		t.Errorf("signature: %v", err)
	}
	// A paused one is not asked any more.
	c.State = tenants.ConnectionPaused
	o.must(o.scope.Connections().Change(t.Context(), c))
	o.set(o.clock().Add(time.Minute))
	if l.Asks(t.Context(), o.tenant.ID) {
		t.Error("a paused look-up is asked")
	}
}

// TestNoRingWaitsForAnothersRefresh: while one caller reads who has a look-up, the others use what
// was known before.
func TestNoRingWaitsForAnothersRefresh(t *testing.T) {
	t.Parallel()
	o, l, _ := asking(t, tenants.Salon, func(http.ResponseWriter, *http.Request) {})
	if !l.Asks(t.Context(), o.tenant.ID) {
		t.Fatal("the look-up is not known")
	}
	began, end := make(chan struct{}), make(chan struct{})
	l.SetAskers(func(context.Context) (map[tenants.TenantID]tenants.ConnectionID, error) {
		close(began) // a second read would panic
		<-end
		return nil, nil
	})
	o.set(o.clock().Add(time.Minute))
	slow := make(chan bool)
	go func() { slow <- l.Asks(t.Context(), o.tenant.ID) }()
	<-began
	if !l.Asks(t.Context(), o.tenant.ID) {
		t.Error("what was known before is not used")
	}
	close(end)
	if <-slow || l.Asks(t.Context(), o.tenant.ID) {
		t.Error("what was read is not used")
	}
}

// TestLookupsAreBounded: a system that hangs holds up eight rings of its tenant, not more.
func TestLookupsAreBounded(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 100)
	o, l, _ := asking(t, tenants.Salon, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not see that we hang up
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	l.SetWithin(o.dialer(), 10*time.Minute)
	notes := make(chan string, 100)
	ctx, hangUp := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { notes <- l.Ask(ctx, o.tenant, tenants.Request{To: tenants.To{Person: "anna"}}).Note })
	}
	for range 20 - 8 {
		if n := <-notes; !strings.Contains(n, "too many look-ups") {
			t.Errorf("one of those that are left out says %q", n)
		}
	}
	hangUp()
	all.Wait()
	if len(arrived) > 8 {
		t.Errorf("%d were asked", len(arrived))
	}
}
