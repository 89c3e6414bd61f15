package apnstest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/push/apnstest"
)

// phoneAPI is a phone API that records facts. It refuses the first fails reports with 503.
type phoneAPI struct {
	mu    sync.Mutex
	facts []string
	fails int
	code  int
}

func (o *phoneAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var report struct {
		Kind   string    `json:"kind"`
		At     time.Time `json:"at"`
		SentAt time.Time `json:"sent_at"`
		Code   *int      `json:"code"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fails > 0 {
		o.fails--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if err := d.Decode(&report); err != nil || r.Method != http.MethodPost || report.SentAt.Before(report.At) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	fact := strings.TrimPrefix(r.URL.Path, "/v1/phone/rings/") + " " + r.Header.Get("Authorization") + " " + report.Kind
	if report.Code != nil {
		fact += fmt.Sprintf(" %d", *report.Code)
	}
	if report.At.After(time.Now().Add(time.Hour)) {
		fact += " tomorrow"
	}
	o.facts = append(o.facts, fact)
	if o.code != 0 {
		w.WriteHeader(o.code)
	}
	fmt.Fprint(w, `{"recorded":true}`)
}

// startPhones starts an Apple, its phones and their API, and returns a function that pushes.
func startPhones(t *testing.T) (a *apnstest.Apple, phones *apnstest.Phones, o *phoneAPI, push func(token, body string)) {
	t.Helper()
	o = &phoneAPI{}
	server := httptest.NewServer(o)
	t.Cleanup(server.Close)
	a = start(t, apnstest.Config{})
	phones, err := apnstest.NewPhones(a, apnstest.PhonesConfig{APIURL: server.URL + "/"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { phones.Close() })
	s := register(t, a, nil)
	c, bearer := client(t, a), "bearer "+s.token(team, kid, time.Now())
	return a, phones, o, func(token, body string) {
		t.Helper()
		r := request(t, a.URL(apnstest.Production))
		r.URL.Path = "/3/device/" + token
		r.Header.Set("authorization", bearer)
		setBody(r, body)
		if w := do(t, c, r); w.Status != 200 {
			t.Fatalf("%+v", w)
		}
	}
}

func TestPhones(t *testing.T) {
	t.Parallel()
	const call = "0198c0de-0000-7000-8000-000000000001"
	rows := map[string]struct {
		script apnstest.Script
		want   []string
	}{
		"wakes":      {apnstest.Wakes(), []string{"woke", "shown"}},
		"declines":   {apnstest.Declines(time.Millisecond), []string{"woke", "shown", "declined"}},
		"busy":       {apnstest.Busy(), []string{"woke", "busy"}},
		"silent":     {apnstest.Silent(), nil},
		"wakes only": {apnstest.WakesOnly(), []string{"woke"}},
		"fails":      {apnstest.FailsToShow(2), []string{"woke", "failed_to_show 2"}},
		"silenced":   {apnstest.Silenced().After(time.Millisecond), []string{"woke", "silenced 3"}},
		"lies":       {apnstest.Wakes().LiesAboutTime(24 * time.Hour), []string{"woke tomorrow", "shown tomorrow"}},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, phones, o, push := startPhones(t)
			phones.Add(apnstest.Phone{Token: strings.ToUpper(token), Credential: "crl_device_x", Script: row.script})
			push(token, payload)
			push(token, payload) // a resent push
			push(strings.Repeat("cd", 32), payload)
			if err := phones.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, fact := range row.want {
				want = append(want, call+"/facts Bearer crl_device_x "+fact)
			}
			if fmt.Sprint(o.facts) != fmt.Sprint(want) {
				t.Errorf("got %v, want %v", o.facts, want)
			}
			if n := phones.Again(); n != 1 {
				t.Errorf("%d pushes known already", n)
			}
			for _, r := range phones.Reports() {
				if r.Status != 200 || r.Body != `{"recorded":true}` || r.Err != nil {
					t.Errorf("%+v", r)
				}
			}
		})
	}
}

func TestPhonesIgnoreLatePushes(t *testing.T) {
	t.Parallel()
	_, phones, o, push := startPhones(t)
	phones.Add(apnstest.Phone{Token: token, Credential: "x", Script: apnstest.Wakes()})
	push(token, strings.Replace(payload, "9999999999", "10", 1))
	if err := phones.Wait(t.Context()); err != nil || phones.Late() != 1 || len(o.facts) != 0 {
		t.Errorf("late %d, facts %v, %v", phones.Late(), o.facts, err)
	}
}

// TestPhonesTryAgain: a fact answered 503 is sent again until accepted, one answered 404 is not.
func TestPhonesTryAgain(t *testing.T) {
	t.Parallel()
	_, phones, o, push := startPhones(t)
	phones.Add(apnstest.Phone{Token: token, Credential: "x", Script: apnstest.WakesOnly()})
	o.fails = 2
	push(token, payload)
	if err := phones.Wait(t.Context()); err != nil || len(o.facts) != 1 || len(phones.Reports()) != 3 {
		t.Errorf("facts %v, reports %+v, %v", o.facts, phones.Reports(), err)
	}
	o.mu.Lock()
	o.code = http.StatusNotFound
	o.mu.Unlock()
	push(token, strings.Replace(payload, "000000000001", "000000000002", 1))
	if err := phones.Wait(t.Context()); err != nil || len(phones.Reports()) != 4 {
		t.Errorf("reports %+v, %v", phones.Reports(), err)
	}
}

func TestCloseWaits(t *testing.T) {
	before := runtime.NumGoroutine()
	a, err := apnstest.New(apnstest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	phones, err := apnstest.NewPhones(a, apnstest.PhonesConfig{APIURL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	phones.Add(apnstest.Phone{Token: token, Script: apnstest.Wakes().After(time.Hour)})
	a.SetLatency(apnstest.Fixed(time.Hour))
	s := register(t, a, nil)
	bare, err := apnstest.Bare(a.URL(apnstest.Production), a.CAPool(), team, kid, s.p8)
	if err != nil {
		t.Fatal(err)
	}
	r := request(t, a.URL(apnstest.Production))
	r.Header.Set("authorization", "bearer "+s.token(team, kid, time.Now()))
	done := make(chan error, 1)
	go func() {
		resp, err := bare.HTTPClient.Do(r)
		if err == nil {
			resp.Body.Close()
		}
		done <- err
	}()
	for a.Total() == 0 {
		select {
		case err := <-done:
			t.Fatal("an hour passed: ", err)
		case <-time.After(time.Millisecond):
		}
	}
	phones.Close()
	phones.Close()
	a.Close()
	a.Close()
	if err := <-done; err == nil {
		t.Error("a closed Apple answered")
	}
	bare.CloseIdleConnections()
	deadline := time.After(time.Minute)
	for runtime.NumGoroutine() > before {
		select {
		case <-deadline:
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		case <-time.After(time.Millisecond):
		}
	}
}
