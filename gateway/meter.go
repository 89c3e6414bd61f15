package gateway

import (
	"encoding/binary"
	"time"

	"github.com/pion/rtcp"
)

// meter counts one call's incoming sound, over all its legs. line.mu guards it.
type meter struct {
	clock uint32 // of RTP, in ticks a second

	firstIn, last time.Time
	packets       uint64
	bytes         uint64

	source   uint32 // the SSRC that the rest is about
	lost     uint64 // of earlier sources
	base     uint32 // first extended sequence of this source
	highest  uint32 // highest extended sequence
	received uint32 // packets of this source
	transit  uint32 // RFC 3550 A.8
	jitter   uint32 // RFC 3550 A.8, in ticks × 16

	expectedBefore, receivedBefore uint32 // of this source, at the last report

	lostBefore uint64 // reported on earlier legs
	lostOut    uint64
	jitterOut  time.Duration
	roundTrip  time.Duration
	reports    uint64
}

// addPacket counts a packet of sound.
func (m *meter) addPacket(p Packet) {
	transit := uint32(p.At.UnixMicro()*int64(m.clock/1000)/1000) - p.Timestamp
	if m.count(p) {
		m.transit = transit
		return
	}
	d := int32(transit - m.transit)
	m.transit = transit
	if d < 0 {
		d = -d
	}
	// RFC 3550 A.8, in the integer form with rounding.
	m.jitter += uint32(d) - (m.jitter+8)>>4
}

// count counts a packet without its jitter: the timestamps of key presses stand still. It reports
// whether p is the first packet of a source.
func (m *meter) count(p Packet) (first bool) {
	if m.packets == 0 {
		m.firstIn = p.At
	}
	m.packets++
	m.bytes += uint64(len(p.Payload))
	m.last = p.At
	if m.received == 0 || p.Source != m.source {
		m.lost += m.missing()
		m.source, m.base, m.received, m.jitter = p.Source, uint32(p.Sequence), 1, 0
		m.highest = m.base
		m.expectedBefore, m.receivedBefore = 0, 0
		return true
	}
	m.received++
	if step := int16(p.Sequence - uint16(m.highest)); step > 0 {
		m.highest += uint32(step)
	}
	return false
}

// newLeg adds the loss reported on the previous leg to lostBefore, since a leg counts from 0.
func (m *meter) newLeg() { m.lostBefore, m.lostOut = m.lostBefore+m.lostOut, 0 }

// missing returns how many packets of the present source never came.
func (m *meter) missing() uint64 {
	expected := m.highest - m.base + 1
	if m.received == 0 || expected < m.received {
		return 0
	}
	return uint64(expected - m.received)
}

// addReport records what the phone reports about the sound it receives from us.
func (m *meter) addReport(r rtcp.ReceptionReport, now time.Time) {
	// 24 bits, signed: duplicate packets can make it negative (RFC 3550 6.4.1).
	m.lostOut = 0
	if r.TotalLost < 1<<23 {
		m.lostOut = uint64(r.TotalLost)
	}
	m.jitterOut = m.duration(r.Jitter)
	m.reports++
	if r.LastSenderReport == 0 {
		return
	}
	// RFC 3550 6.4.1: all three in 1/65536 s.
	if trip := int32(ntpMiddle(now) - r.LastSenderReport - r.Delay); trip >= 0 {
		m.roundTrip = time.Duration(trip) * time.Second / 65536
	}
}

func (m *meter) quality() Quality {
	return Quality{
		FirstIn: m.firstIn, LastIn: m.last, PacketsIn: m.packets, BytesIn: m.bytes,
		LostIn: m.lost + m.missing(), LostOut: m.lostBefore + m.lostOut,
		JitterIn: m.duration(m.jitter >> 4), JitterOut: m.jitterOut,
		RoundTrip: m.roundTrip, Reports: m.reports,
	}
}

// duration returns how long so many ticks of the RTP clock take.
func (m *meter) duration(ticks uint32) time.Duration {
	return time.Duration(ticks) * time.Second / time.Duration(m.clock)
}

// report returns what was received of the present source, and the share that was lost since the
// last report (RFC 3550 6.4.1, A.3).
func (m *meter) report() rtcp.ReceptionReport {
	expected := m.highest - m.base + 1
	r := rtcp.ReceptionReport{
		SSRC: m.source, LastSequenceNumber: m.highest, Jitter: m.jitter >> 4,
		TotalLost: uint32(min(m.missing(), 1<<23-1)),
	}
	step, got := expected-m.expectedBefore, m.received-m.receivedBefore
	if step > got { // duplicates can make it negative
		r.FractionLost = uint8(min(255, (step-got)<<8/step))
	}
	m.expectedBefore, m.receivedBefore = expected, m.received
	return r
}

// ntp returns t as an NTP timestamp: seconds since 1900, with 32 bits of fraction (RFC 3550 4).
func ntp(t time.Time) uint64 {
	const from1900 = 2208988800
	return uint64(t.Unix()+from1900)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

// ntpMiddle returns the middle 32 bits of t as an NTP timestamp (RFC 3550 4).
func ntpMiddle(t time.Time) uint32 { return uint32(ntp(t) >> 16) }

// levelOf returns the loudness that the RTP packet b says in the header extension id, as
// Packet.Level is; 0 = it says none (RFC 6464 3, with the short headers of RFC 8285 4.2).
func levelOf(b []byte, id uint8) int8 {
	if id == 0 || len(b) < 16 || b[0]&0x10 == 0 {
		return 0
	}
	at := 12 + 4*int(b[0]&0x0f)
	if len(b) < at+4 || b[at] != 0xbe || b[at+1] != 0xde {
		return 0
	}
	end := at + 4 + 4*int(binary.BigEndian.Uint16(b[at+2:]))
	for at += 4; at+1 < min(end, len(b)); {
		if b[at] == 0 { // padding
			at++
			continue
		}
		if b[at]>>4 == id {
			return -max(1, int8(b[at+1]&0x7f))
		}
		at += 2 + int(b[at]&0x0f)
	}
	return 0
}

// readRTP reads the RTP header (RFC 3550 5.1) of b. It allocates nothing: the payload
// is a part of b, without padding.
func readRTP(b []byte) (p Packet, payloadType uint8, ok bool) {
	if len(b) < 12 || b[0]>>6 != 2 {
		return Packet{}, 0, false
	}
	at := 12 + 4*int(b[0]&0x0f)
	if b[0]&0x10 != 0 { // header extension, RFC 3550 5.3.1
		if len(b) < at+4 {
			return Packet{}, 0, false
		}
		at += 4 + 4*int(binary.BigEndian.Uint16(b[at+2:]))
	}
	end := len(b)
	if b[0]&0x20 != 0 { // padding
		end -= int(b[end-1])
	}
	if at > end {
		return Packet{}, 0, false
	}
	return Packet{
		Source:   binary.BigEndian.Uint32(b[8:]),
		Sequence: binary.BigEndian.Uint16(b[2:]), Timestamp: binary.BigEndian.Uint32(b[4:]),
		Payload: b[at:end],
	}, b[1] & 0x7f, true
}
