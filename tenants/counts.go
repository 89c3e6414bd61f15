package tenants

import "time"

// Split is a property of rings by which they are counted apart.
type Split string

// The splits. The zero Split is all rings together.
const (
	SplitAppVersion  Split = "app_version"
	SplitOSVersion   Split = "os_version"
	SplitEnvironment Split = "environment"
	SplitAgent       Split = "agent" // the value is the agent's id; empty is the built-in agent
	SplitKey         Split = "key"   // the value is the key's id; empty is a ring that no key placed
)

// Splits lists every split in the order in which pages show them.
var Splits = []Split{SplitAppVersion, SplitOSVersion, SplitEnvironment, SplitAgent, SplitKey}

// Timed reports whether the times of steps are counted by the split.
func (s Split) Timed() bool { return s != SplitKey && s != SplitOSVersion }

// Cut names some of a tenant's rings: those with a value of a split, or all with the zero Cut.
type Cut struct {
	By    Split
	Value string
}

// Counts are what happened to rings. A ring and how it ended count at the time when it was placed,
// so that they can be compared; pushes and failures of agents count when they happened. A ring to
// several phones counts once: where it is split by a property of phones, with the first phone's
// until it ends, and with the phone's that ended it from then on.
type Counts struct {
	Rings                                         int64
	Answered, Missed, Declined, Cancelled, Failed int64 // how rings ended
	Silent                                        int64 // answered, and the phone never sent a sound
	Accepted, Refused                             int64 // pushes, by Apple
	AgentFailed                                   int64 // agents that could not be attached
}

// Over is how many rings have ended.
func (c Counts) Over() int64 { return c.Answered + c.Missed + c.Declined + c.Cancelled + c.Failed }

// Add returns the sum.
func (c Counts) Add(d Counts) Counts {
	return Counts{c.Rings + d.Rings, c.Answered + d.Answered, c.Missed + d.Missed, c.Declined + d.Declined, c.Cancelled + d.Cancelled,
		c.Failed + d.Failed, c.Silent + d.Silent, c.Accepted + d.Accepted, c.Refused + d.Refused, c.AgentFailed + d.AgentFailed}
}

// HourCounts are the counts of an hour of UTC.
type HourCounts struct {
	At time.Time
	Counts
}

// ValueCounts are the counts of the rings with one value of a split.
type ValueCounts struct {
	Value string
	Counts
}

// HourTimes are how long a step took in an hour, or in a day, of UTC, by bucket; see Percentile.
type HourTimes struct {
	At      time.Time
	Buckets map[int]int64
}
