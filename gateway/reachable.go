package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/pion/ice/v4"
	"github.com/pion/webrtc/v4"
)

// CheckServer asks a STUN or TURN server for an address, as a phone does, and returns nil if it
// gave one: STUN our own as it sees it, TURN one that it relays (RFC 8489, RFC 8656). The error
// holds what went wrong on the way, if that is known. Without an answer it lasts until ctx ends.
func CheckServer(ctx context.Context, url string, s ICEServer) error {
	var warned warnings
	engine := webrtc.SettingEngine{LoggerFactory: pionLogs{slog.New(&warned)}}
	engine.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	engine.SetIncludeLoopbackCandidate(true)
	options := webrtc.ICEGatherOptions{ICEServers: []webrtc.ICEServer{{
		URLs: []string{url}, Username: s.Username, Credential: s.Credential,
	}}}
	want := webrtc.ICECandidateTypeSrflx
	if strings.HasPrefix(url, "turn") {
		want, options.ICEGatherPolicy = webrtc.ICECandidateTypeRelay, webrtc.ICETransportPolicyRelay
	}
	g, err := webrtc.NewAPI(webrtc.WithSettingEngine(engine)).NewICEGatherer(options)
	if err != nil {
		return err
	}
	answered := make(chan bool, 1) // the first news is the one that counts
	g.OnLocalCandidate(func(c *webrtc.ICECandidate) {
		if c == nil || c.Typ == want {
			select {
			case answered <- c != nil:
			default:
			}
		}
	})
	if err := g.Gather(); err != nil {
		return errors.Join(err, g.Close())
	}
	got := false
	select {
	case got = <-answered:
	case <-ctx.Done():
	}
	err = g.Close()
	if !got {
		return errors.Join(fmt.Errorf("it gave no address%s", warned.text()), err)
	}
	return err
}

// warnings keeps what Pion warns of, which is where it says why a server gave nothing.
type warnings struct {
	mu    sync.Mutex // guards lines
	lines []string
}

// Enabled takes everything: pionLogs writes Pion's warnings at debug level.
func (w *warnings) Enabled(context.Context, slog.Level) bool { return true }

// Handle keeps a line that holds a failure.
func (w *warnings) Handle(_ context.Context, r slog.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.lines) < 3 && strings.HasPrefix(strings.ToLower(r.Message), "failed") {
		w.lines = append(w.lines, r.Message)
	}
	return nil
}

// WithAttrs keeps no attributes.
func (w *warnings) WithAttrs([]slog.Attr) slog.Handler { return w }

// WithGroup keeps no groups.
func (w *warnings) WithGroup(string) slog.Handler { return w }

func (w *warnings) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.lines) == 0 {
		return ""
	}
	return ": " + strings.Join(w.lines, "; ")
}
