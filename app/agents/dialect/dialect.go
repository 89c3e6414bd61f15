// Package dialect is how voice agents on a WebSocket write what they hear and say. Each dialect is
// a pure codec between frames and one set of events; it knows no sockets, clocks or calls.
//
// Carillon plays the telephone company: it sends Start, Sound, Digit, Mark, Cleared, Gap, Warning
// and Stop, and gets Sound, Mark, Clear and Digit.
package dialect

import (
	"fmt"
	"time"
)

// Kind is what an Event says.
type Kind uint8

// The kinds of events.
const (
	Ignored Kind = iota // the frame needs nothing; the call goes on
	Start               // the stream begins; Event.Call says what it is
	Sound               // sound, in the stream's encoding
	Digit               // a key was pressed, or the agent presses one
	Mark                // a name: sent back when the sound before it has been played
	Clear               // the agent was interrupted: drop the sound that waits
	Cleared             // answer to Clear: how much was played
	Gap                 // the phone is away, or is back
	Warning             // the call is about to reach its longest duration
	Stop                // the call is over
)

// Event is one message in either direction.
type Event struct {
	Kind    Kind
	Sound   []byte        // of Sound; valid until the next Decode
	At      time.Duration // of Sound: its place in the stream
	Digit   byte          // of Digit: 0-9 * # A-D
	Keys    string        // of Digit that was read: keys to press after it
	Name    string        // of Mark
	Played  time.Duration // of Cleared: of the present sentence
	Dropped time.Duration // of Cleared: what was not played
	Away    bool          // of Gap
	Left    time.Duration // of Warning
	Call    *Call         // of Start
}

// Call is what an agent learns when its stream starts.
type Call struct {
	Tenant, Ring string            // UUIDs
	Stream       string            // 32 hex digits, new for each stream
	Parameters   map[string]string // ours and the tenant's
	Began        time.Time         // some dialects have times of day
}

// Encoding is how the sound of a stream is encoded, in both directions.
type Encoding uint8

// The encodings of sound.
const (
	MuLaw Encoding = iota // G.711 mu-law at 8 kHz, one byte a sample
	L16                   // signed 16 bits at 16 kHz, the low byte first
)

// Stream encodes and decodes the frames of one stream. It is not for concurrent use, except that
// one goroutine may encode while another decodes.
type Stream interface {
	// Encoding returns how Event.Sound is encoded.
	Encoding() Encoding
	// Encode appends the frames of e. An event that the dialect has no message for gives none.
	Encode(to Frames, e Event) Frames
	// Decode reads one frame. What the dialect does not know is Ignored; only a frame that cannot
	// be read is an error, and the call may go on after it.
	Decode(frame []byte, binary bool) (Event, error)
}

// Frames are frames to be sent. Their memory is reused: they are valid until the next Reset.
type Frames struct {
	buf  []byte
	list []frame
}

type frame struct {
	end    int
	binary bool
}

// Reset forgets the frames and keeps their memory.
func (f Frames) Reset() Frames { return Frames{f.buf[:0], f.list[:0]} }

// Len returns how many frames there are.
func (f Frames) Len() int { return len(f.list) }

// At returns frame i, and whether it is binary.
func (f Frames) At(i int) (data []byte, binary bool) {
	from := 0
	if i > 0 {
		from = f.list[i-1].end
	}
	return f.buf[from:f.list[i].end], f.list[i].binary
}

// close ends a frame whose bytes are in buf.
func (f Frames) close(buf []byte, binary bool) Frames {
	return Frames{buf, append(f.list, frame{len(buf), binary})}
}

// Bad is a frame that cannot be read.
type Bad struct{ Why string }

func (b *Bad) Error() string { return "dialect: " + b.Why }

func bad(format string, args ...any) error { return &Bad{fmt.Sprintf(format, args...)} }

// Names are the dialects.
var Names = []string{"twilio", "telnyx", "plivo", "vonage"}

// New returns a stream in the dialect of that name.
func New(name string) (Stream, bool) {
	switch name {
	case "twilio":
		return new(Twilio), true
	case "telnyx":
		return new(Telnyx), true
	case "plivo":
		return new(Plivo), true
	case "vonage":
		return new(Vonage), true
	}
	return nil, false
}

// uuid returns 32 hex digits in the form of a UUID.
func uuid(hex string) string {
	if len(hex) != 32 {
		return hex
	}
	return hex[:8] + "-" + hex[8:12] + "-" + hex[12:16] + "-" + hex[16:20] + "-" + hex[20:]
}

// maxName is the longest name of a mark that is kept, in bytes. Bots use a counter or a UUID.
const maxName = 256

// IsDigit reports whether b is a key of a telephone (RFC 4733 3.2).
func IsDigit(b byte) bool {
	return '0' <= b && b <= '9' || 'A' <= b && b <= 'D' || b == '*' || b == '#'
}
