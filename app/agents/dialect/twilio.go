package dialect

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Twilio is Twilio's Media Streams protocol, in Twilio's role: 8 kHz mu-law as base64 in JSON text
// frames. Counters are strings that count from "1". Some bots read exactly the first two frames to
// find out who calls, so nothing may come between connected and start.
// https://www.twilio.com/docs/voice/media-streams/websocket-messages
type Twilio struct {
	stream   string // "MZ…"
	account  string
	call     string
	sequence uint64
	chunk    uint64

	in     bytes.Reader
	dec    jsontext.Decoder
	text   []byte // an unquoted value
	sound  []byte
	fields twilioFields
}

// TwilioIDs returns the names under which Twilio's REST interface knows a tenant and a ring: "AC"
// or "CA" and the 32 hex digits of the UUID.
func TwilioIDs(tenant, ring string) (account, call string) {
	hex := func(id string) string { return strings.ReplaceAll(strings.ToLower(id), "-", "") }
	return "AC" + hex(tenant), "CA" + hex(ring)
}

// Encode appends the frames of e.
func (t *Twilio) Encode(to Frames, e Event) Frames {
	switch e.Kind {
	case Start:
		return t.start(to, e.Call)
	case Sound:
		t.chunk++
		b := t.head(to.buf, "media")
		b = append(b, `,"media":{"track":"inbound","chunk":"`...)
		b = strconv.AppendUint(b, t.chunk, 10)
		b = append(b, `","timestamp":"`...)
		b = strconv.AppendInt(b, e.At.Milliseconds(), 10)
		b = append(b, `","payload":"`...)
		b = base64.StdEncoding.AppendEncode(b, e.Sound)
		return to.close(append(b, `"}}`...), false)
	case Digit:
		b := t.head(to.buf, "dtmf")
		b = append(b, `,"dtmf":{"track":"inbound_track","digit":"`...)
		return to.close(append(b, e.Digit, '"', '}', '}'), false)
	case Mark:
		b := t.head(to.buf, "mark")
		b = appendString(append(b, `,"mark":{"name":`...), e.Name)
		return to.close(append(b, '}', '}'), false)
	case Cleared: // not Twilio's own: bots that do not know it ignore it
		b := t.head(to.buf, "cleared")
		b = append(b, `,"cleared":{"playedMs":"`...)
		b = strconv.AppendInt(b, e.Played.Milliseconds(), 10)
		b = append(b, `","droppedMs":"`...)
		b = strconv.AppendInt(b, e.Dropped.Milliseconds(), 10)
		return to.close(append(b, `"}}`...), false)
	case Stop:
		b := t.head(to.buf, "stop")
		b = append(b, `,"stop":{"accountSid":"`...)
		b = append(append(b, t.account...), `","callSid":"`...)
		return to.close(append(append(b, t.call...), `"}}`...), false)
	}
	return to
}

// head appends the members that each frame after connected has.
func (t *Twilio) head(b []byte, event string) []byte {
	t.sequence++
	b = append(append(b, `{"event":"`...), event...)
	b = append(b, `","sequenceNumber":"`...)
	b = strconv.AppendUint(b, t.sequence, 10)
	b = append(b, `","streamSid":"`...)
	return append(append(b, t.stream...), '"')
}

// start appends connected and start.
func (t *Twilio) start(to Frames, c *Call) Frames {
	t.stream = "MZ" + c.Stream
	t.account, t.call = TwilioIDs(c.Tenant, c.Ring)
	to = to.close(append(to.buf, `{"event":"connected","protocol":"Call","version":"1.0.0"}`...), false)
	b := t.head(to.buf, "start")
	b = append(b, `,"start":{"streamSid":"`...)
	b = append(append(b, t.stream...), `","accountSid":"`...)
	b = append(append(b, t.account...), `","callSid":"`...)
	b = append(append(b, t.call...), `","tracks":["inbound"],"customParameters":{`...)
	names := make([]string, 0, len(c.Parameters))
	for name := range c.Parameters {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		b = appendString(b, c.Parameters[name])
	}
	b = append(b, `},"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}}}`...)
	return to.close(b, false)
}

// appendString appends s as a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s) // its error only says that bytes were replaced
	return b
}

