package gateway

import (
	"fmt"
	"strings"
	"time"
)

// Codec is how the sound of a call is encoded. A call has one codec from its first leg to its end,
// and nothing is transcoded.
type Codec uint8

// The codecs that a call can have.
const (
	Opus Codec = iota // RFC 7587
	PCMU              // G.711 μ-law, one byte a sample (RFC 3551 4.5.14)
	PCMA              // G.711 A-law, one byte a sample (RFC 3551 4.5.14)
	G722              // one byte for two samples at 16 kHz (RFC 3551 4.5.2)
	numCodecs
)

// codecs holds what an SDP says of each codec.
var codecs = [numCodecs]struct {
	name       string
	clock      uint32
	parameters string // a=fmtp of our answer
	channels   uint16 // 0 = one, and not written
	static     string // the format that needs no a=rtpmap (RFC 3551 6); "" = none
}{
	Opus: {name: "opus", clock: 48000, channels: 2, parameters: "minptime=10;useinbandfec=1"},
	PCMU: {name: "PCMU", clock: 8000, static: "0"},
	PCMA: {name: "PCMA", clock: 8000, static: "8"},
	G722: {name: "G722", clock: 8000, static: "9"},
}

// Name returns the codec's name as in SDP, such as "PCMU".
func (c Codec) Name() string { return codecs[c].name }

func (c Codec) String() string { return c.Name() }

// isG711 reports whether each byte is one sample.
func (c Codec) isG711() bool { return c == PCMU || c == PCMA }

// ClockRate returns the ticks a second of RTP timestamps: 48000 for Opus whatever its bandwidth
// (RFC 7587 4.1), and 8000 for the others. G.722 has 16000 samples a second, but its clock is 8000
// (RFC 3551 4.5.2).
func (c Codec) ClockRate() uint32 { return codecs[c].clock }

// FrameTicks returns how many ticks of the RTP clock a packet of the duration Frame takes: 960 for
// Opus, and 160 for the others, whose packets then have as many bytes.
func (c Codec) FrameTicks() uint32 { return codecs[c].clock / uint32(time.Second/Frame) }

// rtpmap returns the codec as in a=rtpmap, after the format.
func (c Codec) rtpmap() string {
	if n := codecs[c].channels; n > 0 {
		return fmt.Sprintf("%s/%d/%d", c.Name(), c.ClockRate(), n)
	}
	return fmt.Sprintf("%s/%d", c.Name(), c.ClockRate())
}

// Codecs returns all codecs, the best first.
func Codecs() []Codec { return []Codec{Opus, G722, PCMU, PCMA} }

// Plan chooses the codec of a call: the first one wanted by the agent that the phone offers. It
// returns false if there is none.
func Plan(offered, wanted []Codec) (Codec, bool) {
	for _, w := range wanted {
		for _, o := range offered {
			if o == w {
				return w, true
			}
		}
	}
	return 0, false
}

// codecOf returns the codec that an a=rtpmap names, such as "PCMU/8000/1": in either case, and with
// one channel written or not (RFC 8866 6.6).
func codecOf(rtpmap string) (Codec, bool) {
	for c := range numCodecs {
		if strings.EqualFold(rtpmap, c.rtpmap()) || codecs[c].channels == 0 && strings.EqualFold(rtpmap, c.rtpmap()+"/1") {
			return c, true
		}
	}
	return 0, false
}
