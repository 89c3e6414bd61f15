package agentstest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"carillon/app/agents/agentstest"
	"carillon/gateway"
	"carillon/gateway/phonetest"
)

func openAI(t *testing.T) *agentstest.OpenAI {
	t.Helper()
	o, err := agentstest.NewOpenAI(agentstest.OpenAIConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	return o
}

// create asks o for a call, as the documentation shows it.
func create(ctx context.Context, o *agentstest.OpenAI, key, sdp, session string) (*http.Response, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	_ = form.WriteField("sdp", sdp)
	_ = form.WriteField("session", session)
	_ = form.Close()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.URL()+"/realtime/calls", &body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Authorization", "Bearer "+key)
	return http.DefaultClient.Do(r)
}

const session = `{"type":"realtime","model":"gpt-realtime","instructions":"Be brief.","audio":{"output":{"voice":"marin"}}}`

// TestAnOpenAIAnswersAndEchoes: a call with a phone in the place of a server.
func TestAnOpenAIAnswersAndEchoes(t *testing.T) {
	t.Parallel()
	for _, codec := range []string{"opus", "PCMU", "PCMA"} {
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			o := openAI(t)
			c := call(t, codec, func(ctx context.Context, offer string) (string, error) {
				res, err := create(ctx, o, "sk-test", offer, session)
				if err != nil {
					return "", err
				}
				defer res.Body.Close()
				answer, err := io.ReadAll(res.Body)
				if res.StatusCode != http.StatusCreated || !strings.HasPrefix(res.Header.Get("Location"), "/v1/realtime/calls/rtc_") {
					t.Errorf("%d %s %s", res.StatusCode, res.Header, answer)
				}
				return string(answer), err
			})
			heardItself(t, c)
			id := o.Calls()[0]
			if s := o.Session(id); s.Audio.Output.Voice != "marin" || s.Instructions != "Be brief." {
				t.Errorf("session %+v", s)
			}
			o.HangUp(id)
			<-c.Closed()
			if v := o.Violations(); len(v) > 0 {
				t.Error(v)
			}
		})
	}
}

