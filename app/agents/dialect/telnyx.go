package dialect

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Telnyx is Telnyx's media streaming protocol, in Telnyx's role: 8 kHz mu-law (PCMU) as base64 in
// JSON text frames. It differs from Twilio's in its names, which are in snake case, and in what an
// agent sends: its frames need not name the stream.
// https://developers.telnyx.com/api-reference/websockets/stream-call-media-over-websocket
type Telnyx struct {
	stream   string
	call     string
	user     string
	began    time.Time
	last     time.Duration // place of the newest sound
	sequence uint64
	chunk    uint64
	in       reader
}

// Encoding returns MuLaw.
func (t *Telnyx) Encoding() Encoding { return MuLaw }

// Encode appends the frames of e.
func (t *Telnyx) Encode(to Frames, e Event) Frames {
	switch e.Kind {
	case Start:
		return t.start(to, e.Call)
	case Sound:
		t.chunk++
		t.last = e.At
		b := t.head(to.buf, "media")
		b = append(b, `"media":{"track":"inbound","chunk":"`...)
		b = strconv.AppendUint(b, t.chunk, 10)
		b = append(b, `","timestamp":"`...)
		b = strconv.AppendInt(b, e.At.Milliseconds(), 10)
		b = append(b, `","payload":"`...)
		b = base64.StdEncoding.AppendEncode(b, e.Sound)
		return t.close(to, append(b, `"},`...))
	case Digit:
		b := t.head(to.buf, "dtmf")
		b = append(b, `"occurred_at":"`...)
		b = t.began.Add(t.last).UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z")
		b = append(b, `","dtmf":{"digit":"`...)
		return t.close(to, append(b, e.Digit, '"', '}', ','))
	case Mark:
		b := t.head(to.buf, "mark")
		b = appendString(append(b, `"mark":{"name":`...), e.Name)
		return t.close(to, append(b, '}', ','))
	case Stop:
		b := t.head(to.buf, "stop")
		b = append(append(b, `"stop":{"user_id":"`...), t.user...)
		b = append(append(b, `","call_control_id":"`...), t.call...)
		return t.close(to, append(b, `"},`...))
	}
	return to
}

// head appends the members before those of the event.
func (t *Telnyx) head(b []byte, event string) []byte {
	t.sequence++
	b = append(append(b, `{"event":"`...), event...)
	b = append(b, `","sequence_number":"`...)
	return append(strconv.AppendUint(b, t.sequence, 10), '"', ',')
}

// close appends the name of the stream, and ends the frame.
func (t *Telnyx) close(to Frames, b []byte) Frames {
	b = append(append(b, `"stream_id":"`...), t.stream...)
	return to.close(append(b, '"', '}'), false)
}

// start appends connected and start. The ring's id is the call's, and the caller's label and the
// person are where a bot looks for numbers.
func (t *Telnyx) start(to Frames, c *Call) Frames {
	t.stream, t.call, t.user, t.began = uuid(c.Stream), strings.ToLower(c.Ring), strings.ToLower(c.Tenant), c.Began
	to = to.close(append(to.buf, `{"event":"connected","version":"1.0.0"}`...), false)
	b := t.head(to.buf, "start")
	b = append(append(b, `"start":{"user_id":"`...), t.user...)
	b = append(append(b, `","call_control_id":"`...), t.call...)
	b = append(append(b, `","call_session_id":"`...), t.call...)
	b = appendString(append(b, `","from":`...), c.Parameters["caller"])
	b = appendString(append(b, `,"to":`...), c.Parameters["person"])
	b = appendParameters(append(b, `,"custom_parameters":`...), c.Parameters)
	return t.close(to, append(b, `,"media_format":{"encoding":"PCMU","sample_rate":8000,"channels":1}},`...))
}

// Decode reads one frame.
func (t *Telnyx) Decode(frame []byte, binary bool) (Event, error) {
	if binary {
		return Event{}, bad("a binary frame; Telnyx's protocol has text frames only")
	}
	m, err := t.in.read(frame)
	if err != nil {
		return Event{}, err
	}
	if m.of(m.stream, t.stream) {
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
