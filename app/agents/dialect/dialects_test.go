package dialect_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"carillon/app/agents/dialect"
)

// began is when the streams of these tests start.
var began = time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)

// made returns a stream in the dialect.
func made(t testing.TB, name string) dialect.Stream {
	t.Helper()
	s, ok := dialect.New(name)
	if !ok {
		t.Fatalf("there is no dialect %s", name)
	}
	return s
}

// TestFrames compares what each dialect sends with its golden file, which was checked against the
// pages that the dialect's comment names. A binary frame is shown as its length and first bytes.
func TestFrames(t *testing.T) {
	t.Parallel()
	c := call
	c.Began = began
	said := []dialect.Event{
		{Kind: dialect.Start, Call: &c},
		{Kind: dialect.Sound, Sound: bytes.Repeat([]byte{0xff}, 160)},
		{Kind: dialect.Sound, Sound: bytes.Repeat([]byte{1, 2}, 320), At: 20 * time.Millisecond},
		{Kind: dialect.Digit, Digit: '#'},
		{Kind: dialect.Mark, Name: `{"id":"1"}`},
		{Kind: dialect.Cleared, Played: 1240 * time.Millisecond, Dropped: 380 * time.Millisecond},
		{Kind: dialect.Gap, Away: true},
		{Kind: dialect.Stop},
	}
	for _, name := range []string{"telnyx", "plivo", "vonage"} {
		var frames dialect.Frames
		stream := made(t, name)
		for _, e := range said {
			frames = stream.Encode(frames, e)
		}
		var got bytes.Buffer
		for i := range frames.Len() {
			data, binary := frames.At(i)
			if binary {
				fmt.Fprintf(&got, "binary %d %x\n", len(data), data[:8])
				continue
			}
			if !json.Valid(data) {
				t.Errorf("%s: frame %d is no JSON: %s", name, i, data)
			}
			got.Write(data)
			got.WriteByte('\n')
		}
		want, err := os.ReadFile("testdata/" + name + ".jsonl")
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != string(want) {
			t.Errorf("%s: got\n%swant\n%s", name, got.String(), want)
		}
	}
}

// TestFramesAreRead: what agents in each dialect send, and the cause of what is refused.
func TestFramesAreRead(t *testing.T) {
	t.Parallel()
	sound := []byte{1, 2, 3, 0xff, 0xfe, 0xfb}
	text := base64.StdEncoding.EncodeToString(sound)
	const stream = "01234567-89ab-cdef-0123-456789abcdef"
	for _, c := range []struct {
		dialect, frame string
		want           dialect.Event
		bad            string
	}{
		{"telnyx", `{"event":"media","media":{"payload":"` + text + `"}}`, dialect.Event{Kind: dialect.Sound, Sound: sound}, ""},
		{"telnyx", `{"event":"media","stream_id":"` + strings.ToUpper(stream) + `","media":{"payload":"AQ=="}}`,
			dialect.Event{Kind: dialect.Sound, Sound: []byte{1}}, ""},
		{"telnyx", `{"event":"mark","mark":{"name":"a"}}`, dialect.Event{Kind: dialect.Mark, Name: "a"}, ""},
		{"telnyx", `{"event":"clear"}`, dialect.Event{Kind: dialect.Clear}, ""},
		{"telnyx", `{"event":"clear","streamSid":"MZ1"}`, dialect.Event{Kind: dialect.Clear}, ""}, // a member of another dialect
		{"telnyx", `{"event":"dtmf","dtmf":{"digit":"A"}}`, dialect.Event{Kind: dialect.Digit, Digit: 'A'}, ""},
		{"telnyx", `{"event":"clear","stream_id":"other"}`, dialect.Event{}, "another stream"},
		{"telnyx", `[]`, dialect.Event{}, "not JSON"},
		{"plivo", `{"event":"playAudio","media":{"contentType":"audio/x-mulaw","sampleRate":8000,"payload":"` + text + `"}}`,
			dialect.Event{Kind: dialect.Sound, Sound: sound}, ""},
		{"plivo", `{"event":"playAudio","media":{"contentType":"audio/x-mulaw","sampleRate":"8000","payload":""},"streamId":"` +
			stream + `"}`,
			dialect.Event{Kind: dialect.Sound}, ""},
		{"plivo", `{"event":"playAudio","media":{"contentType":"audio/x-l16","sampleRate":16000,"payload":"AQI="}}`,
			dialect.Event{}, "audio/x-mulaw at 8000"},
		{"plivo", `{"event":"playAudio","media":{"sampleRate":16000,"payload":"AQI="}}`, dialect.Event{}, "audio/x-mulaw at 8000"},
		{"plivo", `{"event":"checkpoint","streamId":"` + stream + `","name":"cp-0"}`, dialect.Event{Kind: dialect.Mark, Name: "cp-0"}, ""},
		{"plivo", `{"event":"checkpoint"}`, dialect.Event{}, "name"},
		{"plivo", `{"event":"clearAudio","streamId":"` + stream + `"}`, dialect.Event{Kind: dialect.Clear}, ""},
		{"plivo", `{"event":"clearAudio","streamId":"x"}`, dialect.Event{}, "another stream"},
		{"plivo", `{"event":"sendDTMF","dtmf":"12#"}`, dialect.Event{Kind: dialect.Digit, Digit: '1', Keys: "2#"}, ""},
		{"plivo", `{"event":"sendDTMF","dtmf":"1w2"}`, dialect.Event{}, "digits"},
		{"plivo", `{"event":"sendDTMF","dtmf":{"digit":"1"}}`, dialect.Event{}, "digits"},
		{"vonage", `{"action":"clear"}`, dialect.Event{Kind: dialect.Clear}, ""},
		{"vonage", `{"action":"notify","payload":{"id": "1"}}`, dialect.Event{Kind: dialect.Mark, Name: `{"id": "1"}`}, ""},
		{"vonage", `{"action":"notify"}`, dialect.Event{}, "payload"},
		{"vonage", `{"action":"notify","payload":"` + strings.Repeat("x", 600) + `"}`, dialect.Event{}, "payload"},
		{"vonage", `{"event":"hello"}`, dialect.Event{}, ""},
		{"vonage", `hello`, dialect.Event{}, "not JSON"},
	} {
		s := made(t, c.dialect)
		s.Encode(dialect.Frames{}, dialect.Event{Kind: dialect.Start, Call: &call})
		got, err := s.Decode([]byte(c.frame), false)
		if c.bad != "" {
			var why *dialect.Bad
			if !errors.As(err, &why) || !strings.Contains(why.Why, c.bad) {
				t.Errorf("%s %s: %v, want %q", c.dialect, c.frame, err, c.bad)
			}
			continue
		}
		if err != nil || got.Kind != c.want.Kind || !bytes.Equal(got.Sound, c.want.Sound) || got.Name != c.want.Name ||
			got.Digit != c.want.Digit || got.Keys != c.want.Keys {
			t.Errorf("%s %s: %+v, %v", c.dialect, c.frame, got, err)
		}
	}
	for _, name := range []string{"telnyx", "plivo"} {
		if _, err := made(t, name).Decode([]byte{1, 2}, true); err == nil {
			t.Errorf("%s took a binary frame", name)
		}
	}
}

