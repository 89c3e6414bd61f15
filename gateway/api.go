package gateway

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/transport/v5/packetio"
	"github.com/pion/webrtc/v4"
)

// eventName is the name of key presses in SDP (RFC 4733).
const eventName = "telephone-event"

// eventParameters are the keys that we take: 0 to 9, *, # and A to D (RFC 4733 3.2).
const eventParameters = "0-15"

// capability returns c as Pion describes a codec. The parameters are those of our reduced offers,
// so that Pion finds both to be the same.
func (c Codec) capability() webrtc.RTPCodecCapability {
	return webrtc.RTPCodecCapability{
		MimeType: "audio/" + c.Name(), ClockRate: c.ClockRate(), Channels: codecs[c].channels, SDPFmtpLine: codecs[c].parameters,
	}
}

// newAPIs builds the factories of all connections that answer, one for each codec. They do not
// change afterwards.
func newAPIs(cfg Config, p *port, r reach, logs logging.LoggerFactory) (apis [numCodecs]*factory, err error) {
	engine, err := settings(cfg, r, logs)
	if err != nil {
		return apis, err
	}
	engine.SetICEUDPMux(p.udp)
	if p.tcp != nil {
		engine.SetICETCPMux(p.tcp)
		engine.SetNetworkTypes([]webrtc.NetworkType{
			webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6,
		})
	}
	for c := range numCodecs { // an answer has the payload types of its offer
		if apis[c], err = newAPI(cfg.Now, engine, c.parameters(96), eventsAt(c.ClockRate(), 97)); err != nil {
			return apis, err
		}
	}
	return apis, nil
}

// newOfferingAPI builds the factory of all connections that offer. They offer some of its codecs.
// Each has a UDP port of its own, not the shared one: Pion finds the connection of a packet on a
// shared port by the far address alone, and a server of agents may have one address for all calls.
func newOfferingAPI(cfg Config, r reach, logs logging.LoggerFactory) (*factory, error) {
	engine, err := settings(cfg, r, logs)
	if err != nil {
		return nil, err
	}
	engine.SetSCTPMaxMessageSize(MaxText)
	return newAPI(cfg.Now, engine, offered(Opus, PCMU, PCMA, G722)...)
}

// offered returns what an offer of these codecs has, with key presses at each of their clocks.
func offered(list ...Codec) []webrtc.RTPCodecParameters {
	types := [numCodecs]webrtc.PayloadType{Opus: 111, PCMU: 0, PCMA: 8, G722: 9}
	events := map[uint32]webrtc.PayloadType{48000: 110, 8000: 126}
	var sound, keys []webrtc.RTPCodecParameters
	for _, c := range list {
		sound = append(sound, c.parameters(types[c]))
		if t, ok := events[c.ClockRate()]; ok {
			keys = append(keys, eventsAt(c.ClockRate(), t))
			delete(events, c.ClockRate())
		}
	}
	return append(sound, keys...)
}

func (c Codec) parameters(t webrtc.PayloadType) webrtc.RTPCodecParameters {
	return webrtc.RTPCodecParameters{RTPCodecCapability: c.capability(), PayloadType: t}
}

// eventsAt returns the format of key presses at this clock.
func eventsAt(clock uint32, t webrtc.PayloadType) webrtc.RTPCodecParameters {
	return webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: "audio/" + eventName, ClockRate: clock, SDPFmtpLine: eventParameters,
	}, PayloadType: t}
}

// factory makes the connections that have the same settings and codecs.
type factory struct {
	engine webrtc.SettingEngine
	media  *webrtc.MediaEngine // each connection copies it
	now    func() time.Time
}

func newAPI(now func() time.Time, engine webrtc.SettingEngine, codecs ...webrtc.RTPCodecParameters) (*factory, error) {
	f := &factory{engine: engine, media: &webrtc.MediaEngine{}, now: now}
	for _, codec := range codecs {
		if err := f.media.RegisterCodec(codec, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, fmt.Errorf("%s: %w", codec.MimeType, err)
		}
	}
	return f, nil
}

