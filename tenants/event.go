package tenants

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// EventBody is what is sent of an event: ids and states. A name is in it only where the tenant's
// industry lets names leave.
type EventBody struct {
	Type      EventKind `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      any       `json:"data"`
}

// Write returns the body as JSON.
func (b EventBody) Write() []byte {
	b.Timestamp = b.Timestamp.UTC()
	out, _ := json.Marshal(b) // texts, numbers and times can always be written
	return out
}

// RingEvent is an event of a ring.
type RingEvent struct {
	Kind EventKind
	At   time.Time
	Data RingData
}

// RingData is what an event says about a ring.
type RingData struct {
	Ring      RingID     `json:"ring"`
	State     State      `json:"state"`
	To        RingTo     `json:"to"`
	Device    DeviceID   `json:"device,omitempty"` // whose attempt it was
	Agent     AgentID    `json:"agent,omitempty"`
	Caller    string     `json:"caller,omitempty"`
	Reference string     `json:"reference,omitempty"`
	Test      bool       `json:"test"`
	CreatedAt time.Time  `json:"created_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	EndReason EndReason  `json:"end_reason,omitempty"`
	Call      *CallData  `json:"call,omitempty"`
}

// RingTo is whom a ring is for.
type RingTo struct {
	Device DeviceID `json:"device,omitempty"`
	Person string   `json:"person,omitempty"`
	Group  GroupID  `json:"group,omitempty"`
}

// CallData is what an event says about a call.
type CallData struct {
	AnsweredAt  time.Time  `json:"answered_at"`
	ConnectedAt *time.Time `json:"connected_at,omitempty"`
	EndedAt     *time.Time `json:"ended_at,omitempty"`
	EndedBy     string     `json:"ended_by,omitempty"`
	TalkedMS    int64      `json:"talked_ms,omitempty"`
}

// ringEvents are the events of the first fact of a kind in a ring, each with the ring's state at
// that moment.
var ringEvents = map[FactKind]struct {
	kind  EventKind
	state State
}{
	FactPlaced:    {EventRingPlaced, Placed},
	FactAccepted:  {EventRingAccepted, Pushed},
	FactShown:     {EventRingShown, Ringing},
	FactAnswered:  {EventRingAnswered, Answered},
	FactConnected: {EventCallConnected, Answered},
}

// MakesEvents reports whether a fact of the kind can be an event.
func (k FactKind) MakesEvents() bool {
	_, listed := ringEvents[k]
	return listed || endsAttempt[k]
}

// endsAttempt has the facts that can end an attempt.
var endsAttempt = func() map[FactKind]bool {
	ends := map[FactKind]bool{}
	for _, moves := range next {
		for kind, to := range moves {
			ends[kind] = ends[kind] || to.Terminal()
		}
	}
	return ends
}()

// Events returns the events that a fact of the ring means, in order: none for most. r has all its
// facts. A ring has each event once, whatever the number of its phones. Names are left out where
// opaque says so.
func (r *Ring) Events(f Fact, opaque bool) []RingEvent {
	data := RingData{
		Ring: r.ID, To: RingTo{r.To.Device, r.To.Person, r.To.Group}, Agent: r.Agent, Reference: r.Reference, Test: r.Test,
		CreatedAt: r.CreatedAt,
	}
	if !opaque {
		data.Caller = r.Caller
	}
	if a := r.attempt(f.Attempt); a != nil {
		data.Device = a.Device
	}
	if e, ok := ringEvents[f.Kind]; ok && r.isFirst(f) {
		data.State = e.state
		if f.Kind == FactConnected {
			data.Call = r.Call.data(false)
		}
		return []RingEvent{{e.kind, f.At, data}}
	}
	if !r.endedBy(f) {
		return nil
	}
	data.State, data.EndedAt, data.EndReason = r.State, &r.EndedAt, r.EndReason
	ended := []RingEvent{{EventRingEnded, r.EndedAt, data}}
	if r.Call == nil {
		return ended
	}
	data.Call = r.Call.data(true)
	return append([]RingEvent{{EventCallEnded, r.EndedAt, data}}, ended...)
}

// isFirst reports whether no other phone of the ring had a fact of the kind before.
func (r *Ring) isFirst(f Fact) bool {
	for i := range r.Attempts {
		for _, g := range r.Attempts[i].Facts {
			if g.Kind == f.Kind && g.Seq < f.Seq {
				return false
			}
		}
	}
	return true
}

// endedBy reports whether the fact is the last of those with which the ring ended.
func (r *Ring) endedBy(f Fact) bool {
	if !r.State.Terminal() || !endsAttempt[f.Kind] || !f.Received.Equal(r.EndedAt) {
		return false
	}
	for _, g := range r.Facts() {
		if endsAttempt[g.Kind] && g.Received.Equal(r.EndedAt) && g.Seq > f.Seq {
			return false
		}
	}
	return true
}

// data is what an event says of the call, which may be nil: as it began, or as it ended.
func (c *Call) data(ended bool) *CallData {
	if c == nil {
		return nil
	}
	d := CallData{AnsweredAt: c.AnsweredAt}
	if !c.ConnectedAt.IsZero() {
		d.ConnectedAt = &c.ConnectedAt
	}
	if ended && !c.EndedAt.IsZero() {
		d.EndedAt, d.EndedBy = &c.EndedAt, c.EndedBy
		talked, _ := c.Talked()
		d.TalkedMS = talked.Milliseconds()
	}
	return &d
}

// NoteData is what an event says about notes: how many lines there are now, not what they say.
type NoteData struct {
	Ring    RingID `json:"ring"`
	Lines   int    `json:"lines"`
	Summary bool   `json:"summary"` // there is one
}

// DeviceData is what an event says about a device.
type DeviceData struct {
	Device     DeviceID    `json:"device"`
	Person     string      `json:"person,omitempty"`
	State      DeviceState `json:"state"`
	AppVersion string      `json:"app_version,omitempty"`
	OSVersion  string      `json:"os_version,omitempty"`
}

// CredentialData is what an event says about an Apple credential.
type CredentialData struct {
	Credential CredentialID `json:"credential"`
}

// AlertData is what an event says about an alert.
type AlertData struct {
	Alert  AlertKind `json:"alert"`
	Target string    `json:"target,omitempty"`
	State  string    `json:"state"` // open or resolved
}

// EventID returns the id of a ring's event for a connection. It is made of what the event is, so
// that an event that is found twice is one delivery (RFC 9562, 5.8). It begins with the time of the
// ring's id: the ids of events that are written together then share pages of an index.
func EventID(c ConnectionID, r RingID, k EventKind) string {
	sum := sha256.Sum256([]byte(string(c) + " " + string(r) + " " + string(k)))
	id := [16]byte(sum[:16])
	if ValidID(string(r)) {
		_, _ = hex.Decode(id[:4], []byte(r[:8]))
		_, _ = hex.Decode(id[4:6], []byte(r[9:13]))
	}
	return format(id, 8)
}
