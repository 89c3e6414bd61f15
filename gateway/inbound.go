package gateway

import (
	"io"
	"sync"

	"github.com/pion/transport/v5/packetio"
	"github.com/pion/webrtc/v4"
)

const (
	// earlyBytes is how much of a source waits until Pion has reported it.
	earlyBytes = 64 << 10
	// earlySources is how many sources of a connection may wait for that. A phone has one.
	earlySources = 16
)

// inbound is where Pion puts the decrypted packets of one source. Pion would queue each for another
// goroutine, and waking that costs more than all that we do with a packet. So once Pion has
// reported the source, take gets each packet on the goroutine that decrypted it.
type inbound struct {
	early *packetio.Buffer // the packets before take is set

	mu   sync.Mutex // guards take, and is held while it is called
	take func([]byte)
}

func newInbound() *inbound {
	b := &inbound{early: packetio.NewBuffer()}
	b.early.SetLimitSize(earlyBytes)
	return b
}

// Write gets one packet from Pion.
func (b *inbound) Write(packet []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.take == nil {
		return b.early.Write(packet, nil)
	}
	b.take(packet)
	return len(packet), nil
}

// Read is for Pion, which looks at the first packet.
func (b *inbound) Read(packet []byte) (int, error) {
	n, _, err := b.early.Read(packet, nil)
	return n, err
}

// Close ends Read.
func (b *inbound) Close() error { return b.early.Close() }

// setTake calls f with each packet that waits, and from then on with each that comes.
func (b *inbound) setTake(f func([]byte)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	buf := make([]byte, maxPacket)
	for b.early.Count() > 0 {
		if n, _, err := b.early.Read(buf, nil); err == nil {
			f(buf[:n])
		}
	}
	b.take = f
}

// maxPacket is the longest packet that is read, in bytes: what a network frame carries.
const maxPacket = 1500

// newBuffer gives Pion what it puts the packets of one source into, or of the reports about one.
func (l *leg) newBuffer(kind packetio.BufferPacketType, ssrc uint32) io.ReadWriteCloser {
	if kind == packetio.RTCPBufferPacket {
		return &inReports{leg: l, source: ssrc, closed: make(chan struct{})}
	}
	b := newInbound()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.sources) < earlySources {
		l.sources[ssrc] = b
	}
	return b
}

// inFormat is how the packets of a leg are told apart.
type inFormat struct {
	sound  uint8 // payload type of the codec
	events uint8 // payload type of key presses; 0 = none
	level  uint8 // id of the header extension with the loudness; 0 = none
}

// takeOver passes the packets of a source that Pion reports to the line, without Pion's queue.
func (l *leg) takeOver(t *webrtc.TrackRemote) {
	ssrc := uint32(t.SSRC())
	l.mu.Lock()
	b := l.sources[ssrc]
	delete(l.sources, ssrc)
	l.mu.Unlock()
	if b == nil {
		return // one of too many
	}
	format := l.track.inFormat() // not the track's type, which follows the packets
	buf := make([]byte, maxPacket)
	if n, _, _ := t.Read(buf); n > 0 { // Pion keeps the packet that it has looked at
		l.receive(buf[:n], format)
	}
	b.setTake(func(packet []byte) {
		defer l.recoverReader()
		l.receive(packet, format)
	})
}

// recoverReader makes a connection count as lost when reading from it panicked. It runs on Pion's
// goroutine: without this, one packet would end the process.
func (l *leg) recoverReader() {
	if p := recover(); p != nil {
		l.g.cfg.Log.Error("a part of a call panicked", "ring", l.id, "error", panicError("the reader of a connection panicked", p))
		l.breakOff()
	}
}

// receive passes a packet to the line if it is sound or a key press. Comfort noise, padding and
// payload types that were not negotiated are dropped.
func (l *leg) receive(packet []byte, f inFormat) {
	p, pt, ok := readRTP(packet)
	isEvent := pt == f.events && f.events != 0
	if !ok || pt != f.sound && !isEvent || len(p.Payload) == 0 {
		return
	}
	p.At, p.Level = l.g.cfg.Now(), levelOf(packet, f.level)
	if isEvent {
		l.line.receiveEvent(p)
	} else {
		l.line.receive(p)
	}
	if !l.hasSound.Load() {
		l.hasSound.Store(true)
		l.wake()
	}
}