// connect makes a connection that puts what it receives into buffers. It has none of Pion's
// interceptors: resending and congestion feedback are for video, and we report ourselves, because
// Pion's reports parse and allocate for each packet.
func (f *factory) connect(c webrtc.Configuration, buffers bufferFactory) (*webrtc.PeerConnection, error) {
	engine := f.engine
	engine.BufferFactory = buffers
	engine.SetICEBindingRequestHandler((&path{now: f.now}).follow)
	return webrtc.NewAPI(
		webrtc.WithMediaEngine(f.media), webrtc.WithInterceptorRegistry(&interceptor.Registry{}), webrtc.WithSettingEngine(engine),
	).NewPeerConnection(c)
}

// bufferFactory gives Pion a buffer for what it receives of, or about, one source.
type bufferFactory = func(kind packetio.BufferPacketType, ssrc uint32) io.ReadWriteCloser

func settings(cfg Config, r reach, logs logging.LoggerFactory) (webrtc.SettingEngine, error) {
	var e webrtc.SettingEngine
	e.LoggerFactory = logs
	e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	e.DisableActiveTCP(true) // we never dial where an offer points
	e.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	e.SetIncludeLoopbackCandidate(cfg.AllowLoopback)
	// Only addresses that no phone can have are blocked here. A phone on a private network may
	// connect to us first and is answered, although we would not connect to it first.
	e.SetRemoteIPFilter(func(ip net.IP) bool {
		a, ok := netip.AddrFromSlice(ip)
		return ok && !r.impossible(a)
	})
	e.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	if len(cfg.PublicIPs) > 0 {
		err := e.SetICEAddressRewriteRules(webrtc.ICEAddressRewriteRule{
			External: cfg.PublicIPs, AsCandidateType: webrtc.ICECandidateTypeHost, Mode: webrtc.ICEAddressRewriteReplace,
		})
		if err != nil {
			return e, fmt.Errorf("public addresses: %w", err)
		}
	}
	return e, nil
}

// certificates holds the DTLS certificate that all calls share, and replaces it before it expires.
// Phones trust its fingerprint in the answer (RFC 8122), not an authority.
type certificates struct {
	now func() time.Time

	mu   sync.Mutex // guards cert
	cert *webrtc.Certificate
}

func (c *certificates) get() (webrtc.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	const ahead = 10 * 24 * time.Hour
	if c.cert == nil || c.cert.Expires().Before(c.now().Add(ahead)) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return webrtc.Certificate{}, fmt.Errorf("DTLS key: %w", err)
		}
		c.cert, err = webrtc.GenerateCertificate(key)
		if err != nil {
			return webrtc.Certificate{}, fmt.Errorf("DTLS certificate: %w", err)
		}
	}
	return *c.cert, nil
}

// pionLogs writes Pion's log lines to our log. Pion's warnings are mostly caused by bad packets
// from outside and not by a fault, so they are logged at debug level.
type pionLogs struct{ log *slog.Logger }

func (p pionLogs) NewLogger(scope string) logging.LeveledLogger {
	return pionLog{p.log.With("pion", scope)}
}

type pionLog struct{ log *slog.Logger }

func (p pionLog) say(level slog.Level, format string, args []any) {
	if !p.log.Enabled(context.Background(), level) {
		return
	}
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	p.log.Log(context.Background(), level, format)
}

func (p pionLog) Trace(string)              {}
func (p pionLog) Tracef(string, ...any)     {}
func (p pionLog) Debug(string)              {}
func (p pionLog) Debugf(string, ...any)     {}
func (p pionLog) Info(string)               {}
func (p pionLog) Infof(string, ...any)      {}
func (p pionLog) Warn(msg string)           { p.say(slog.LevelDebug, msg, nil) }
func (p pionLog) Warnf(f string, a ...any)  { p.say(slog.LevelDebug, f, a) }
func (p pionLog) Error(msg string)          { p.say(slog.LevelDebug, msg, nil) }
func (p pionLog) Errorf(f string, a ...any) { p.say(slog.LevelDebug, f, a) }
