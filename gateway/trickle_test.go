package gateway_test

import (
	"context"
	"strings"
	"testing"

	"carillon/gateway"
	"carillon/gateway/phonetest"
)

func TestRestartOfICEKeepsTheSound(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, nil), newEventLog()
	var etag string
	c := call(t, phone(t, phonetest.Config{}), func(ctx context.Context, offer string) (string, error) {
		got, err := g.Answer(ctx, gateway.Offer{Call: "ring", Leg: "phone", SDP: offer, Agent: newEchoer(), On: e.on})
		etag = got.ETag
		return got.SDP, err
	})
	until(t, c, back(10))
	for range 2 {
		err := c.Restart(t.Context(), func(ctx context.Context, fragment string) (string, error) {
			got, err := g.Trickle(ctx, gateway.Fragment{Call: "ring", Leg: "phone", IfMatch: "*", SDP: fragment})
			if err == nil && (got.ETag == etag || got.Fragment == "") {
				t.Errorf("restart answered ETag %s (was %s), fragment %q", got.ETag, etag, got.Fragment)
			}
			etag = got.ETag
			return got.Fragment, err
		})
		if err != nil {
			t.Fatal(err)
		}
		until(t, c, back(c.Stats().Back+25))
	}
	if q := g.Calls()[0].Quality; q.Legs != 1 {
		t.Errorf("a restart made a new leg: %+v", q)
	}
}

func TestTrickle(t *testing.T) {
	t.Parallel()
	g, e := openGateway(t, nil), newEventLog()
	var etag string
	c := call(t, phone(t, phonetest.Config{}), func(ctx context.Context, offer string) (string, error) {
		got, err := g.Answer(ctx, gateway.Offer{Call: "ring", Leg: "phone", SDP: offer, Agent: newEchoer(), On: e.on})
		etag = got.ETag
		return got.SDP, err
	})
	until(t, c, back(1))
	own := c.Fragment()
	head := strings.Join(strings.SplitAfter(own, "\r\n")[:5], "")
	for _, row := range []struct {
		name, call, leg, match, body string
		want                         gateway.Refusal
	}{
		{"own candidates again", "ring", "phone", etag, own, ""},
		{"own session under *", "ring", "phone", "*", own, ""},
		{"unknown transport", "ring", "phone", etag, own + "a=candidate:1 1 SCTP 1 127.0.0.1 9 typ host\r\n", ""},
		{"a name is not resolved", "ring", "phone", etag, own + "a=candidate:1 1 UDP 1 secret.local 9 typ host\r\n", ""},
		{"no call", "gone", "phone", etag, own, gateway.NoCall},
		{"other leg", "ring", "other", etag, own, gateway.AnsweredElsewhere},
		{"no If-Match", "ring", "phone", "", own, gateway.IfMatchMissing},
		{"stale", "ring", "phone", `"old"`, own, gateway.IfMatchStale},
		{"no session", "ring", "phone", etag, "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n", gateway.BadFragment},
		{"garbage", "ring", "phone", etag, "{}", gateway.BadFragment},
		{"restart without password", "ring", "phone", "*", "a=ice-ufrag:abcdef\r\n", gateway.BadFragment},
		{"two sessions", "ring", "phone", "*", "a=ice-ufrag:abcdef\r\na=ice-ufrag:ghijkl\r\n", gateway.UnsupportedChange},
		{"too long", "ring", "phone", etag, own + strings.Repeat("a", gateway.MaxSDP), gateway.TooLarge},
		{"many", "ring", "phone", etag, head + strings.Repeat("a=candidate:1 1 UDP 1 127.0.0.1 9 typ host\r\n", 100), ""},
	} {
		got, err := g.Trickle(t.Context(), gateway.Fragment{Call: row.call, Leg: row.leg, IfMatch: row.match, SDP: row.body})
		if gateway.Reason(err) != row.want || row.want == "" && err != nil {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
		if got.Fragment != "" {
			t.Errorf("%s: a trickle was answered with a fragment", row.name)
		}
	}
	until(t, c, back(c.Stats().Back+5))
}
