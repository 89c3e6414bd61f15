// Package phonetest simulates a phone inside this process, for tests and load: it makes an offer,
// sends packets that it can recognise when they come back, and measures what it receives. It
// does not know rings or CallKit; the caller says how an offer becomes an answer (Answerer). Start
// reading at New and Phone.Call.
//
// It checks connectivity every 20 ms; Pion's default is 200 ms. Browsers and iPhones check about as
// often as this, and a phone slower than its gateway would measure its own waiting.
package phonetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// Answerer sends an offer to the other side and returns the answer.
type Answerer func(ctx context.Context, offer string) (answer string, err error)

// Restarter sends a trickle fragment with a new ICE session and returns the fragment that answers
// it.
type Restarter func(ctx context.Context, fragment string) (answer string, err error)

// Config configures a phone. The zero value is a phone on this machine.
type Config struct {
	Network func(net.IP) bool       // selects the addresses of this machine that it uses; nil = loopback only
	TCP     bool                    // has no UDP: it must dial the gateway's TCP port
	Mute    bool                    // connects but sends no sound
	Silence []byte                  // sends this packet again and again until Speak; nil = it speaks at once
	Hear    func(payload []byte)    // gets each packet of sound in order; it must not keep it. nil = nobody
	Codecs  []string                // offers these, by their names in SDP, the best first; nil = opus
	Packets uint64                  // sends no more than this; 0 = no limit
	Mux     ice.UDPMux              // its only socket, for one call; nil = Pion opens sockets
	Level   func(n uint64) uint8    // says how quiet packet n is, in -dBov (RFC 6464); nil = says nothing
	Edit    func(sdp string) string // changes the offer before it is sent, for tests of bad input
}

// Phone makes calls.
type Phone struct {
	cfg Config
}

// New returns a phone.
func New(cfg Config) (*Phone, error) {
	if cfg.Codecs == nil {
		cfg.Codecs = []string{"opus"}
	}
	if cfg.Network == nil {
		cfg.Network = net.IP.IsLoopback
	}
	p := &Phone{cfg: cfg}
	_, err := p.newAPI() // refuses now what Call would refuse
	return p, err
}

// newAPI returns the Pion API of one call, with more interceptors.
func (p *Phone) newAPI(more ...interceptor.Factory) (*webrtc.API, error) {
	return newAPI(p.cfg.Codecs, p.cfg.Level != nil, func(e *webrtc.SettingEngine) {
		e.SetIPFilter(p.cfg.Network)
		e.SetIncludeLoopbackCandidate(true)
		if p.cfg.Mux != nil {
			e.SetICEUDPMux(p.cfg.Mux)
		}
		if p.cfg.TCP {
			e.DisableActiveTCP(false)
			e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
		}
		// Pion has no setting for the interval of its checks: they run at the shortest of its
		// timeouts. A connection counts as failed after the sum of the first two, 10.02 s.
		// Keep-alives would run as often, so they are off: sound, and the gateway's keep-alives,
		// keep a connection alive.
		e.SetICETimeouts(10*time.Second, 20*time.Millisecond, 0)
	}, more...)
}

// newAPI returns a Pion API with these codecs and RTCP reports, with levels if it says how loud its
// sound is, and with more interceptors.
func newAPI(names []string, levels bool, set func(*webrtc.SettingEngine), more ...interceptor.Factory) (*webrtc.API, error) {
	media, err := newMediaEngine(names)
	if err != nil {
		return nil, err
	}
	if levels {
		err := media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.AudioLevelURI}, webrtc.RTPCodecTypeAudio)
		if err != nil {
			return nil, fmt.Errorf("phonetest: %w", err)
		}
	}
	var interceptors interceptor.Registry
	if err := webrtc.ConfigureRTCPReports(&interceptors); err != nil {
		return nil, fmt.Errorf("phonetest: %w", err)
	}
	for _, f := range more {
		interceptors.Add(f)
	}
	var e webrtc.SettingEngine
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	e.LoggerFactory = quiet
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	e.DisableActiveTCP(true)
	e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	set(&e)
	return webrtc.NewAPI(
		webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(&interceptors), webrtc.WithSettingEngine(e),
	), nil
}

// Call makes an offer, has it answered, and connects. It returns when the answer has come;
// Connected and Heard report the next steps. HangUp ends the call and frees everything.
func (p *Phone) Call(ctx context.Context, answer Answerer) (*Call, error) {
	began := time.Now()
	reading := &readerWatch{begun: make(chan struct{})}
	api, err := p.newAPI(reading)
	if err != nil {
		return nil, err
	}
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, fmt.Errorf("phonetest: %w", err)
	}
	c := newCall(p.cfg, pc, began)
	c.reading = reading.begun
	if err := c.dial(ctx, answer); err != nil {
		c.HangUp()
		return nil, err
	}
	return c, nil
}

// Offer returns an offer and makes no call, for tests of bad input.
func (p *Phone) Offer(ctx context.Context) (string, error) {
	var offer string
	_, err := p.Call(ctx, func(_ context.Context, sdp string) (string, error) {
		offer = sdp
		return "", errOffered
	})
	if errors.Is(err, errOffered) {
		err = nil
	}
	return offer, err
}

// readerWatch is an interceptor of one connection that knows when Pion began to read sound.
type readerWatch struct {
	interceptor.NoOp
	once  sync.Once
	begun chan struct{}
}

func (w *readerWatch) NewInterceptor(string) (interceptor.Interceptor, error) { return w, nil }

func (w *readerWatch) BindRemoteStream(_ *interceptor.StreamInfo, r interceptor.RTPReader) interceptor.RTPReader {
	w.once.Do(func() { close(w.begun) })
	return r
}

var errOffered = errors.New("phonetest: only the offer was wanted")