// twilioFields are the members that we read, as raw JSON. They are slices of the frame.
type twilioFields struct{ event, stream, payload, name, digit jsontext.Value }

// Decode reads one frame.
func (t *Twilio) Decode(frame []byte, binary bool) (Event, error) {
	if binary {
		return Event{}, bad("a binary frame; Twilio's protocol has text frames only")
	}
	t.fields = twilioFields{}
	if err := t.read(frame); err != nil {
		return Event{}, bad("a frame that is not JSON")
	}
	f := &t.fields
	if f.stream != nil && t.stream != "" && !bytes.Equal(t.unquoted(f.stream), []byte(t.stream)) {
		return Event{}, bad("a frame of another stream")
	}
	switch string(t.unquoted(f.event)) {
	case "media":
		return t.media()
	case "mark":
		name := t.unquoted(f.name)
		if f.name == nil || len(name) > maxName {
			return Event{}, bad("a mark without a name, or with one of more than %d bytes", maxName)
		}
		return Event{Kind: Mark, Name: string(name)}, nil
	case "clear":
		return Event{Kind: Clear}, nil
	case "dtmf":
		digit := t.unquoted(f.digit)
		if len(digit) != 1 || !IsDigit(digit[0]) {
			return Event{}, bad("a dtmf without one digit")
		}
		return Event{Kind: Digit, Digit: digit[0]}, nil
	}
	return Event{}, nil
}

func (t *Twilio) media() (Event, error) {
	if t.fields.payload == nil {
		return Event{}, bad("a media frame without a payload")
	}
	text := t.unquoted(t.fields.payload)
	t.sound = slices.Grow(t.sound[:0], base64.StdEncoding.DecodedLen(len(text)))
	sound, err := base64.StdEncoding.AppendDecode(t.sound, text)
	if err != nil {
		// Some encoders leave the padding out.
		sound, err = base64.RawStdEncoding.AppendDecode(t.sound, text)
	}
	t.sound = sound[:0]
	if err != nil {
		return Event{}, bad("a payload that is not base64")
	}
	return Event{Kind: Sound, Sound: sound}, nil
}

// unquoted returns the text of a JSON string. It is valid until the next call.
func (t *Twilio) unquoted(v jsontext.Value) []byte {
	if len(v) < 2 || v[0] != '"' {
		return nil
	}
	if inner := v[1 : len(v)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	text, err := jsontext.AppendUnquote(t.text[:0], v)
	if err != nil {
		return nil
	}
	t.text = text
	return text
}

// read finds the members of a frame. Values are cut out of the frame by their offsets, because what
// the decoder returns is only valid until it reads on.
func (t *Twilio) read(frame []byte) error {
	t.in.Reset(frame)
	t.dec.Reset(&t.in, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	var (
		to    *jsontext.Value // where the next value goes
		enter bool            // the next value is an object whose members are wanted
	)
	for {
		depth := t.dec.StackDepth()
		kind := t.dec.PeekKind()
		if kind == '{' && (depth == 0 || enter) || kind == '}' {
			if _, err := t.dec.ReadToken(); err != nil {
				return err
			}
			if kind == '}' && depth == 1 {
				return nil
			}
			to, enter = nil, false
			continue
		}
		v, err := t.dec.ReadValue()
		if err != nil {
			return err
		}
		if depth == 0 {
			return bad("a frame that is no object")
		}
		if _, read := t.dec.StackIndex(depth); read%2 == 1 {
			to, enter = t.fields.place(v, depth)
			continue
		}
		if to != nil {
			end := int(t.dec.InputOffset())
			*to = frame[end-len(v) : end]
		}
		to, enter = nil, false
	}
}

// place returns where the value of a member goes, and whether it is an object that is read too.
func (f *twilioFields) place(name jsontext.Value, depth int) (*jsontext.Value, bool) {
	switch {
	case depth == 1 && string(name) == `"event"`:
		return &f.event, false
	case depth == 1 && string(name) == `"streamSid"`:
		return &f.stream, false
	case depth == 1:
		return nil, string(name) == `"media"` || string(name) == `"mark"` || string(name) == `"dtmf"`
	case string(name) == `"payload"`:
		return &f.payload, false
	case string(name) == `"name"`:
		return &f.name, false
	case string(name) == `"digit"`:
		return &f.digit, false
	}
	return nil, false
}