// TestVonageCutsSound: frames of any length become samples, and every binary frame that is sent
// has 640 bytes, whatever the phone's packets have.
func TestVonageCutsSound(t *testing.T) {
	t.Parallel()
	s := made(t, "vonage")
	var got []byte
	for _, frame := range [][]byte{{1}, {2, 3}, {}, {4, 5, 6}, {7, 8}, {9, 10, 11}} {
		e, err := s.Decode(frame, true)
		if err != nil || e.Kind != dialect.Sound || len(e.Sound)%2 != 0 {
			t.Fatalf("%v: %+v, %v", frame, e, err)
		}
		got = append(got, e.Sound...)
	}
	if !bytes.Equal(got, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}) {
		t.Errorf("samples %v", got)
	}
	var frames dialect.Frames
	for i := range 6 { // 30 ms each: 9 frames of 20 ms
		frames = s.Encode(frames, dialect.Event{Kind: dialect.Sound, Sound: bytes.Repeat([]byte{byte(i), 0}, 480)})
	}
	for i := range frames.Len() {
		if data, binary := frames.At(i); !binary || len(data) != 640 {
			t.Errorf("frame %d has %d bytes", i, len(data))
		}
	}
	if frames.Len() != 9 {
		t.Errorf("%d frames", frames.Len())
	}
}

// FuzzDialects: no frame panics, and a mark comes back as valid JSON.
func FuzzDialects(f *testing.F) {
	for _, s := range []string{
		`{"event":"playAudio","media":{"payload":"AQI=","sampleRate":8000}}`, `{"action":"notify","payload":{"a":[1]}}`,
		`{"event":"sendDTMF","dtmf":"12"}`, `{"event":"checkpoint","name":"\ud800"}`, `{"event":"dtmf","dtmf":{"digit":"1"}}`, `[`,
	} {
		f.Add([]byte(s), false)
	}
	f.Add([]byte{1, 2, 3}, true)
	f.Fuzz(func(t *testing.T, frame []byte, binary bool) {
		for _, name := range dialect.Names {
			s := made(t, name)
			e, err := s.Decode(frame, binary)
			if err != nil {
				continue
			}
			if len(e.Sound) > len(frame) || len(e.Keys) > 32 || e.Kind == dialect.Digit && !dialect.IsDigit(e.Digit) {
				t.Errorf("%s: %+v of %q", name, e, frame)
			}
			if e.Kind == dialect.Mark {
				if data, _ := s.Encode(dialect.Frames{}, e).At(0); !json.Valid(data) {
					t.Errorf("%s: %q came back as %q", name, frame, data)
				}
			}
		}
	})
}

// TestSoundAllocatesNothing: fifty frames a second in each direction, in every dialect.
func TestSoundAllocatesNothing(t *testing.T) {
	sound := bytes.Repeat([]byte{0x7e}, 640)
	text := base64.StdEncoding.EncodeToString(sound[:160])
	for _, name := range dialect.Names {
		s := made(t, name)
		frames := s.Encode(dialect.Frames{}, dialect.Event{Kind: dialect.Start, Call: &call})
		frame, binary := []byte(`{"event":"media","media":{"payload":"`+text+`"}}`), false
		switch name {
		case "plivo":
			frame = []byte(`{"event":"playAudio","media":{"contentType":"audio/x-mulaw","sampleRate":8000,"payload":"` +
				text + `"}}`)
		case "vonage":
			frame, binary = sound, true
		}
		if n := testing.AllocsPerRun(100, func() {
			frames = s.Encode(frames.Reset(), dialect.Event{Kind: dialect.Sound, Sound: sound})
			if _, err := s.Decode(frame, binary); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s allocates %v times a frame", name, n)
		}
	}
}
