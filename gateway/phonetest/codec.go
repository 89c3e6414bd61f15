package phonetest

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// eventName is the name of key presses in SDP (RFC 4733).
const eventName = "audio/telephone-event"

// codecs are those that a phone can offer, by their names in SDP.
var codecs = map[string]webrtc.RTPCodecParameters{
	"opus": opusCodec(),
	"PCMU": {RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypePCMU, ClockRate: 8000}, PayloadType: 0},
	"PCMA": {RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypePCMA, ClockRate: 8000}, PayloadType: 8},
	"G722": {RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeG722, ClockRate: 8000}, PayloadType: 9},
}

func opusCodec() webrtc.RTPCodecParameters {
	return webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
		},
		PayloadType: 111,
	}
}

// newMediaEngine returns the codecs with these names, and key presses at their clocks.
func newMediaEngine(names []string) (*webrtc.MediaEngine, error) {
	media, clocks := &webrtc.MediaEngine{}, map[uint32]webrtc.PayloadType{48000: 110, 8000: 126}
	var keys []webrtc.RTPCodecParameters
	for _, name := range names {
		codec, ok := codecs[name]
		if !ok {
			return nil, fmt.Errorf("phonetest: no codec is called %q", name)
		}
		if err := media.RegisterCodec(codec, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, fmt.Errorf("phonetest: %w", err)
		}
		if payloadType, ok := clocks[codec.ClockRate]; ok {
			keys = append(keys, webrtc.RTPCodecParameters{
				RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: eventName, ClockRate: codec.ClockRate, SDPFmtpLine: "0-15"},
				PayloadType:        payloadType,
			})
			delete(clocks, codec.ClockRate)
		}
	}
	for _, codec := range keys {
		if err := media.RegisterCodec(codec, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, fmt.Errorf("phonetest: %w", err)
		}
	}
	return media, nil
}

// microphone is a webrtc.TrackLocal that sends in the codec of the answer. Pion's own must know its
// codec before.
type microphone struct {
	mu    sync.Mutex // guards the rest
	out   webrtc.TrackLocalWriter
	ssrc  webrtc.SSRC
	codec webrtc.RTPCodecParameters
	keys  webrtc.PayloadType // of key presses; 0 = not in the answer
	level uint8              // id of the header extension with the level; 0 = not in the answer
}

func (m *microphone) Bind(t webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.codec, m.level = webrtc.RTPCodecParameters{}, 0
	for _, x := range t.HeaderExtensions() {
		if x.URI == sdp.AudioLevelURI {
			m.level = uint8(x.ID)
		}
	}
	for _, c := range t.CodecParameters() {
		switch {
		case strings.EqualFold(c.MimeType, eventName):
			m.keys = c.PayloadType
		case m.codec.MimeType == "":
			m.codec = c
		}
	}
	if m.codec.MimeType == "" {
		return m.codec, webrtc.ErrUnsupportedCodec
	}
	m.out, m.ssrc = t.WriteStream(), t.SSRC()
	return m.codec, nil
}

func (m *microphone) Unbind(webrtc.TrackLocalContext) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.out = nil
	return nil
}

// write sends a packet of sound, or of a key press. What is sent before the answer is lost.
func (m *microphone) write(p *rtp.Packet, key bool) {
	m.mu.Lock()
	out := m.out
	p.SSRC, p.PayloadType = uint32(m.ssrc), uint8(m.codec.PayloadType)
	if key {
		p.PayloadType = uint8(m.keys)
	}
	m.mu.Unlock()
	if out != nil {
		_, _ = out.WriteRTP(&p.Header, p.Payload) // the receiver counts lost packets
	}
}

// setLevel says in h how quiet the packet is, in -dBov, if the answer takes that.
func (m *microphone) setLevel(h *rtp.Header, level uint8) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.level == 0 {
		return nil
	}
	return h.SetExtension(m.level, []byte{level & 0x7f})
}

// negotiated returns the name of the codec, its clock, and the payload type of key presses.
func (m *microphone) negotiated() (name string, clock uint32, keys uint8) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, name, _ = strings.Cut(m.codec.MimeType, "/")
	return name, m.codec.ClockRate, uint8(m.keys)
}

func (m *microphone) ID() string                { return "microphone" }
func (m *microphone) RID() string               { return "" }
func (m *microphone) StreamID() string          { return "phone" }
func (m *microphone) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }

// A marked packet has the length of a usual packet of its codec. It starts with a byte that is
// valid in Opus (20 ms, one frame), then a text and a number, and the rest follows from the number.
// It is no valid sound, but nothing on the way decodes it.
const markText = "carillon"

func markLength(codec string) int {
	if strings.EqualFold(codec, "opus") {
		return 120
	}
	return 160
}

func writeMark(payload []byte, n uint64) {
	payload[0] = 31 << 3
	at := 1 + copy(payload[1:], markText)
	binary.BigEndian.PutUint64(payload[at:], n)
	for i := at + 8; i < len(payload); i++ {
		payload[i] = byte(n) + byte(i)
	}
}

// readMark returns the number of a marked packet that no byte of has changed.
func readMark(payload []byte) (uint64, bool) {
	const head = 1 + len(markText) + 8
	if len(payload) < head || payload[0] != 31<<3 || string(payload[1:1+len(markText)]) != markText {
		return 0, false
	}
	n := binary.BigEndian.Uint64(payload[1+len(markText):])
	for i := head; i < len(payload); i++ {
		if payload[i] != byte(n)+byte(i) {
			return 0, false
		}
	}
	return n, true
}
