package dialect

import (
	"strconv"
	"strings"
)

// Vonage is Vonage's WebSocket protocol, in Vonage's role: sound is signed 16 bits at 16 kHz in
// binary frames of exactly 640 bytes, and events are JSON text frames. The agent's sound may come
// in frames of any length. There is no frame at the end: the connection closes.
// https://developer.vonage.com/en/voice/voice-api/guides/websockets
type Vonage struct {
	rest []byte // of the sound to send: less than a frame

	in    reader
	odd   bool // the agent's last frame ended within a sample
	low   byte // its first byte
	plain []byte
}

// vonageFrame is the bytes of 20 ms.
const vonageFrame = 640

// vonageTone is how long a key was pressed, in milliseconds, when nobody measured it.
const vonageTone = 100

// Encoding returns L16.
func (v *Vonage) Encoding() Encoding { return L16 }

// Encode appends the frames of e.
func (v *Vonage) Encode(to Frames, e Event) Frames {
	switch e.Kind {
	case Start:
		return v.start(to, e.Call)
	case Sound:
		v.rest = append(v.rest, e.Sound...)
		n := 0
		for ; len(v.rest)-n >= vonageFrame; n += vonageFrame {
			to = to.close(append(to.buf, v.rest[n:n+vonageFrame]...), true)
		}
		v.rest = v.rest[:copy(v.rest, v.rest[n:])]
		return to
	case Digit:
		b := append(to.buf, `{"event":"websocket:dtmf","digit":"`...)
		b = append(append(b, e.Digit), `","duration":`...)
		return to.close(append(strconv.AppendInt(b, vonageTone, 10), '}'), false)
	case Mark: // its name is the JSON that came with notify
		b := append(to.buf, `{"event":"websocket:notify","payload":`...)
		return to.close(append(append(b, e.Name...), '}'), false)
	case Cleared:
		return to.close(append(to.buf, `{"event":"websocket:cleared"}`...), false)
	}
	return to
}

// start appends websocket:connected. Vonage writes an application's headers beside its own
// members, so a parameter cannot have one of their names.
func (v *Vonage) start(to Frames, c *Call) Frames {
	b := append(to.buf, `{"event":"websocket:connected","content-type":"audio/l16;rate=16000"`...)
	for _, name := range sorted(c.Parameters) {
		if name == "event" || name == "content-type" {
			continue
		}
		b = append(appendString(append(b, ','), name), ':')
		b = appendString(b, c.Parameters[name])
	}
	return to.close(append(b, '}'), false)
}

// Decode reads one frame.
func (v *Vonage) Decode(frame []byte, binary bool) (Event, error) {
	if binary {
		return Event{Kind: Sound, Sound: v.whole(frame)}, nil
	}
	m, err := v.in.read(frame)
	if err != nil {
		return Event{}, err
	}
	switch string(m.unquoted(m.action)) {
	case "clear":
		v.odd = false
		return Event{Kind: Clear}, nil
	case "notify":
		if m.content == nil || len(m.content) > maxNotify {
			return Event{}, bad("a notify without a payload, or with one of more than %d bytes", maxNotify)
		}
		return Event{Kind: Mark, Name: strings.ToValidUTF8(string(m.content), "\ufffd")}, nil
	}
	return Event{}, nil
}

// maxNotify is the longest payload of a notify that is kept, in bytes.
const maxNotify = 512

// whole returns the samples of a frame, with the half sample that the frame before left over.
func (v *Vonage) whole(frame []byte) []byte {
	v.plain = v.plain[:0]
	if v.odd {
		v.plain = append(v.plain, v.low)
	}
	v.plain = append(v.plain, frame...)
	n := len(v.plain)
	if v.odd = n%2 == 1; v.odd {
		n--
		v.low = v.plain[n]
	}
	return v.plain[:n]
}
