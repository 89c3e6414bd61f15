package site

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"carillon/app/agents"
	"carillon/app/page/pagetest"
	"carillon/gateway"
	"carillon/gateway/phonetest"
	"carillon/tenants"
)

// hall is a server whose demo goes through a real gateway to the built-in agent.
func hall(t *testing.T, stays time.Duration) (*server, *gateway.Gateway) {
	t.Helper()
	g, err := gateway.New(gateway.Config{UDPAddr: "127.0.0.1:0", AllowLoopback: true, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	pagetest.Must(t, err)
	t.Cleanup(func() { pagetest.Must(t, g.Close()) })
	builtin, err := agents.NewBuiltin(100*time.Millisecond, time.Now)
	pagetest.Must(t, err)
	h := openAs(t, "http://127.0.0.1", func(_ *server, c *Config) {
		c.Voice, c.Agent, c.DemoTime = g, func() gateway.Agent { return builtin }, stays
	})
	return h, g
}

// guestCall calls the demo as the page does.
func (h *server) guestCall(ctx context.Context) (call *phonetest.Call, at string) {
	h.Helper()
	phone, err := phonetest.New(phonetest.Config{})
	pagetest.Must(h, err)
	call, err = phone.Call(ctx, func(ctx context.Context, offer string) (string, error) {
		res := h.Browser().Send("POST", "/demo/answer", "application/sdp", offer)
		if res.StatusCode != 201 {
			return "", &phonetest.StatusError{Status: res.StatusCode, Body: res.Body}
		}
		if res.Header.Get("Content-Type") != "application/sdp" {
			h.Errorf("the answer is %s", res.Header.Get("Content-Type"))
		}
		at = res.Header.Get("Location")
		return res.Body, nil
	})
	pagetest.Must(h, err)
	return call, at
}

func soon(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		t.Fatalf("%s: never", what)
	}
}

// TestTheDemo: a stranger calls, hears bells, and the server hangs up when the time is over.
func TestTheDemo(t *testing.T) {
	t.Parallel()
	const stays = 12 * time.Second // a busy machine is slow to ring the first bells
	h, _ := hall(t, stays)
	h.Browser().Get("/demo").Want(200).Has("data-demo", "/demo/answer", "0:12", "It does not use a push")
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	call, at := h.guestCall(ctx)
	defer call.HangUp()
	soon(t, "connected", call.Connected())
	pagetest.Must(t, call.Until(ctx, func(s phonetest.Stats) bool { return s.Sounding > 20 }))
	soon(t, "the server hangs up", call.Closed())
	if took := time.Since(began); took < stays {
		t.Errorf("it hung up after %s", took)
	}
	tick := time.NewTicker(10 * time.Millisecond) // the phone gets the end before the server has freed the call
	defer tick.Stop()
	for h.Browser().Send("DELETE", at, "", "").StatusCode != 404 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the call can still be hung up")
		}
	}
}

