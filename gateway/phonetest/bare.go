package phonetest

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/pion/webrtc/v4"
)

// BareEcho is Pion alone: it answers every offer on one UDP port and sends every packet back at
// once. The gateway is compared with it. Codec, reports and port sharing are the same; reading and
// writing are Pion's own.
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
	b := &BareEcho{}
	b.api, err = newAPI([]string{"opus"}, func(e *webrtc.SettingEngine) {
		mux := webrtc.NewICEUDPMux(nil, conn)
		b.stop = mux.Close
		e.SetICEUDPMux(mux)
		e.SetIncludeLoopbackCandidate(true)
	})
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return b, nil
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
