package apnstest_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/push/apnstest"

	"golang.org/x/net/http2"
)

// TestOneStreamAtFirst sends two requests at once on a new connection, below net/http.
func TestOneStreamAtFirst(t *testing.T) {
	t.Parallel()
	a := start(t, apnstest.Config{DropToOne: true})
	a.SetLatency(apnstest.Fixed(2 * time.Second)) // the second request must come before the first answer
	s := register(t, a, nil)
	addr := strings.TrimPrefix(a.URL(apnstest.Production), "https://")
	nc, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: a.CAPool(), NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	w := wire{nc: nc, fr: http2.NewFramer(nc, nc), bearer: "bearer " + s.token(team, kid, time.Now())}
	w.sendSettings(t)
	w.request(t, 1, token)
	w.request(t, 3, token)
	events := w.read(t, 4)
	want := []string{"settings 1", "rst 3 REFUSED_STREAM", "settings 1000", "headers 1"}
	if fmt.Sprint(events) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", events, want)
	}
	w.request(t, 5, "nothex")
	if events := w.read(t, 2); fmt.Sprint(events) != fmt.Sprint([]string{"settings 1", "headers 5"}) {
		t.Errorf("after a 400: %v", events)
	}
}

func TestLatencyScriptsAndStorms(t *testing.T) {
	t.Parallel()
	a := start(t, apnstest.Config{})
	s := register(t, a, nil)
	c, bearer := client(t, a), "bearer "+s.token(team, kid, time.Now())
	push := func() answer {
		r := request(t, a.URL(apnstest.Production))
		r.Header.Set("authorization", bearer)
		return do(t, c, r)
	}
	a.Script(token, apnstest.Refusal("TooManyRequests"), apnstest.Answer{Status: 502, HTML: true})
	if w := push(); w.Status != 429 || w.Reason != "TooManyRequests" {
		t.Errorf("script 1: %+v", w)
	}
	if w := push(); w.Status != 502 || !strings.HasPrefix(w.Raw, "<html>") {
		t.Errorf("script 2: %+v", w)
	}
	if w := push(); w.Status != 200 {
		t.Errorf("after the script: %+v", w)
	}
	a.SetStorm(apnstest.Storm{Answer: apnstest.Refusal("ServiceUnavailable"), Count: 2})
	for i, want := range []int{503, 503, 200} {
		if w := push(); w.Status != want {
			t.Errorf("storm push %d: %+v", i, w)
		}
	}
	a.SetLatency(apnstest.Curve(50*time.Millisecond, 0))
	began := time.Now()
	push()
	if d := time.Since(began); d < 50*time.Millisecond {
		t.Errorf("answered after %v", d)
	}
}

// TestGoAway sends many pushes while the host often sends GOAWAY: none may fail.
func TestGoAway(t *testing.T) {
	t.Parallel()
	a := start(t, apnstest.Config{})
	s := register(t, a, nil)
	a.GoAwayEvery(20, false)
	c, bearer := client(t, a), "bearer "+s.token(team, kid, time.Now())
	var failed atomic.Int64
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 50 {
				r := request(t, a.URL(apnstest.Production))
				r.Header.Set("authorization", bearer)
				resp, err := c.Do(r)
				if err != nil {
					t.Log(err)
					failed.Add(1)
					continue
				}
				resp.Body.Close()
			}
		})
	}
	group.Wait()
	if failed.Load() > 0 || a.TotalConnections() < 8 {
		t.Errorf("%d failed on %d connections", failed.Load(), a.TotalConnections())
	}
	a.GoAwayEvery(1, true)
	r := request(t, a.URL(apnstest.Production))
	r.Header.Set("authorization", bearer)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if resp, err := c.Do(r.WithContext(ctx)); err == nil {
		resp.Body.Close()
		t.Error("an abrupt end was answered")
	}
}

func TestSilence(t *testing.T) {
	t.Parallel()
	a := start(t, apnstest.Config{})
	s := register(t, a, nil)
	c, bearer := client(t, a), "bearer "+s.token(team, kid, time.Now())
	push := func(ctx context.Context) error {
		r := request(t, a.URL(apnstest.Production)).WithContext(ctx)
		r.Header.Set("authorization", bearer)
		resp, err := c.Do(r)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := push(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.Silence(true)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := push(ctx); err == nil {
		t.Fatal("a silent connection answered")
	}
	a.Unsilence()
	if err := push(t.Context()); err != nil {
		t.Fatal(err)
	}
}