func call(t *testing.T, codec string, answer phonetest.Answerer) *phonetest.Call {
	t.Helper()
	p, err := phonetest.New(phonetest.Config{Codecs: []string{codec}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Call(t.Context(), answer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.HangUp)
	return c
}

func heardItself(t *testing.T, c *phonetest.Call) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Until(ctx, func(s phonetest.Stats) bool { return s.Back > 5 }); err != nil {
		t.Fatalf("no echo: %v, %+v", err, c.Stats())
	}
}

// TestAnOpenAIIsStrict: what the real one refuses is refused.
func TestAnOpenAIIsStrict(t *testing.T) {
	t.Parallel()
	o := openAI(t)
	const offer = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
	for name, q := range map[string]struct {
		key, sdp, session string
		status            int
	}{
		"wrong key":     {"sk-other", offer, session, 401},
		"no offer":      {"sk-test", "", session, 400},
		"no session":    {"sk-test", offer, "", 400},
		"unknown field": {"sk-test", offer, `{"type":"realtime","model":"gpt-realtime","voice":"marin"}`, 400},
		"unknown model": {"sk-test", offer, `{"type":"realtime","model":"gpt-unreal"}`, 400},
		"unknown voice": {"sk-test", offer, `{"type":"realtime","model":"gpt-realtime","audio":{"output":{"voice":"x"}}}`, 400},
		"no type":       {"sk-test", offer, `{"model":"gpt-realtime"}`, 400},
		"no candidates": {"sk-test", offer + "a=ice-options:trickle\r\n", session, 400},
	} {
		res, err := create(t.Context(), o, q.key, q.sdp, q.session)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != q.status {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
}

// peer connects a gateway to a stand-in, with a data channel of the label.
func peer(t *testing.T, label string, answer phonetest.Answerer) *gateway.Peer {
	t.Helper()
	g, err := gateway.New(gateway.Config{UDPAddr: "127.0.0.1:0", AgentTargets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	p, offer, err := g.OfferPeer(t.Context(), gateway.PeerConfig{ID: "call", Codecs: []gateway.Codec{gateway.Opus}, Channel: label})
	if err != nil {
		t.Fatal(err)
	}
	text, err := answer(t.Context(), offer)
	if err == nil {
		err = p.Accept(t.Context(), text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestAnOpenAIWantsItsDataChannel: events over a channel of another name reach nobody.
func TestAnOpenAIWantsItsDataChannel(t *testing.T) {
	t.Parallel()
	for label, faults := range map[string]int{"oai-events": 0, "events": 1} {
		o := openAI(t)
		p := peer(t, label, func(ctx context.Context, offer string) (string, error) {
			res, err := create(ctx, o, "sk-test", offer, session)
			if err != nil {
				return "", err
			}
			defer res.Body.Close()
			answer, err := io.ReadAll(res.Body)
			return string(answer), err
		})
		within(t, p.Opened(), label)
		within(t, p.Connected(), label)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range 3000 { // the stand-in may learn of the channel later
			if len(o.Violations()) == faults && (faults > 0 || o.Bot(o.Calls()[0]).Say("{}") == nil) {
				break
			}
			<-tick.C
		}
		if v := o.Violations(); len(v) != faults {
			t.Errorf("%s: %q", label, v)
		}
	}
}

func within(t *testing.T, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatalf("%s: it did not happen", what)
	}
}

// TestAPipecatTakesOneAndMissesPings: in SINGLE mode a second connection is refused while there is
// one, and a connection whose pings have ended is over.
func TestAPipecatTakesOneAndMissesPings(t *testing.T) {
	t.Parallel()
	bot, err := agentstest.NewPipecat(agentstest.PipecatConfig{Single: true, Within: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bot.Close() })
	status := 0
	ask := func(ctx context.Context, offer string) (string, error) {
		body, _ := json.Marshal(map[string]string{"sdp": offer, "type": "offer"})
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, bot.URL(), bytes.NewReader(body))
		if err != nil {
			return "", err
		}
		r.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		status = res.StatusCode
		var out map[string]string
		err = json.NewDecoder(res.Body).Decode(&out)
		return out["sdp"], err
	}
	p := peer(t, "carillon", ask)
	within(t, p.Opened(), "the data channel")
	if _, err := ask(t.Context(), "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"); err != nil || status != http.StatusBadRequest {
		t.Errorf("a second connection: %d %v", status, err)
	}
	if err := p.Text("ping"); err != nil {
		t.Fatal(err)
	}
	within(t, p.Ended(), "the end without pings")
	if n := bot.Pings(bot.Calls()[0]); n != 1 {
		t.Errorf("%d pings", n)
	}
}

// TestAPipecatAnswersAndEchoes: offer, candidates, and an unknown id.
func TestAPipecatAnswersAndEchoes(t *testing.T) {
	t.Parallel()
	p, err := agentstest.NewPipecat(agentstest.PipecatConfig{Headers: map[string]string{"X-Key": "k"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	ask := func(method, body, key string) (int, map[string]string) {
		r, err := http.NewRequestWithContext(t.Context(), method, p.URL(), strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Key", key)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var out map[string]string
		_ = json.NewDecoder(res.Body).Decode(&out)
		return res.StatusCode, out
	}
	c := call(t, "opus", func(_ context.Context, offer string) (string, error) {
		body, _ := json.Marshal(map[string]string{"sdp": offer, "type": "offer"})
		status, out := ask("POST", string(body), "k")
		if status != 200 || out["pc_id"] == "" || out["type"] != "answer" {
			t.Errorf("%d %v", status, out)
		}
		return out["sdp"], nil
	})
	heardItself(t, c)
	id := p.Calls()[0]
	if status, _ := ask("PATCH", fmt.Sprintf(`{"pc_id":%q,"candidates":[]}`, id), "k"); status != 200 {
		t.Errorf("candidates: %d", status)
	}
	if status, _ := ask("PATCH", `{"pc_id":"x","candidates":[]}`, "k"); status != 404 {
		t.Errorf("candidates of an unknown connection: %d", status)
	}
	if status, _ := ask("POST", `{"sdp":"","type":"offer"}`, "k"); status != 422 {
		t.Errorf("an empty offer: %d", status)
	}
	if status, _ := ask("POST", `{}`, ""); status != 401 {
		t.Errorf("no header: %d", status)
	}
	c.HangUp()
}
