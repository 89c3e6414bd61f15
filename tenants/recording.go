package tenants

import (
	"strings"
	"time"
)

// RecordingPolicy is whether a tenant's calls are recorded.
type RecordingPolicy string

// The policies. Without one, no call is recorded.
const (
	RecordOff      RecordingPolicy = "off"
	RecordAnnounce RecordingPolicy = "announce" // the person hears that the call is recorded
	RecordConsent  RecordingPolicy = "consent"  // the person is asked, and presses 1
)

// RecordingRule is a tenant's policy, and why it was chosen.
type RecordingRule struct {
	Policy RecordingPolicy
	Reason string // needed where Rules.Reason says so
	By     string // who set it
	SetAt  time.Time

	Ogg, PCMU []byte // the announcement: the uploaded file, and its sound in PCMU; empty = none
}

// Check refuses a rule that is not complete. needReason says that calls are recorded only with a
// written reason (Rules.Reason): they are about a patient's health.
func (r RecordingRule) Check(needReason bool) error {
	var f faults
	f.add(r.Policy == RecordOff || r.Policy == RecordAnnounce || r.Policy == RecordConsent, "policy", "off, announce or consent")
	f.add(r.Policy == RecordOff || len(r.Ogg) > 0 && len(r.PCMU) > 0, "announcement",
		"upload the sound that people hear before a call is recorded")
	f.add(ValidText(r.Reason, 0, 500), "reason", "at most 500 characters, no control characters")
	f.add(r.Policy == RecordOff || !needReason || len(strings.TrimSpace(r.Reason)) >= 10, "reason",
		"why these calls must be recorded, in at least 10 characters; it is kept in the audit log")
	return f.err()
}

// Recording is the recording of one call.
type Recording struct {
	Ring    RingID
	Codec   string // see package record
	Policy  RecordingPolicy
	Consent string // how it was agreed to: "the person pressed 1"
	BeganAt time.Time
	Length  int64 // ticks of the codec
	Bytes   int64
	Lost    int // packets that could not be stored
	Chunks  int
}

// The bounds of recordings. An hour of G.711 has 58 MB, of Opus about 40 MB.
const (
	MaxRecordingBytes = 64 << 20 // of one call
	MaxRecordedBytes  = 20 << 30 // of all calls of a tenant
)
