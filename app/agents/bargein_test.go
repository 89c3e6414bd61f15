package agents

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"carillon/app/agents/agentstest"
	"carillon/app/g722"
	"carillon/gateway/phonetest"
	"carillon/tenants"
)

// What a bot says before the person speaks over it, and after that.
const (
	before = 'A'
	later  = 'B'
	silent = 0
)

const (
	beforeFrames = 1000 // 20 s: a slow machine too hears the person meanwhile
	laterFrames  = 25
	// leadFrames of silence are the first message of a bot: while they play, a slow machine too
	// sends the rest. A queue that runs dry would begin the sentence again.
	leadFrames = 250
	perMark    = 5 // frames between two marks
)

// ear is what a phone has heard, as a letter for each packet; others than before and later are not
// the bot's.
type ear struct {
	letter func(payload []byte) byte

	mu     sync.Mutex // guards the rest
	heard  []byte
	listen chan struct{} // closed when the person has heard enough to answer
}

// enough is how many packets the person listens to before speaking.
const enough = 10

func (e *ear) hear(payload []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if x := e.letter(payload); x == before || x == later {
		if e.heard = append(e.heard, x); len(e.heard) == enough {
			close(e.listen)
		}
	}
}

func (e *ear) count(letter byte) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return bytes.Count(e.heard, []byte{letter})
}

// bargeKind is a kind of agent that the person speaks over.
type bargeKind struct {
	name    string
	codec   string // the phone's
	silence []byte // of the phone
	letter  func(payload []byte) byte
	open    func(t *testing.T, w *world) (Agent, bargeBot)
}

// bargeBot says how many frames, at least and at most, the agent was told or knows by itself that
// the person has heard of what it said before.
type bargeBot func(t *testing.T) span

type span struct{ least, most int }

// TestBargeIn: the person speaks while the agent speaks, the agent stops, and the phone hears
// nothing more of what it said. What the agent knows to be heard is what was heard, to the frame.
func TestBargeIn(t *testing.T) {
	t.Parallel()
	muLaw := bytes.Repeat([]byte{muLawSilence}, 160)
	opus := []byte{0xf8, 0xff, 0xfe}
	for _, k := range []bargeKind{
		{"twilio", "PCMU", muLaw, constant, streamBot("twilio")},
		{"telnyx", "PCMU", muLaw, constant, streamBot("telnyx")},
		{"plivo", "PCMU", muLaw, constant, streamBot("plivo")},
		{"vonage", "PCMU", muLaw, pitched(fromPCMU()), streamBot("vonage")},
		{"vonage wide", "G722", g722.NewEncoder().Encode(nil, make([]int16, wideFrame)), pitched(fromG722()), streamBot("vonage")},
		{"webrtc", "opus", opus, greeting, whipBot("opus")},
		{"webrtc", "PCMU", muLaw, greeting, whipBot("PCMU")},
		{"openai", "opus", opus, greeting, dialledBot(tenants.OpenAI)},
		{"pipecat", "opus", opus, greeting, dialledBot(tenants.Pipecat)},
	} {
		t.Run(k.name+" "+k.codec, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, interrupted)
			agent, bot := k.open(t, w)
			e := &ear{letter: k.letter, listen: make(chan struct{})}
			p := w.ringPhone(t, agent, phonetest.Config{Codecs: []string{k.codec}, Silence: k.silence, Hear: e.hear})
			select {
			case <-e.listen:
			case <-time.After(time.Minute):
				t.Fatal("the agent is not heard")
			}
			p.Speak()
			told := bot(t)
			eventually(t, "the agent does not speak again", func() bool { return e.count(later) >= laterFrames })
			e.mu.Lock()
			defer e.mu.Unlock()
			first := bytes.IndexByte(e.heard, later)
			n := bytes.Count(e.heard, []byte{before})
			if n < told.least || n > told.most || n == beforeFrames || bytes.IndexByte(e.heard[first:], before) >= 0 {
				t.Errorf("the phone heard %d frames, and the agent counts %+v: %s", n, told, e.heard)
			}
		})
	}
}

// interrupted is a greeting that lasts, and services that end it when the person speaks.
func interrupted(o *agentstest.OpenAIConfig, p *agentstest.PipecatConfig) {
	o.Greeting, p.Greeting, o.Interrupt, p.Interrupt = longGreeting, longGreeting, true, true
}

func longGreeting(codec string) [][]byte {
	name := make([]byte, 60)
	return slices.Repeat([][]byte{append(name, "greeting of a bot in "+codec...)}, beforeFrames)
}

// greeting: a bot on WebRTC greets before, and repeats what the person says later.
func greeting(payload []byte) byte {
	switch {
	case bytes.Contains(payload, []byte("greeting of a bot")):
		return before
	case bytes.Contains(payload, []byte("carillon")): // a mark of phonetest
		return later
	}
	return 0
}

