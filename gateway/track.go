package gateway

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// outTrack is a webrtc.TrackLocal that sends our sound on a leg. Pion's own would copy each packet.
type outTrack struct {
	codec   Codec       // it and the payload types are set before the first packet
	format  uint8       // payload type of the codec
	events  uint8       // payload type of key presses; 0 = the other side takes none
	level   uint8       // id of the header extension in which the other side says how loud it is; 0 = none
	enabled atomic.Bool // sound may be sent

	mu   sync.Mutex // guards the rest
	out  webrtc.TrackLocalWriter
	id   webrtc.SSRC
	sent sentRTP
}

// sentRTP is what a leg has sent, for its reports (RFC 3550 6.4.1).
type sentRTP struct{ packets, octets uint32 }

func (m *outTrack) Bind(t webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, c := range t.CodecParameters() {
		if strings.EqualFold(c.MimeType, m.codec.capability().MimeType) {
			m.mu.Lock()
			m.out, m.id = t.WriteStream(), t.SSRC()
			m.mu.Unlock()
			return c, nil
		}
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

// negotiated sets what the answer o says. It is called before Bind.
func (m *outTrack) negotiated(o *offer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.codec, m.format, m.events, m.level = o.codec, o.format, o.events, o.level
}

// inFormat is how the other side's packets are told apart: both sides have the same numbers.
func (m *outTrack) inFormat() inFormat { return inFormat{m.format, m.events, m.level} }

func (m *outTrack) Unbind(webrtc.TrackLocalContext) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.out = nil
	return nil
}

func (m *outTrack) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	h.PayloadType = m.format
	return m.write(h, payload)
}

// WriteEvent sends a packet of a key press.
func (m *outTrack) WriteEvent(h *rtp.Header, payload []byte) (int, error) {
	if m.events == 0 {
		return 0, ErrNoKeys
	}
	h.PayloadType = m.events
	return m.write(h, payload)
}

func (m *outTrack) write(h *rtp.Header, payload []byte) (int, error) {
	if !m.enabled.Load() {
		return 0, errPhoneAway
	}
	m.mu.Lock()
	out := m.out
	h.SSRC = uint32(m.id)
	if out != nil {
		m.sent = sentRTP{m.sent.packets + 1, m.sent.octets + uint32(len(payload))}
	}
	m.mu.Unlock()
	if out == nil {
		return 0, errPhoneAway
	}
	return out.WriteRTP(h, payload)
}

// counted returns what was sent so far.
func (m *outTrack) counted() sentRTP {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sent
}

func (m *outTrack) ssrc() uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return uint32(m.id)
}

func (m *outTrack) ID() string                { return "voice" }
func (m *outTrack) RID() string               { return "" }
func (m *outTrack) StreamID() string          { return "carillon" }
func (m *outTrack) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }
