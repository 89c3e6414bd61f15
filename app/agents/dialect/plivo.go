package dialect

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Plivo is Plivo's audio streaming protocol, in Plivo's role: 8 kHz mu-law as base64 in JSON text
// frames. Counters are numbers, timestamps are times of day in milliseconds, and there is neither
// a frame before start nor one at the end: the connection closes.
// https://www.plivo.com/docs/voice-agents/audio-streaming/concepts/audio-streaming-reference
type Plivo struct {
	stream   string
	extra    []byte // extra_headers, as a JSON string
	began    time.Time
	last     time.Duration // place of the newest sound
	sequence uint64
	chunk    uint64
	in       reader
}

// Encoding returns MuLaw.
func (p *Plivo) Encoding() Encoding { return MuLaw }

// Encode appends the frames of e.
func (p *Plivo) Encode(to Frames, e Event) Frames {
	switch e.Kind {
	case Start:
		return p.start(to, e.Call)
	case Sound:
		p.chunk++
		p.last = e.At
		b := p.head(to.buf, "media")
		b = append(b, `,"media":{"track":"inbound","timestamp":"`...)
		b = p.appendTime(b)
		b = append(b, `","chunk":`...)
		b = strconv.AppendUint(b, p.chunk, 10)
		b = append(b, `,"payload":"`...)
		b = base64.StdEncoding.AppendEncode(b, e.Sound)
		return p.close(to, append(b, '"', '}'))
	case Digit:
		b := p.head(to.buf, "dtmf")
		b = append(b, `,"dtmf":{"track":"inbound","digit":"`...)
		b = append(b, e.Digit)
		b = p.appendTime(append(b, `","timestamp":"`...))
		return p.close(to, append(b, '"', '}'))
	case Mark:
		b := p.head(to.buf, "playedStream")
		return to.close(append(appendString(append(b, `,"name":`...), e.Name), '}'), false)
	case Cleared:
		return to.close(append(p.head(to.buf, "clearedAudio"), '}'), false)
	}
	return to
}

// head appends the members that each frame after start has.
func (p *Plivo) head(b []byte, event string) []byte {
	p.sequence++
	b = append(append(b, `{"event":"`...), event...)
	b = append(b, `","sequenceNumber":`...)
	b = strconv.AppendUint(b, p.sequence, 10)
	return append(append(append(b, `,"streamId":"`...), p.stream...), '"')
}

// close appends the tenant's parameters, which each frame with sound or a key repeats.
func (p *Plivo) close(to Frames, b []byte) Frames {
	b = append(append(b, `,"extra_headers":`...), p.extra...)
	return to.close(append(b, '}'), false)
}

// appendTime appends the time of day of the newest sound.
func (p *Plivo) appendTime(b []byte) []byte {
	return strconv.AppendInt(b, p.began.Add(p.last).UnixMilli(), 10)
}

// start appends start. Parameters are one string, name=value with semicolons between; what would
// break it is left out of values.
func (p *Plivo) start(to Frames, c *Call) Frames {
	p.stream, p.began, p.sequence = uuid(c.Stream), c.Began, 1
	var extra strings.Builder
	for i, name := range sorted(c.Parameters) {
		if i > 0 {
			extra.WriteByte(';')
		}
		extra.WriteString(name + "=" + plivoValue.Replace(c.Parameters[name]))
	}
	p.extra = appendString(p.extra[:0], extra.String())
	b := append(to.buf, `{"event":"start","sequenceNumber":1,"start":{"callId":"`...)
	b = append(b, strings.ToLower(c.Ring)...)
	b = append(append(b, `","streamId":"`...), p.stream...)
	b = append(append(b, `","accountId":"`...), strings.ToLower(c.Tenant)...)
	b = append(b, `","tracks":["inbound"],"mediaFormat":{"encoding":"audio/x-mulaw","sampleRate":8000}}`...)
	return p.close(to, b)
}

var plivoValue = strings.NewReplacer(";", " ", "=", " ", "\r", " ", "\n", " ")

// Decode reads one frame.
func (p *Plivo) Decode(frame []byte, binary bool) (Event, error) {
	if binary {
		return Event{}, bad("a binary frame; Plivo's protocol has text frames only")
	}
	m, err := p.in.read(frame)
	if err != nil {
		return Event{}, err
	}
	if m.of(m.streamID, p.stream) {
		return Event{}, errOtherStream
	}
	switch string(m.unquoted(m.event)) {
	case "playAudio":
		// The stream is not converted: sound at another rate would be noise.
		if m.contentType != nil && string(m.unquoted(m.contentType)) != "audio/x-mulaw" ||
			m.rate != nil && strings.Trim(string(m.rate), `"`) != "8000" {
			return Event{}, bad("sound that is not audio/x-mulaw at 8000, as start says")
		}
		return m.sound()
	case "checkpoint":
		return m.mark(m.name)
	case "clearAudio":
		return Event{Kind: Clear}, nil
	case "sendDTMF":
		keys := m.unquoted(m.dtmf)
		if len(keys) == 0 || len(keys) > maxKeys || !allDigits(keys) {
			return Event{}, bad("a sendDTMF without 1 to %d digits", maxKeys)
		}
		return Event{Kind: Digit, Digit: keys[0], Keys: string(keys[1:])}, nil
	}
	return Event{}, nil
}

// maxKeys is the most keys in one frame: more than any telephone number and its extension.
const maxKeys = 32

func allDigits(keys []byte) bool {
	for _, k := range keys {
		if !IsDigit(k) {
			return false
		}
	}
	return true
}
