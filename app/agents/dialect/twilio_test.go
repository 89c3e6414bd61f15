package dialect_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"carillon/app/agents/dialect"
)

var call = dialect.Call{
	Tenant: "01A21a1b-4878-7000-8000-000000000001", Ring: "01a21a1b-4878-7000-8000-000000000002",
	Stream:     "0123456789abcdef0123456789abcdef",
	Parameters: map[string]string{"ring_id": "01a21a1b-4878-7000-8000-000000000002", "greeting": "Grüß \"Gott\"\n</script>"},
}

// conversation is what Carillon sends in a short call.
var conversation = []dialect.Event{
	{Kind: dialect.Start, Call: &call},
	{Kind: dialect.Sound, Sound: bytes.Repeat([]byte{0xff}, 160)},
	{Kind: dialect.Sound, Sound: []byte{0, 1, 2}, At: 20 * time.Millisecond},
	{Kind: dialect.Digit, Digit: '#'},
	{Kind: dialect.Mark, Name: "response \"1\""},
	{Kind: dialect.Cleared, Played: 1240 * time.Millisecond, Dropped: 380 * time.Millisecond},
	{Kind: dialect.Gap, Away: true},
	{Kind: dialect.Warning, Left: time.Minute},
	{Kind: dialect.Stop},
}

// TestTwilioFrames compares with the golden file, which was written from Twilio's page of messages.
func TestTwilioFrames(t *testing.T) {
	t.Parallel()
	var (
		stream dialect.Twilio
		frames dialect.Frames
	)
	for _, e := range conversation {
		frames = stream.Encode(frames, e)
	}
	var got bytes.Buffer
	for i := range frames.Len() {
		data, binary := frames.At(i)
		if binary || !json.Valid(data) {
			t.Errorf("frame %d is binary or no JSON: %s", i, data)
		}
		got.Write(data)
		got.WriteByte('\n')
	}
	want, err := os.ReadFile("testdata/twilio.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
}

func TestTwilioIsRead(t *testing.T) {
	t.Parallel()
	sound := []byte{1, 2, 3, 0xff, 0xfe, 0xfb}
	text := base64.StdEncoding.EncodeToString(sound)
	for _, c := range []struct {
		name, frame string
		want        dialect.Event
	}{
		{"media", `{"event":"media","streamSid":"MZ1","media":{"payload":"` + text + `"}}`,
			dialect.Event{Kind: dialect.Sound, Sound: sound}},
		{"media first, unknown members", `{"media":{"track":"outbound","x":{"payload":"no"},"payload":"` + text +
			`"},"v":[1,{"event":"mark"}],"event":"media"}`,
			dialect.Event{Kind: dialect.Sound, Sound: sound}},
		{"escaped slashes", `{"event":"media","media":{"payload":"` + strings.ReplaceAll(text, "/", `\/`) + `"}}`,
			dialect.Event{Kind: dialect.Sound, Sound: sound}},
		{"no padding", `{"event":"media","media":{"payload":"AQI"}}`, dialect.Event{Kind: dialect.Sound, Sound: []byte{1, 2}}},
		{"nothing to play", `{"event":"media","media":{"payload":""}}`, dialect.Event{Kind: dialect.Sound, Sound: []byte{}}},
		{"mark", `{"event":"mark","mark":{"name":"a\u00e9"}}`, dialect.Event{Kind: dialect.Mark, Name: "aé"}},
		{"clear", ` {"event" : "clear"} `, dialect.Event{Kind: dialect.Clear}},
		{"dtmf", `{"event":"dtmf","dtmf":{"digit":"5"}}`, dialect.Event{Kind: dialect.Digit, Digit: '5'}},
		{"unknown", `{"event":"hello"}`, dialect.Event{}},
		{"no event", `{}`, dialect.Event{}},
		{"a name that is a number", `{"event":7,"media":null}`, dialect.Event{}},
	} {
		got, err := new(dialect.Twilio).Decode([]byte(c.frame), false)
		if err != nil || got.Kind != c.want.Kind || !bytes.Equal(got.Sound, c.want.Sound) || got.Name != c.want.Name ||
			got.Digit != c.want.Digit {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

func TestTwilioRefusesWithItsCause(t *testing.T) {
	t.Parallel()
	stream := new(dialect.Twilio)
	stream.Encode(dialect.Frames{}, dialect.Event{Kind: dialect.Start, Call: &call})
	for _, c := range []struct{ name, frame, want string }{
		{"empty", ``, "not JSON"},
		{"cut off", `{"event":"media","media":{"payl`, "not JSON"},
		{"an array", `[]`, "not JSON"},
		{"text", `hello`, "not JSON"},
		{"deep", strings.Repeat(`{"a":`, 20000), "not JSON"},
		{"another stream", `{"event":"clear","streamSid":"MZother"}`, "another stream"},
		{"no payload", `{"event":"media","media":{}}`, "without a payload"},
		{"payload is a number", `{"event":"media","media":{"payload":7}}`, ""},
		{"not base64", `{"event":"media","media":{"payload":"(*)"}}`, "base64"},
		{"mark without a name", `{"event":"mark"}`, "name"},
		{"a long name", `{"event":"mark","mark":{"name":"` + strings.Repeat("x", 300) + `"}}`, "name"},
		{"two digits", `{"event":"dtmf","dtmf":{"digit":"12"}}`, "digit"},
	} {
		e, err := stream.Decode([]byte(c.frame), false)
		var why *dialect.Bad
		if c.want == "" {
			if err != nil || len(e.Sound) > 0 {
				t.Errorf("%s: %+v, %v", c.name, e, err)
			}
			continue
		}
		if !errors.As(err, &why) || !strings.Contains(why.Why, c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := stream.Decode(nil, true); err == nil {
		t.Error("a binary frame was taken")
	}
}

func FuzzTwilio(f *testing.F) {
	for _, s := range []string{`{"event":"media","media":{"payload":"AQI="}}`, `{"event":"mark","mark":{"name":"\u0000"}}`, `[`,
		`{"a":{"b":[}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		stream := new(dialect.Twilio)
		e, err := stream.Decode(frame, false)
		if err != nil {
			return
		}
		if len(e.Sound) > len(frame) || len(e.Name) > 256 || e.Kind == dialect.Digit && !dialect.IsDigit(e.Digit) {
			t.Errorf("%+v of %q", e, frame)
		}
		if e.Kind == dialect.Mark { // what comes back must be JSON with the same name
			sent := stream.Encode(dialect.Frames{}, e)
			data, _ := sent.At(0)
			again, err := new(dialect.Twilio).Decode(data, false)
			if err != nil || again.Name != strings.ToValidUTF8(e.Name, "\ufffd") && again.Name != e.Name {
				t.Errorf("%q came back as %q: %v", e.Name, again.Name, err)
			}
		}
	})
}

func BenchmarkTwilio(b *testing.B) {
	sound := bytes.Repeat([]byte{0x7e}, 160)
	frame := []byte(`{"event":"media","streamSid":"MZ1","media":{"payload":"` + base64.StdEncoding.EncodeToString(sound) + `"}}`)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		var (
			stream dialect.Twilio
			frames dialect.Frames
		)
		for b.Loop() {
			frames = stream.Encode(frames.Reset(), dialect.Event{Kind: dialect.Sound, Sound: sound})
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		var stream dialect.Twilio
		for b.Loop() {
			if _, err := stream.Decode(frame, false); err != nil {
				b.Fatal(err)
			}
		}
	})
}