// said returns what a WebRTC bot said before, which is all that it knows. Of that one datagram may
// be lost on a busy machine.
func said(b *phonetest.Bot, stopped <-chan struct{}) bargeBot {
	return func(t *testing.T) span {
		select {
		case <-stopped:
		case <-time.After(time.Minute):
			t.Fatal("the bot does not hear the person")
		}
		return span{b.Greeted() - 1, b.Greeted()}
	}
}

// whipBot is a bot that connects to us.
func whipBot(codec string) func(*testing.T, *world) (Agent, bargeBot) {
	return func(t *testing.T, w *world) (Agent, bargeBot) {
		j := NewJoins(w.gateway, time.Now)
		t.Cleanup(j.Close)
		a, err := j.open(Call{Tenant: joinTenant, Ring: joinRing})
		if err != nil {
			t.Fatal(err)
		}
		stopped := make(chan struct{})
		b, err := phonetest.NewBot(phonetest.BotConfig{Codecs: []string{codec}, Greeting: longGreeting, Polite: true,
			Interrupted: func(*phonetest.Bot) { close(stopped) }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		token := j.mustIssue(t)
		err = b.Call(t.Context(), func(ctx context.Context, offer string) (string, error) {
			answer, err := j.Offer(ctx, token, joinRing, offer, nil)
			return answer.SDP, err
		})
		if err != nil {
			t.Fatal(err)
		}
		return a, said(b, stopped)
	}
}

// dialledBot is a bot of a service that we call.
func dialledBot(kind tenants.AgentKind) func(*testing.T, *world) (Agent, bargeBot) {
	return func(t *testing.T, w *world) (Agent, bargeBot) {
		return w.open(t, kind), func(t *testing.T) span {
			b := w.far(kind).Bot(w.far(kind).Calls()[0])
			eventually(t, "the bot does not stop", func() bool { return b.Interrupts() == 1 })
			return span{b.Greeted() - 1, b.Greeted()}
		}
	}
}

// constant tells frames of mu-law of one value each.
func constant(payload []byte) byte {
	for letter, value := range map[byte]byte{before: 0x10, later: 0x90} {
		if bytes.Count(payload, []byte{value}) == len(payload) {
			return letter
		}
	}
	return 0
}

// pitched tells tones that were converted: 2 kHz before and 1 kHz later.
func pitched(decode func([]byte) []byte) func([]byte) byte {
	return func(payload []byte) byte {
		raw := decode(payload)
		crossings, loudest := 0, int16(0)
		last := int16(0)
		for i := 0; i+1 < len(raw); i += 2 {
			x := int16(binary.LittleEndian.Uint16(raw[i:]))
			if last < 0 && x >= 0 {
				crossings++
			}
			last, loudest = x, max(loudest, x)
		}
		switch {
		case loudest < 2000:
			return 0
		case crossings > 30:
			return before
		case crossings > 14:
			return later
		}
		return 0
	}
}

// speech returns frames of what a bot says, as its dialect writes sound.
func speech(dialect string, letter byte, frames int) []byte {
	if dialect != "vonage" {
		return bytes.Repeat([]byte{map[byte]byte{before: 0x10, later: 0x90, silent: muLawSilence}[letter]}, 160*frames)
	}
	if letter == silent {
		return make([]byte, 2*wideFrame*frames)
	}
	hertz := map[byte]float64{before: 2000, later: 1000}[letter]
	var raw []byte
	for i := range wideFrame * frames {
		x := 8000 * math.Sin(2*math.Pi*hertz*float64(i)/16000+0.1)
		raw = binary.LittleEndian.AppendUint16(raw, uint16(int16(x)))
	}
	return raw
}

// wire is how a bot of a dialect writes, with the stream's name for %[1]s.
var wire = map[string]struct{ sound, mark, clear string }{
	"twilio": {`{"event":"media","streamSid":%[1]q,"media":{"payload":%[2]q}}`,
		`{"event":"mark","streamSid":%[1]q,"mark":{"name":%[2]q}}`, `{"event":"clear","streamSid":%[1]q}`},
	"telnyx": {`{"event":"media","media":{"payload":%[2]q},"stream_id":%[1]q}`,
		`{"event":"mark","mark":{"name":%[2]q},"stream_id":%[1]q}`, `{"event":"clear","stream_id":%[1]q}`},
	"plivo": {`{"event":"playAudio","streamId":%[1]q,"media":{"contentType":"audio/x-mulaw","sampleRate":8000,"payload":%[2]q}}`,
		`{"event":"checkpoint","streamId":%[1]q,"name":%[2]q}`, `{"event":"clearAudio","streamId":%[1]q}`},
	"vonage": {"", `{"action":"notify","stream":%[1]q,"payload":{"name":%[2]q}}`, `{"action":"clear","stream":%[1]q}`},
}

// heardByBot is one message that a bot of any dialect reads.
type heardByBot struct {
	Event     string
	StreamSid string
	StreamID  string `json:"streamId"`
	Stream    string `json:"stream_id"`
	Media     struct{ Payload []byte }
	Mark      struct{ Name string }
	Name      string
	Payload   struct{ Name string }
	Cleared   struct{ PlayedMs, DroppedMs string }

	sound []byte
}

func readFrame(ctx context.Context, c *websocket.Conn) (m heardByBot, err error) {
	kind, data, err := c.Read(ctx)
	switch {
	case err != nil:
	case kind == websocket.MessageBinary:
		m.Event, m.sound = "media", data
	default:
		err = json.Unmarshal(data, &m)
		m.sound = m.Media.Payload
	}
	return m, err
}

// streamBot is a bot on a WebSocket. It sends all that it has to say at once, with marks, and
// clears it when it hears the person.
func streamBot(dialect string) func(*testing.T, *world) (Agent, bargeBot) {
	return func(t *testing.T, _ *world) (Agent, bargeBot) {
		told := make(chan span, 1)
		f := serveAgent(t, func(ctx context.Context, c *websocket.Conn) {
			frames, err := bargeConversation(ctx, dialect, c)
			if err != nil {
				t.Error(err)
			}
			told <- frames
			_, _, _ = c.Read(ctx) // until the phone hangs up
		})
		a, err := streams(t).open(tenants.Agent{Kind: tenants.Stream, Stream: &tenants.StreamAgent{
			URL: f.url(), Dialect: tenants.Dialect(dialect)}}, "", Call{Tenant: joinTenant, Ring: joinRing})
		if err != nil {
			t.Fatal(err)
		}
		return a, func(t *testing.T) span {
			select {
			case n := <-told:
				return n
			case <-time.After(time.Minute):
				t.Fatal("the bot does not end")
				return span{}
			}
		}
	}
}

// bargeConversation returns how many frames were heard before the bot was silent, as the dialect
// says it: Twilio's in milliseconds, Plivo's and Vonage's by the marks that came before the answer
// to clear. Telnyx's has no such answer.
func bargeConversation(ctx context.Context, dialect string, c *websocket.Conn) (heard span, err error) {
	stream := ""
	say := func(text string, more ...any) {
		if err == nil {
			err = c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, text, append([]any{stream}, more...)...))
		}
	}
	speak := func(letter byte, frames int) {
		raw := speech(dialect, letter, frames)
		if dialect != "vonage" {
			say(wire[dialect].sound, base64.StdEncoding.EncodeToString(raw))
		} else if err == nil {
			err = c.Write(ctx, websocket.MessageBinary, raw)
		}
	}
	marks, spoken, cleared := 0, false, false
	heard = span{enough, beforeFrames - 1}
	for {
		m, e := readFrame(ctx, c)
		if e != nil {
			return heard, e
		}
		if stream == "" {
			stream = m.StreamSid + m.StreamID + m.Stream
		}
		switch m.Event {
		case "media":
			if !spoken {
				spoken = true
				speak(silent, leadFrames)
				for i := range beforeFrames / perMark {
					speak(before, perMark)
					say(wire[dialect].mark, strconv.Itoa(i))
				}
			} else if !cleared && loudFrame(dialect, m.sound) {
				cleared = true
				say(wire[dialect].clear)
				speak(later, laterFrames)
				say(wire[dialect].mark, "end")
			}
		case "mark", "playedStream", "websocket:notify":
			if m.Mark.Name+m.Name+m.Payload.Name == "end" {
				return heard, err
			}
			marks++
		case "clearedAudio", "websocket:cleared":
			heard = span{marks * perMark, marks*perMark + perMark - 1}
		case "cleared":
			played, _ := strconv.Atoi(m.Cleared.PlayedMs)
			dropped, _ := strconv.Atoi(m.Cleared.DroppedMs)
			n := played/20 - leadFrames
			heard = span{n, n}
			if played+dropped != (leadFrames+beforeFrames)*20 || marks != n/perMark {
				return heard, fmt.Errorf("%d ms played, %d ms dropped, %d marks", played, dropped, marks)
			}
		}
	}
}

// loudFrame reports whether a bot hears the person.
func loudFrame(dialect string, sound []byte) bool {
	if dialect != "vonage" {
		return bytes.Count(sound, []byte{muLawSilence}) < len(sound)
	}
	loud := 0
	for i := 0; i+1 < len(sound); i += 2 {
		if x := int16(binary.LittleEndian.Uint16(sound[i:])); x > 2000 || x < -2000 {
			loud++
		}
	}
	return loud > 20
}
