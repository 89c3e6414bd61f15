package agents

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/coder/websocket"

	"carillon/app/agents/dialect"
	"carillon/app/g722"
	"carillon/gateway"
	"carillon/gateway/phonetest"
	"carillon/tenants"
)

// sine is 20 ms frames of a tone at 16 kHz, as L16.
func sine(hertz float64, frames int) []byte {
	samples := make([]int16, frames*wideFrame)
	for i := range samples {
		samples[i] = int16(12000 * math.Sin(2*math.Pi*hertz*float64(i)/16000))
	}
	return appendL16(nil, samples)
}

// level is how much of L16 sound is a tone of the frequency: 1 = all of it is.
func level(l16 []byte, hertz float64) float64 {
	var in, out, all float64
	samples := samplesOf(nil, l16)
	for i, s := range samples {
		at := 2 * math.Pi * hertz * float64(i) / 16000
		in += float64(s) * math.Sin(at)
		out += float64(s) * math.Cos(at)
		all += float64(s) * float64(s)
	}
	if all == 0 {
		return 0
	}
	return 2 * (in*in + out*out) / float64(len(samples)) / all
}

// TestVoiceConverts: a tone goes from the agent to the phone and back in each codec.
func TestVoiceConverts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		codec gateway.Codec
		hertz float64
		bytes int // of 20 ms for the phone
	}{{gateway.G722, 1000, 160}, {gateway.G722, 5000, 160}, {gateway.PCMU, 1000, 160}, {gateway.PCMU, 3000, 160}} {
		v := newVoice(dialect.L16, c.codec)
		var back []byte
		for sound := sine(c.hertz, 50); len(sound) > 0; sound = sound[2*wideFrame:] {
			packet := v.toPhone(sound[:2*wideFrame])
			if len(packet) != c.bytes {
				t.Fatalf("%v: %d bytes for the phone", c.codec, len(packet))
			}
			back = append(back, v.toAgent(packet)...)
		}
		if got := level(back[len(back)/4:], c.hertz); len(back) != 50*2*wideFrame || got < 0.9 {
			t.Errorf("%v: %d bytes came back, %.3f of them the tone of %v Hz", c.codec, len(back), got, c.hertz)
		}
	}
	// What PCMU cannot carry is left out: it must not come back as another tone.
	v := newVoice(dialect.L16, gateway.PCMU)
	back := v.toAgent(v.toPhone(sine(6000, 20)))
	for _, s := range samplesOf(nil, back[2*wideFrame:]) {
		if s > 600 || s < -600 {
			t.Fatalf("a tone of 6 kHz came back with a sample of %d", s)
		}
	}
}

// TestVoiceAllocatesNothing: fifty frames a second in each direction.
func TestVoiceAllocatesNothing(t *testing.T) {
	for _, codec := range encodingCodecs[dialect.L16] {
		v := newVoice(dialect.L16, codec)
		sound := sine(1000, 1)
		if n := testing.AllocsPerRun(20, func() { v.toAgent(v.toPhone(sound)) }); n != 0 {
			t.Errorf("%v allocates %v times a frame", codec, n)
		}
	}
}

// wideLine is a line in G.722.
type wideLine struct{ *deskLine }

func (wideLine) Codec() gateway.Codec { return gateway.G722 }

// vonageAgent opens an agent at url that speaks Vonage's protocol.
func vonageAgent(t *testing.T, url string) *streamAgent {
	t.Helper()
	a, err := streams(t).open(tenants.Agent{Kind: tenants.Stream, Stream: &tenants.StreamAgent{URL: url, Dialect: tenants.Vonage}}, "t0ken",
		Call{Ring: "01a21a1b-4878-7000-8000-000000000002", Reference: "appt-7"})
	if err != nil {
		t.Fatal(err)
	}
	return a.(*streamAgent)
}

