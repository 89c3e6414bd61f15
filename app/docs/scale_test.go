package docs

import (
	"strings"
	"testing"
)

// TestScale holds the arithmetic of the page Scale against figures that are easy to do by hand.
func TestScale(t *testing.T) {
	t.Parallel()
	m := Measured{NodeCPU: 1000, PostgresCPU: 2000, Commits: 0.5, Log: 4000, Bytes: 2500, Messages: 2, CallCPU: 0.5,
		Packets: 200, Packet: 125}
	got := m.Of(Load{RingsPerHour: 3_600_000, Calls: 1000})
	want := Needs{
		RingsPerSecond: 1000,
		RingCores:      2,  // 1000 × 1 ms, of half cores
		CallCores:      10, // 1000 × 0.5 %, of half cores
		Nodes:          1,
		CallsPerNode:   1600,
		PostgresCores:  4,
		Commits:        500,
		LogRate:        4e6,
		DayBytes:       216e9,
		Messages:       2000,
		Bandwidth:      200e6,
		PacketRate:     200_000,
		InFlight:       100,
		AppleLines:     1,
	}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	table := m.Table(Load{RingsPerHour: 3_600_000, Calls: 1000})
	for _, line := range []string{
		"| what | 3,600,000 rings an hour, 1,000 calls at once | how |", "| rings a second | 1,000 |", "| database | 216 GB a day |",
		"| bandwidth, in and out | 0.2 Gbit/s |",
	} {
		if !strings.Contains(table, line) {
			t.Errorf("no line %q in\n%s", line, table)
		}
	}
}

func TestRound(t *testing.T) {
	t.Parallel()
	for x, want := range map[float64]string{0: "0", 0.3: "0.3", 9.44: "9.4", 12.3: "12", 1442: "1,440", 99: "99", 1e6: "1,000,000"} {
		if got := round(x); got != want {
			t.Errorf("round(%v) = %s, want %s", x, got, want)
		}
	}
}

// TestScalePage: every figure of the page is filled in.
func TestScalePage(t *testing.T) {
	t.Parallel()
	p, ok, err := whole(t).Page("scale", Values{})
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if strings.Contains(p.Body, "{{") || !strings.Contains(p.Body, "1,000,000 rings an hour") || !strings.Contains(p.Body, "three nodes") {
		t.Error(p.Body)
	}
}
