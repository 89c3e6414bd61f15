package phonetest

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/pion/webrtc/v4"
)

// BareEcho is Pion alone: it answers every offer on one UDP port and sends every packet back at
// once. The gateway is compared with it. Codec and port sharing are the same; reports, reading and
// writing are Pion's own. NewBareEchoes makes one that shares no port.
type BareEcho struct {
	api  *webrtc.API
	stop func() error

	mu     sync.Mutex // guards the rest
	legs   []*webrtc.PeerConnection
	closed bool
	reads  sync.WaitGroup
}

// NewBareEcho listens on addr, such as 127.0.0.1:0.
func NewBareEcho(addr string) (*BareEcho, error) {
	conn, err := net.ListenPacket("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("phonetest: %w", err)
	}
	mux := webrtc.NewICEUDPMux(nil, conn)
	b, err := newBareEcho(func(e *webrtc.SettingEngine) { e.SetICEUDPMux(mux) })
	if err != nil {
		_ = mux.Close()
		return nil, err
	}
	b.stop = mux.Close
	return b, nil
}

// NewBareEchoes makes a BareEcho that has a port on 127.0.0.1 for each connection. It is needed as
// the far end of a gateway: two ports that are both shared cannot have two connections between
// them, because Pion's mux knows a connection by the other side's address.
func NewBareEchoes() (*BareEcho, error) {
	return newBareEcho(func(e *webrtc.SettingEngine) {
		e.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
		e.SetIPFilter(net.IP.IsLoopback)
	})
}

func newBareEcho(set func(*webrtc.SettingEngine)) (*BareEcho, error) {
	b := &BareEcho{stop: func() error { return nil }}
	var err error
	b.api, err = newAPI([]string{"opus"}, false, func(e *webrtc.SettingEngine) {
		e.SetIncludeLoopbackCandidate(true)
		set(e)
	})
	return b, err
}

// Answer is an Answerer.
func (b *BareEcho) Answer(ctx context.Context, offer string) (string, error) {
	pc, err := b.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return "", fmt.Errorf("phonetest: %w", err)
	}
	answer, err := b.answerWithEcho(ctx, pc, offer)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil && b.closed {
		err = net.ErrClosed
	}
	if err != nil {
		_ = pc.Close()
		return "", err
	}
	b.legs = append(b.legs, pc)
	return answer, nil
}

func (b *BareEcho) answerWithEcho(ctx context.Context, pc *webrtc.PeerConnection, offer string) (string, error) {
	track, err := webrtc.NewTrackLocalStaticRTP(opusCodec().RTPCodecCapability, "echo", "bare")
	if err != nil {
		return "", fmt.Errorf("phonetest: %w", err)
	}
	sender, err := pc.AddTrack(track)
	if err != nil {
		return "", fmt.Errorf("phonetest: %w", err)
	}
	pc.OnTrack(func(in *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		b.runOwned(func() { discardRTCP(sender) })
		b.runOwned(func() { discardRTCP(r) })
		b.runOwned(func() { echoSound(in, track) })
	})
	return answerOffer(ctx, pc, offer)
}

func echoSound(in *webrtc.TrackRemote, out *webrtc.TrackLocalStaticRTP) {
	buf := make([]byte, 1500)
	for {
		n, _, err := in.Read(buf)
		if err != nil {
			return
		}
		if _, err := out.Write(buf[:n]); err != nil {
			return
		}
	}
}

func answerOffer(ctx context.Context, pc *webrtc.PeerConnection, offer string) (string, error) {
	err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer})
	if err != nil {
		return "", fmt.Errorf("phonetest: %w", err)
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("phonetest: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("phonetest: %w", err)
	}
	select {
	case <-gathered:
		return pc.LocalDescription().SDP, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (b *BareEcho) runOwned(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.reads.Add(1)
	go func() {
		defer b.reads.Done()
		f()
	}()
}

// Close ends every connection and closes the port.
func (b *BareEcho) Close() error {
	b.mu.Lock()
	b.closed = true
	legs := b.legs
	b.legs = nil
	b.mu.Unlock()
	for _, pc := range legs {
		_ = pc.GracefulClose()
	}
	b.reads.Wait()
	return b.stop()
}
