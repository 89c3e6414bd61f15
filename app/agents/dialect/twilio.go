package dialect

import (
	"encoding/base64"
	"strconv"
	"strings"
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
	in       reader
}

// Encoding returns MuLaw.
func (t *Twilio) Encoding() Encoding { return MuLaw }

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
	case Gap: // not Twilio's own, as the next one
		b := t.head(to.buf, "gap")
		return to.close(append(strconv.AppendBool(append(b, `,"gap":{"away":`...), e.Away), `}}`...), false)
	case Warning:
		b := t.head(to.buf, "warning")
		b = strconv.AppendInt(append(b, `,"warning":{"leftMs":"`...), e.Left.Milliseconds(), 10)
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
	b = append(append(b, t.call...), `","tracks":["inbound"],"customParameters":`...)
	b = appendParameters(b, c.Parameters)
	b = append(b, `,"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}}}`...)
	return to.close(b, false)
}

// Decode reads one frame.
func (t *Twilio) Decode(frame []byte, binary bool) (Event, error) {
	if binary {
		return Event{}, bad("a binary frame; Twilio's protocol has text frames only")
	}
	m, err := t.in.read(frame)
	if err != nil {
		return Event{}, err
	}
	if m.of(m.streamSid, t.stream) {
		return Event{}, errOtherStream
	}
	switch string(m.unquoted(m.event)) {
	case "media":
		return m.sound()
	case "mark":
		return m.mark(m.markName)
	case "clear":
		return Event{Kind: Clear}, nil
	case "dtmf":
		return m.digits(m.digit)
	}
	return Event{}, nil
}
