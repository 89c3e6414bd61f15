package tenants

import (
	"cmp"
	"slices"
	"time"
)

// State is the state of a ring or of one of its attempts.
type State string

// The states of a ring, and of an attempt; Elsewhere is an attempt's only.
const (
	Placed    State = "placed"   // committed; Apple has not answered
	Pushed    State = "pushed"   // Apple accepted, or the phone woke
	Ringing   State = "ringing"  // CallKit shows the call
	Answered  State = "answered" // it is a call now
	Ended     State = "ended"
	Declined  State = "declined"
	Missed    State = "missed"
	Cancelled State = "cancelled"
	Failed    State = "failed"
	Elsewhere State = "elsewhere" // another device of the person answered
)

// RingStates lists a ring's states in order.
var RingStates = []State{Placed, Pushed, Ringing, Answered, Ended, Declined, Missed, Cancelled, Failed}

// Terminal reports whether the state can no longer change.
func (s State) Terminal() bool {
	switch s {
	case Placed, Pushed, Ringing, Answered:
		return false
	}
	return true
}

// To says which phones to ring: one device, all devices of a person (the tenant's own user
// reference), or those of a group's persons, step by step.
type To struct {
	Device DeviceID
	Person string
	Group  GroupID
	Name   string // of the group, when the ring was placed
}

// Ring is one request to reach someone.
type Ring struct {
	ID        RingID
	Tenant    TenantID
	Version   int // increases with every change; a writer checks it to detect another write
	State     State
	To        To
	Agent     AgentID // empty = the built-in agent
	Caller    string  // label the person sees
	Reference string  // the tenant's own opaque id
	Test      bool    // placed with a test key, or by the test button: unmetered
	By        Actor   // who placed it
	CreatedAt time.Time
	ExpiresAt time.Time
	EndedAt   time.Time // zero while it lives
	EndReason EndReason // empty while it lives
	Attempts  []Attempt
	Steps     []Step // of a ring to a group, in order
	Own       []Fact // of no attempt: the end of a ring to a group where no attempt can have it
	Call      *Call  // set once answered
}

// Attempt is one device rung for a ring.
type Attempt struct {
	ID         AttemptID
	Ring       RingID
	Device     DeviceID
	Credential CredentialID
	Step       int // N of the step it belongs to; 0 = the ring is to no group
	State      State
	AppVersion string // of the device when it was rung; the funnel groups by it
	OSVersion  string
	Push       Push
	Facts      []Fact
}

// Push is the APNs request of an attempt. APNsID is fixed when the ring is placed and stays the
// same over every resend.
type Push struct {
	APNsID      string
	Topic       string
	Token       string
	Environment Environment
	NoHedge     bool           // from the credential, when the ring is placed; not stored
	Profile     PayloadProfile // the same
	Turn        time.Time      // when the push may go, by the turns at its device that all nodes share; zero = nobody asked; not stored
	Tries       int
	Status      int       // HTTP status of Apple's last answer; 0 = none yet
	Reason      string    // Apple's reason, empty on 200
	SentAt      time.Time // first byte written
	AnsweredAt  time.Time
}

// Call is an answered ring's sound, as the gateway saw it.
type Call struct {
	Device      DeviceID
	AnsweredAt  time.Time
	ConnectedAt time.Time // the phone's first sound
	LastSoundAt time.Time // the phone's last sound; zero = not measured
	EndedAt     time.Time
	EndedBy     string // one of the gateway's end reasons
	Jitter      time.Duration
	Loss        float64 // share of packets lost, 0 to 1
	RoundTrip   time.Duration
}

// Talked returns how long the sound of an ended call lasted: from the phone's first packet to its
// last. A connection that was lost before the call ended is not counted. ok is false while the call
// lasts, and if the phone never sent a sound.
func (c *Call) Talked() (d time.Duration, ok bool) {
	if c.ConnectedAt.IsZero() || c.EndedAt.IsZero() {
		return 0, false
	}
	until := c.EndedAt
	if !c.LastSoundAt.IsZero() && c.LastSoundAt.Before(until) {
		until = c.LastSoundAt
	}
	return max(0, until.Sub(c.ConnectedAt)), true
}

// Live reports whether the ring can still be answered at now.
func (r *Ring) Live(now time.Time) bool {
	return !r.State.Terminal() && r.State != Answered && now.Before(r.ExpiresAt)
}

// AttemptOf finds the attempt on a device.
func (r *Ring) AttemptOf(d DeviceID) (*Attempt, bool) {
	for i := range r.Attempts {
		if r.Attempts[i].Device == d {
			return &r.Attempts[i], true
		}
	}
	return nil, false
}

// Has reports whether the fact is recorded.
func (a *Attempt) Has(k FactKind) bool {
	for i := range a.Facts {
		if a.Facts[i].Kind == k {
			return true
		}
	}
	return false
}

// Request is an agent's request to ring someone.
type Request struct {
	To        To
	Agent     AgentID
	Caller    string
	Reference string
	TTL       time.Duration // 0 = the tenant's default
}

// one reports whether exactly one of the three is named.
func (t To) one() bool {
	named := 0
	for _, is := range []bool{t.Device != "", t.Person != "", t.Group != ""} {
		if is {
			named++
		}
	}
	return named == 1
}

// Check refuses a request whose fields break a rule, naming every wrong one.
func (q Request) Check() error {
	var f faults
	f.add(q.To.one(), "to", "give either a device, a person or a group")
	f.add(q.To.Group == "" || q.TTL == 0, "ttl_s", "a group's steps say how long it rings")
	f.add(q.To.Person == "" || ValidReference(q.To.Person), "to.person", "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'")
	f.add(ValidText(q.Caller, 0, 64), "caller", "at most 64 characters, not blank, no control characters")
	f.add(q.Reference == "" || ValidReference(q.Reference), "reference", "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'")
	f.add(q.TTL == 0 || q.TTL >= MinTTL && q.TTL <= MaxTTL, "ttl_s", "5 to 60 seconds")
	return f.err()
}

// Facts lists the facts of every attempt, and the ring's own, in the order of record.
func (r *Ring) Facts() []Fact {
	all := slices.Clone(r.Own)
	for i := range r.Attempts {
		all = append(all, r.Attempts[i].Facts...)
	}
	slices.SortStableFunc(all, func(a, b Fact) int { return cmp.Compare(a.Seq, b.Seq) })
	return all
}
