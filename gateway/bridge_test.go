package gateway

import (
	"net/netip"
	"testing"
	"time"
)

// TestBridgeAllocatesNothing: a packet of the phone goes to the agent, and one of the agent to the
// phone.
func TestBridgeAllocatesNothing(t *testing.T) {
	for _, codec := range []Codec{Opus, PCMU} {
		phone, agent := newLine(codec, time.Now), newLine(codec, time.Now)
		phone.setOutput(discardWriter{})
		agent.setOutput(discardWriter{})
		keys := make(chan byte, 1)
		defer phone.Attend(pass(agent, keys))()
		defer agent.Attend(pass(phone, keys))()
		wire, now := wirePacket(t), time.Now()
		for way, l := range map[string]*line{"to the agent": phone, "to the phone": agent} {
			if n := testing.AllocsPerRun(1000, func() { forward(t, l, wire, now) }); n != 0 {
				t.Errorf("%v %s: %v allocations a packet", codec, way, n)
			}
		}
	}
}

// TestSilenceBeforeTheGreetingIsDropped: and nothing after it.
func TestSilenceBeforeTheGreetingIsDropped(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		codec        Codec
		quiet, sound []byte
	}{
		{Opus, []byte{0xf8, 0xff, 0xfe}, make([]byte, 80)},
		{PCMU, []byte{0xff, 0xff, 0xff}, []byte{0xff, 0x01, 0xff}},
	} {
		l := newLine(row.codec, time.Now)
		for i, payload := range [][]byte{row.quiet, row.quiet, row.sound, row.quiet} {
			l.receive(Packet{Sequence: uint16(i), Payload: payload, At: time.Now()})
		}
		l.dropQuiet()
		var got []uint16
		l.Attend(func(p Packet) { got = append(got, p.Sequence) })()
		if len(got) != 2 || got[0] != 2 || got[1] != 3 {
			t.Errorf("%v: packets %v", row.codec, got)
		}
	}
}

// TestReachToAgents: private addresses only where the operator allows them, and the port of web
// servers.
func TestReachToAgents(t *testing.T) {
	t.Parallel()
	r := reach{own: map[netip.Addr]bool{}}.toAgents([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")})
	for candidate, ok := range map[string]bool{
		"1 1 udp 1 20.1.2.3 3478 typ host": true, "1 1 udp 1 20.1.2.3 443 typ host": true, "1 1 udp 1 20.1.2.3 53 typ host": false,
		"1 1 udp 1 10.1.2.3 5000 typ host": true, "1 1 udp 1 10.2.2.3 5000 typ host": false, "1 1 udp 1 127.0.0.1 5000 typ host": false,
		"1 1 udp 1 169.254.169.254 5000 typ host": false, "1 1 udp 1 ::ffff:10.1.2.3 5000 typ host": true,
		"1 1 udp 1 ::ffff:192.168.0.1 5000 typ host": false, "1 1 tcp 1 20.1.2.3 443 typ host tcptype passive": false,
	} {
		if got := len(usable([]string{candidate}, r)) == 1; got != ok {
			t.Errorf("%s: %v", candidate, got)
		}
	}
}
