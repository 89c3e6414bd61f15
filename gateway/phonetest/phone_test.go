package phonetest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"carillon/gateway/phonetest"
)

func phone(t *testing.T, cfg phonetest.Config) *phonetest.Phone {
	t.Helper()
	p, err := phonetest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func bare(t *testing.T) *phonetest.BareEcho {
	t.Helper()
	b, err := phonetest.NewBareEcho("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestPhoneMeasuresABareEcho(t *testing.T) {
	t.Parallel()
	b := bare(t)
	c, err := phone(t, phonetest.Config{}).Call(t.Context(), b.Answer)
	if err != nil {
		t.Fatal(err)
	}
	defer c.HangUp()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Until(ctx, func(s phonetest.Stats) bool { return s.Back >= 50 }); err != nil {
		t.Fatalf("%v: %+v", err, c.Stats())
	}
	s := c.Stats()
	if s.Answered <= 0 || s.Connected < s.Answered || s.Heard < s.Connected {
		t.Errorf("answered %v, connected %v, heard %v", s.Answered, s.Connected, s.Heard)
	}
	if uint64(len(s.Echoes)) != s.Back || s.Sounding < s.Back || s.PacketsOut < s.Back || s.BytesIn == 0 {
		t.Errorf("%+v", s)
	}
	for _, e := range s.Echoes {
		if e <= 0 || e > time.Minute {
			t.Errorf("an echo took %v", e)
		}
	}
}

func TestMutePhoneSendsNothing(t *testing.T) {
	t.Parallel()
	c, err := phone(t, phonetest.Config{Mute: true}).Call(t.Context(), bare(t).Answer)
	if err != nil {
		t.Fatal(err)
	}
	<-c.Connected()
	c.HangUp()
	c.HangUp()
	if s := c.Stats(); s.PacketsOut != 0 || s.PacketsIn != 0 {
		t.Errorf("%+v", s)
	}
}

func TestRefusalReachesTheCaller(t *testing.T) {
	t.Parallel()
	busy := errors.New("busy")
	_, err := phone(t, phonetest.Config{}).Call(t.Context(), func(context.Context, string) (string, error) { return "", busy })
	if !errors.Is(err, busy) {
		t.Errorf("%v", err)
	}
	offer, err := phone(t, phonetest.Config{Edit: func(string) string { return "edited" }}).Offer(t.Context())
	if err != nil || offer != "edited" {
		t.Errorf("offer %q, %v", offer, err)
	}
}

// TestLegCallsThePhoneAPI checks the requests against the contract.
func TestLegCallsThePhoneAPI(t *testing.T) {
	t.Parallel()
	b, seen := bare(t), make(chan string, 4)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- strings.Join([]string{
			r.Method, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), r.Header.Get("If-Match"),
		}, " ")
		body, _ := io.ReadAll(r.Body)
		switch r.Method {
		case http.MethodPost:
			answer, err := b.Answer(r.Context(), string(body))
			if err != nil {
				t.Error(err)
			}
			w.Header().Set("ETag", `"one"`)
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, answer)
		case http.MethodPatch:
			w.WriteHeader(http.StatusNoContent)
		default:
			http.Error(w, "ended", http.StatusGone)
		}
	}))
	defer server.Close()
	leg := &phonetest.Leg{URL: server.URL, Ring: "r1", Credential: "secret", Client: server.Client()}
	c, err := phone(t, phonetest.Config{}).Call(t.Context(), leg.Answer)
	if err != nil {
		t.Fatal(err)
	}
	defer c.HangUp()
	if got := <-seen; got != "POST /v1/phone/rings/r1/answer Bearer secret application/sdp " {
		t.Errorf("answer: %s", got)
	}
	<-c.Heard()
	if err := leg.Trickle(t.Context(), c.Fragment()); err != nil {
		t.Error(err)
	}
	if got := <-seen; got != `PATCH /v1/phone/rings/r1/leg Bearer secret application/trickle-ice-sdpfrag "one"` {
		t.Errorf("trickle: %s", got)
	}
	var status *phonetest.StatusError
	if err := leg.HangUp(t.Context()); !errors.As(err, &status) || status.Status != http.StatusGone {
		t.Errorf("hang up: %v", err)
	}
}
