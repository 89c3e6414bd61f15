package gateway

import (
	"io"
	"sync"
	"time"

	"github.com/pion/rtcp"
)

// reportEvery is how often we report what we hear and send. RFC 3550 6.2 allows it: at this rate
// reports are 1 % of the packets of a call.
const reportEvery = 2 * time.Second

// reported is what the other side said about its newest source (RFC 3550 6.4.1).
type reported struct {
	source uint32
	middle uint32    // the middle 32 bits of its NTP time
	at     time.Time // when it came
}

// inReports is where Pion puts the decrypted reports that are about one source: ours, or one of the
// other side's. They are read on the goroutine that decrypted them.
type inReports struct {
	leg    *leg
	source uint32

	once   sync.Once
	closed chan struct{}
}

// Write gets one report from Pion.
func (b *inReports) Write(report []byte) (int, error) {
	defer b.leg.recoverReader()
	b.leg.receiveReport(b.source, report)
	return len(report), nil
}

// Read is needed by Pion's interface. It returns at Close.
func (b *inReports) Read([]byte) (int, error) {
	<-b.closed
	return 0, io.EOF
}

// Close ends Read.
func (b *inReports) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}

// receiveReport keeps what the other side says about the sound that it receives, if source is ours,
// or about its own. Pion gives one packet to every source that it names.
func (l *leg) receiveReport(source uint32, report []byte) {
	packets, err := rtcp.Unmarshal(report)
	if err != nil {
		return
	}
	now := l.g.cfg.Now()
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			if p.SSRC == source {
				l.reportMu.Lock()
				l.reported = reported{p.SSRC, uint32(p.NTPTime >> 16), now}
				l.reportMu.Unlock()
			}
			l.recordReports(source, p.Reports, now)
		case *rtcp.ReceiverReport:
			l.recordReports(source, p.Reports, now)
		}
	}
}

func (l *leg) recordReports(source uint32, reports []rtcp.ReceptionReport, now time.Time) {
	if source != l.track.ssrc() {
		return
	}
	for _, r := range reports {
		if r.SSRC == source {
			l.line.mu.Lock()
			l.line.meter.addReport(r, now)
			l.line.mu.Unlock()
		}
	}
}

// sendReports reports until the leg is closed.
func (l *leg) sendReports() {
	ticker := time.NewTicker(reportEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-l.done:
			return
		}
		if p := l.report(l.g.cfg.Now()); p != nil {
			_ = l.pc.WriteRTCP([]rtcp.Packet{p}) // the state of the leg reports a broken leg
		}
	}
}

// report returns what we have sent and heard; nil = nothing. A leg that has sent no sound has no
// sender report (RFC 3550 6.4).
func (l *leg) report(now time.Time) rtcp.Packet {
	var heard []rtcp.ReceptionReport
	if l.hasSound.Load() {
		l.line.mu.Lock()
		r := l.line.meter.report()
		l.line.mu.Unlock()
		l.reportMu.Lock()
		if l.reported.source == r.SSRC && !l.reported.at.IsZero() {
			r.LastSenderReport = l.reported.middle
			r.Delay = uint32(now.Sub(l.reported.at) * 65536 / time.Second)
		}
		l.reportMu.Unlock()
		heard = append(heard, r)
	}
	l.line.sayMu.Lock() // so that all are of the same packet
	sent, timestamp, at := l.track.counted(), l.line.stream.timestamp, l.line.stream.at
	l.line.sayMu.Unlock()
	switch {
	case sent.packets > 0:
		since := max(0, now.Sub(at))
		return &rtcp.SenderReport{
			SSRC: l.track.ssrc(), NTPTime: ntp(now), PacketCount: sent.packets, OctetCount: sent.octets,
			RTPTime: timestamp + uint32(since*time.Duration(l.line.codec.ClockRate())/time.Second), Reports: heard,
		}
	case heard != nil:
		return &rtcp.ReceiverReport{SSRC: l.track.ssrc(), Reports: heard}
	}
	return nil
}