// TestAVonageAgentTalksInG722: events, binary frames of 640 bytes both ways, and the notice that
// the sound before it was played.
func TestAVonageAgentTalksInG722(t *testing.T) {
	t.Parallel()
	line := wideLine{newDeskLine()}
	f := serveAgent(t, func(ctx context.Context, c *websocket.Conn) {
		_, data, err := c.Read(ctx)
		var hello map[string]string
		if json.Unmarshal(data, &hello) != nil || hello["event"] != "websocket:connected" ||
			hello["content-type"] != "audio/l16;rate=16000" || hello["reference"] != "appt-7" {
			t.Errorf("the first message: %s, %v", data, err)
		}
		for range 3 { // silence, as the phone sends nothing
			if kind, data, _ := c.Read(ctx); kind != websocket.MessageBinary || len(data) != 640 || !bytes.Equal(data, make([]byte, 640)) {
				t.Errorf("%d bytes of silence", len(data))
			}
		}
		_ = c.Write(ctx, websocket.MessageBinary, sine(1000, 10)[:10*640-100]) // the end is padded
		_ = c.Write(ctx, websocket.MessageText, []byte(`{"action":"notify","payload":{"id":"7"}}`))
		for {
			kind, data, err := c.Read(ctx)
			if err != nil {
				t.Errorf("no notify: %v", err)
				return
			}
			if kind == websocket.MessageText {
				if string(data) != `{"event":"websocket:notify","payload":{"id":"7"}}` {
					t.Errorf("%s", data)
				}
				break
			}
		}
		_ = c.Close(websocket.StatusNormalClosure, "")
	})
	a := vonageAgent(t, f.url())
	if err := a.Attach(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := result(t, converse(t.Context(), a, line)); err != nil {
		t.Error(err)
	}
	var heard []byte
	decoder := g722.NewDecoder()
	for i, p := range line.heard() {
		if len(p.Payload) != 160 || p.Timestamp != line.heard()[0].Timestamp+uint32(i)*160 {
			t.Errorf("packet %d: %d bytes at %d", i, len(p.Payload), p.Timestamp)
		}
		heard = appendL16(heard, decoder.Decode(nil, p.Payload))
	}
	if got := level(heard[640:], 1000); len(heard) != 10*640 || got < 0.9 {
		t.Errorf("the phone heard %d bytes, %.3f of them the tone", len(heard), got)
	}
	if r := <-f.asked; r.Header.Get("X-Twilio-Signature") != "" || r.Header.Get("Carillon-Signature") == "" {
		t.Error("the signatures are not those of the dialect")
	}
}

// TestAPhoneAndAVonageAgent: a phone over UDP and DTLS, which offers G.722 or only PCMU.
func TestAPhoneAndAVonageAgent(t *testing.T) {
	t.Parallel()
	for _, offers := range [][]string{{"PCMU", "G722"}, {"PCMU"}} {
		g, err := gateway.New(gateway.Config{
			UDPAddr: "127.0.0.1:0", AllowLoopback: true, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		p, err := phonetest.New(phonetest.Config{Codecs: offers})
		if err != nil {
			t.Fatal(err)
		}
		heard := make(chan int, 1)
		f := serveAgent(t, func(ctx context.Context, c *websocket.Conn) {
			loud := 0
			for loud < 50 {
				kind, data, err := c.Read(ctx)
				if err != nil {
					return
				}
				if kind == websocket.MessageBinary && !bytes.Equal(data, make([]byte, 640)) {
					loud++
				}
			}
			heard <- loud
			_ = c.Write(ctx, websocket.MessageBinary, sine(1000, 100))
			for err := error(nil); err == nil; {
				_, _, err = c.Read(ctx)
			}
		})
		a := vonageAgent(t, f.url())
		if err := a.Attach(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		call, err := p.Call(ctx, func(ctx context.Context, offer string) (string, error) {
			answer, err := g.Answer(ctx, gateway.Offer{Call: "one", Leg: "phone", SDP: offer, Agent: a, On: func(gateway.Event) {}})
			return answer.SDP, err
		})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-heard:
		case <-ctx.Done():
			t.Errorf("%v: the agent does not hear the phone", offers)
		}
		if err := call.Until(ctx, func(s phonetest.Stats) bool { return s.Sounding >= 50 }); err != nil {
			t.Errorf("%v: the phone does not hear the agent: %+v", offers, call.Stats())
		}
		call.HangUp()
	}
}

// TestEveryDialectCanBeOpened: what tenants may choose is what the package dialect speaks, and
// each encoding has a codec of the phone.
func TestEveryDialectCanBeOpened(t *testing.T) {
	t.Parallel()
	for i, d := range tenants.Dialects {
		s, ok := dialect.New(string(d))
		if !ok || len(dialect.Names) != len(tenants.Dialects) || dialect.Names[i] != string(d) {
			t.Fatalf("%s is no dialect of %v", d, dialect.Names)
		}
		if len(encodingCodecs[s.Encoding()]) == 0 {
			t.Errorf("no phone can call an agent on %s", d)
		}
	}
}
