package store

import (
	"maps"
	"slices"
	"time"
)

const (
	// ClocksApart is how far the clocks of nodes may be apart before it is a fault.
	ClocksApart = time.Second
	// ProgramsApart is how long nodes of several versions may run before it is a fault: an upgrade
	// replaces one after the other.
	ProgramsApart = time.Hour
	// restartMost is how long a node may be away so that its version counts as having run on.
	restartMost = 10 * time.Minute
)

// Unlike is what nodes differ in.
type Unlike struct {
	Clocks   time.Duration // between the earliest and the latest of their clocks and the database's
	Programs int           // versions of the program that run
	Since    time.Time     // from when on more than one has run; zero = one does
}

// Compare compares nodes that live. Since when their versions have run says also who is gone: a
// node that restarts runs its version on. A version that was tried for a while and taken back does
// not.
func Compare(living, gone []Node) (u Unlike) {
	var early, late time.Duration // 0 is the database's clock
	first := map[string]time.Time{}
	for _, n := range living {
		early, late = min(early, n.ClockOff), max(late, n.ClockOff)
		if at, ok := first[n.Program]; !ok || n.Started.Before(at) {
			first[n.Program] = n.Started
		}
	}
	u.Clocks, u.Programs = late-early, len(first)
	if u.Programs < 2 {
		return u
	}
	for _, n := range slices.SortedFunc(slices.Values(gone), func(a, b Node) int { return b.ended().Compare(a.ended()) }) {
		if at, ok := first[n.Program]; ok && n.Started.Before(at) && n.ended().Add(restartMost).After(at) {
			first[n.Program] = n.Started
		}
	}
	starts := slices.SortedFunc(maps.Values(first), time.Time.Compare)
	u.Since = starts[1]
	return u
}

// ended is when a node that is gone was last there; zero = not known.
func (n *Node) ended() time.Time {
	if n.Seen.IsZero() {
		return n.Stopped
	}
	return n.Seen
}

// ClocksBad reports that the clocks are too far apart.
func (u Unlike) ClocksBad() bool { return u.Clocks > ClocksApart }

// ProgramsBad reports that an upgrade was not brought to its end.
func (u Unlike) ProgramsBad(now time.Time) bool {
	return u.Programs > 1 && now.Sub(u.Since) > ProgramsApart
}
