package gateway

import (
	"log/slog"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/transport/v5/packetio"
)

// reportingLeg is a leg of a gateway without a connection, at this time.
func reportingLeg(now *time.Time) *leg {
	clock := func() time.Time { return *now }
	return &leg{
		g: &Gateway{cfg: Config{Now: clock, Log: slog.New(slog.DiscardHandler)}}, line: newLine(PCMU, clock),
		track: &outTrack{codec: PCMU, id: 7}, wake: func() {}, done: make(chan struct{}), sources: map[uint32]*inbound{},
	}
}

// soundPacket is a packet of the source 9 as Pion decrypts it.
func soundPacket(t *testing.T, sequence uint16, timestamp uint32) []byte {
	t.Helper()
	p := rtp.Packet{Header: rtp.Header{Version: 2, SSRC: 9, SequenceNumber: sequence, Timestamp: timestamp}, Payload: []byte{1, 2}}
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestReports: what RFC 3550 6.4.1 says of what was heard and sent, and of the other side's report.
func TestReports(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l := reportingLeg(&now)
	if p := l.report(now); p != nil {
		t.Errorf("a leg without sound reports %v", p)
	}
	for _, n := range []uint16{65533, 65534, 65535, 2} { // 0 and 1 are lost
		l.receive(soundPacket(t, n, 0), inFormat{})
	}
	r, ok := l.report(now).(*rtcp.ReceiverReport)
	if !ok || r.SSRC != 7 || len(r.Reports) != 1 {
		t.Fatalf("a leg that has only heard reports %v", r)
	}
	x := r.Reports[0]
	if x.SSRC != 9 || x.LastSequenceNumber != 65538 || x.TotalLost != 2 || x.FractionLost != 2*256/6 || x.LastSenderReport != 0 {
		t.Errorf("heard %+v", x)
	}

	theirs := &rtcp.SenderReport{SSRC: 9, NTPTime: ntp(now), Reports: []rtcp.ReceptionReport{
		{SSRC: 7, TotalLost: 3, LastSenderReport: ntpMiddle(now.Add(-80 * time.Millisecond)), Delay: 65536 / 50},
	}}
	text, err := theirs.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range []uint32{7, 9} { // Pion gives it to both
		if n, err := l.newBuffer(packetio.RTCPBufferPacket, source).Write(text); n != len(text) || err != nil {
			t.Fatalf("%d %v", n, err)
		}
	}
	if q := l.line.quality(); q.Reports != 1 || q.LostOut != 3 || q.RoundTrip.Round(time.Millisecond) != 60*time.Millisecond {
		t.Errorf("%d reports, %d lost, round trip %v", q.Reports, q.LostOut, q.RoundTrip)
	}

	l.track.sent = sentRTP{packets: 5, octets: 800}
	l.line.stream.timestamp, l.line.stream.at = 1000, now
	now = now.Add(500 * time.Millisecond)
	l.receive(soundPacket(t, 3, 0), inFormat{})
	s, ok := l.report(now).(*rtcp.SenderReport)
	if !ok || s.SSRC != 7 || s.PacketCount != 5 || s.OctetCount != 800 || s.RTPTime != 1000+4000 || s.NTPTime != ntp(now) {
		t.Fatalf("a leg that has sent reports %+v", s)
	}
	if x = s.Reports[0]; x.FractionLost != 0 || x.TotalLost != 2 || x.LastSenderReport != ntpMiddle(now)-65536/2 || x.Delay != 65536/2 {
		t.Errorf("heard since then %+v", x)
	}
	if _, err := s.Marshal(); err != nil {
		t.Error(err)
	}
}

// lastTimestamp is a connection that keeps the timestamp of the newest packet.
type lastTimestamp struct{ at uint32 }

func (o *lastTimestamp) WriteRTP(h *rtp.Header, _ []byte) (int, error) {
	o.at = h.Timestamp
	return 0, nil
}

func (o *lastTimestamp) Write([]byte) (int, error) { return 0, nil }

// TestReportsOfKeyPresses: a report continues the clock of the newest packet, also when that is of
// a key press.
func TestReportsOfKeyPresses(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l, out := reportingLeg(&now), &lastTimestamp{}
	l.track.out, l.track.events = out, 101
	l.track.enabled.Store(true)
	l.line.setOutput(l.track)
	press := func(what string, first bool) {
		t.Helper()
		if err := l.line.sendEvent(keyEvent{code: 5}, first); err != nil {
			t.Fatal(err)
		}
		now = now.Add(500 * time.Millisecond)
		r, ok := l.report(now).(*rtcp.SenderReport)
		if !ok || r.RTPTime != out.at+4000 {
			t.Errorf("%s: after the timestamp %d: %v", what, out.at, r)
		}
	}
	press("the phone connects during a press", false)
	press("a press before any sound", true)
	l.line.send(Packet{Source: 1, Payload: []byte{1}})
	now = now.Add(10 * time.Second)
	press("a press after a pause", true)
}

// TestInboundKeepsTheOrder: packets from before Pion reported the source come first, once.
func TestInboundKeepsTheOrder(t *testing.T) {
	t.Parallel()
	b := newInbound()
	var got []byte
	for i := range byte(6) {
		if i == 3 {
			b.setTake(func(p []byte) { got = append(got, p...) })
		}
		if n, err := b.Write([]byte{i}); n != 1 || err != nil {
			t.Fatalf("%d %v", n, err)
		}
	}
	if string(got) != "\x00\x01\x02\x03\x04\x05" {
		t.Errorf("got %v", got)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// TestReaderThatPanics: the connection counts as lost, and the process lives.
func TestReaderThatPanics(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := reportingLeg(&now)
	l.connState.Store(int32(legConnected))
	b, ok := l.newBuffer(packetio.RTPBufferPacket, 9).(*inbound)
	if !ok || l.sources[9] != b {
		t.Fatal("the source is not known")
	}
	l.line = nil // the fault
	b.setTake(func(p []byte) {
		defer l.recoverReader()
		l.receive(p, inFormat{})
	})
	if _, err := b.Write(soundPacket(t, 1, 0)); err != nil || l.state() != legLost {
		t.Errorf("%v, state %v", err, l.state())
	}
	for i := range uint32(2 * earlySources) { // more than a phone can have
		l.newBuffer(packetio.RTPBufferPacket, 100+i)
	}
	if len(l.sources) > earlySources {
		t.Errorf("%d sources wait", len(l.sources))
	}
}

// TestReceiveAllocatesNothing: from the decrypted packet on.
func TestReceiveAllocatesNothing(t *testing.T) {
	now := time.Now()
	l := reportingLeg(&now)
	l.line.setOutput(discardWriter{})
	defer l.line.Attend(func(p Packet) { _ = l.line.Say(p) })()
	b := newInbound()
	b.setTake(func(p []byte) {
		defer l.recoverReader()
		l.receive(p, inFormat{})
	})
	packet := soundPacket(t, 1, 0)
	if n := testing.AllocsPerRun(1000, func() { _, _ = b.Write(packet) }); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}