func TestTheDemoIsHungUp(t *testing.T) {
	t.Parallel()
	h, g := hall(t, time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	call, at := h.guestCall(ctx)
	defer call.HangUp()
	soon(t, "connected", call.Connected())
	h.Browser().Send("DELETE", "/demo/calls/"+"demo-other", "", "").Want(404)
	if len(g.Calls()) != 1 {
		t.Fatalf("%d calls", len(g.Calls()))
	}
	h.Browser().Send("DELETE", at, "", "").Want(204)
	soon(t, "closed", call.Closed())
}

// TestTheDemoHangsUpNothingElse: a ring's call has a name that others know, and stays.
func TestTheDemoHangsUpNothingElse(t *testing.T) {
	t.Parallel()
	h, g := hall(t, time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	phone, err := phonetest.New(phonetest.Config{})
	pagetest.Must(t, err)
	call, err := phone.Call(ctx, func(ctx context.Context, offer string) (string, error) {
		a, err := g.Answer(ctx, gateway.Offer{Call: "customers-ring", Leg: "x", SDP: offer, Agent: pagetest.SilentAgent{},
			On: func(gateway.Event) {}})
		return a.SDP, err
	})
	pagetest.Must(t, err)
	defer call.HangUp()
	h.Browser().Send("DELETE", "/demo/calls/customers-ring", "", "").Want(404)
	if len(g.Calls()) != 1 {
		t.Error("the demo's door hung up a customer's call")
	}
}

func TestTheDemoRefuses(t *testing.T) {
	t.Parallel()
	h, _ := hall(t, time.Minute)
	b := h.Browser()
	for _, bad := range []struct {
		kind, body string
		status     int
	}{{"application/json", "{}", 415}, {"", "v=0", 415}, {"application/sdp", "", 400}, {"application/sdp", "v=0\r\n", 422},
		{"application/sdp", strings.Repeat("a=x\r\n", 20000), 413}} {
		res := b.Send("POST", "/demo/answer", bad.kind, bad.body)
		if res.StatusCode != bad.status || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") &&
			bad.status != 413 {
			t.Errorf("%s, %d bytes: %d %s", bad.kind, len(bad.body), res.StatusCode, res.Header.Get("Content-Type"))
		}
	}
	slowed := 0
	for range 10 {
		if res := b.Send("POST", "/demo/answer", "application/sdp", "v=0\r\n"); res.StatusCode == 429 &&
			res.Header.Get("Retry-After") != "" {
			slowed++
		}
	}
	if slowed < 6 {
		t.Errorf("%d of 10 more were slowed down", slowed)
	}
	h.Clock.Pass(time.Minute)
	b.Send("POST", "/demo/answer", "application/sdp", "v=0\r\n").Want(422)
	shut := openAs(t, "http://127.0.0.1", func(_ *server, c *Config) { c.Voice = nil })
	shut.Browser().Send("POST", "/demo/answer", "application/sdp", "v=0").Want(503)
	shut.Browser().Get("/demo").Want(200).Has("cannot carry calls").Lacks("data-demo-start")
}

// TestDemoSeats: three networks cannot fill them, whatever the addresses in them; strangers from
// other networks find one then.
func TestDemoSeats(t *testing.T) {
	t.Parallel()
	now := time.Now()
	d := newDemos(func() time.Time { return now }, func() int { return 1 })
	seated := 0
	fill := func(from string) (n int) {
		for i := range 2 * demosAtOnce {
			if d.add(fmt.Sprintf(from, i), fmt.Sprintf(from, i)) == nil {
				n++
			}
		}
		seated += n
		return n
	}
	for _, row := range []struct {
		from string
		want int
	}{{"192.0.2.%d", demosPerNetwork}, {"2001:db8:1:%x00::1", demosPerNetwork}, {"2001:db8:2:ff%02x::1", 1}, {"198.51.100.%d", 1},
		{"2001:db8:4::%d", 1}, {"203.0.113.%d", 1}, {"2001:db8:5::%d", 0}} {
		if n := fill(row.from); n != row.want {
			t.Errorf("%s has %d seats, want %d", row.from, n, row.want)
		}
	}
	if seated != demosAtOnce || len(d.up) != demosAtOnce {
		t.Errorf("%d seats, %d calls", seated, len(d.up))
	}
	if err := d.add("late", "233.252.0.1"); tenants.KindOf(err) != tenants.TooMany || err.Error() != demoFull {
		t.Errorf("one seat too many: %v", err)
	}
	for id := range maps.Clone(d.up) {
		d.drop(id)
		d.drop(id)
	}
	if len(d.up)+len(d.seats) != 0 {
		t.Errorf("left: %v %v", d.up, d.seats)
	}
}

// TestDemoSeatsOfSeveralNodes: all nodes together seat as many as one does, each its part and at
// least one. So one network cannot fill them through several nodes.
func TestDemoSeatsOfSeveralNodes(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ nodes, all, ofOneNetwork int }{{1, 10, 3}, {2, 10, 2}, {3, 9, 3}, {5, 10, 5}, {12, 12, 12}} {
		seated := func(from string) (n int) {
			for range row.nodes {
				d := newDemos(time.Now, func() int { return row.nodes })
				for i := range 2 * demosAtOnce {
					if ip := fmt.Sprintf(from, 20+i); d.add(fmt.Sprint(i), ip) == nil {
						n++
					}
				}
			}
			return n
		}
		if n := seated("%d.1.1.1"); n != row.all {
			t.Errorf("%d nodes seat %d calls, want %d", row.nodes, n, row.all)
		}
		if n := seated("192.0.2.%d"); n != row.ofOneNetwork {
			t.Errorf("%d nodes seat %d calls of one network, want %d", row.nodes, n, row.ofOneNetwork)
		}
	}
}

// TestDemoRates: one network cannot spend what all may, nor can many addresses of it.
func TestDemoRates(t *testing.T) {
	t.Parallel()
	now := time.Now()
	d := newDemos(func() time.Time { return now }, func() int { return 1 })
	for _, row := range []struct {
		from func(i int) string
		want int
	}{{func(int) string { return "192.0.2.1" }, networkDemos.Burst},
		{func(i int) string { return fmt.Sprintf("198.51.100.%d", i) }, widerDemos.Burst},
		{func(i int) string { return fmt.Sprintf("2001:db8:1:%x00::1", i) }, widerDemos.Burst}} {
		n := 0
		for i := range 3 * widerDemos.Burst {
			if d.take(row.from(i)) == nil {
				n++
			}
		}
		if n != row.want {
			t.Errorf("%d calls from %s, want %d", n, row.from(0), row.want)
		}
	}
	all := networkDemos.Burst + 2*widerDemos.Burst
	for i := range 2 * allDemos.Burst {
		if d.take(fmt.Sprintf("10.1.%d.1", i)) == nil {
			all++
		}
	}
	if all != allDemos.Burst {
		t.Errorf("%d strangers came in at once", all)
	}
}

// TestTheDemoTellsOfRelays: to a visitor who is about to call, a few times, and not in the page
// that anybody reads.
func TestTheDemoTellsOfRelays(t *testing.T) {
	t.Parallel()
	h, _ := hall(t, time.Minute)
	h.Browser().Get("/demo").Want(200).Has(`data-ice=""`)
	h.Browser().Get("/demo/ice").Want(404)
	h = openAs(t, "http://127.0.0.1", func(_ *server, c *Config) {
		c.DemoICE = func() []gateway.ICEServer {
			return []gateway.ICEServer{{URLs: []string{"stun:s"}}, {URLs: []string{"turn:a", "turn:b"}, Username: "who",
				Credential: "north"}}
		}
	})
	h.Browser().Get("/demo").Want(200).Has(`data-ice="/demo/ice"`).Lacks("north")
	for range networkICE.Burst {
		res := h.Browser().Get("/demo/ice").Want(200)
		want := `{"ice_servers":[{"urls":["stun:s"]},{"urls":["turn:a","turn:b"],"username":"who","credential":"north"}]}`
		if res.Body != want || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q says %s, want %s", res.Header.Get("Cache-Control"), res.Body, want)
		}
	}
	if res := h.Browser().Get("/demo/ice").Want(429).Lacks("north"); res.Header.Get("Retry-After") == "" {
		t.Error("it does not say how long to wait")
	}
	h.Clock.Pass(networkICE.Every)
	h.Browser().Get("/demo/ice").Want(200)
	h = openAs(t, "http://127.0.0.1", func(_ *server, c *Config) {
		c.DemoClosed, c.DemoICE = true, func() []gateway.ICEServer { return []gateway.ICEServer{{URLs: []string{"stun:s"}}} }
	})
	h.Browser().Get("/demo/ice").Want(404)
}

// TestTheOperatorChoosesTheDemo: its agent is named, escaped, and a closed demo answers nobody.
func TestTheOperatorChoosesTheDemo(t *testing.T) {
	t.Parallel()
	h := openAs(t, "http://127.0.0.1", func(_ *server, c *Config) { c.DemoName = "Front desk <b>" })
	h.Browser().Get("/demo").Want(200).Has("the agent “Front desk &lt;b&gt;” of this server’s operator", "data-demo-start").Lacks("<b>")
	h = openAs(t, "http://127.0.0.1", func(_ *server, c *Config) { c.DemoClosed = true })
	h.Browser().Get("/demo").Want(200).Has("has closed the demo").Lacks("data-demo-start")
	h.Browser().Send("POST", "/demo/answer", "application/sdp", "v=0").Want(503).Has("no_demo")
}
