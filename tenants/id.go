package tenants

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// Row ids. Each is a UUID in lower case. Each noun has its own type, so ids cannot be mixed up.
type (
	TenantID     string
	RingID       string // also the CallKit UUID
	AttemptID    string
	DeviceID     string
	CredentialID string
	AgentID      string
	ConnectionID string
	KeyID        string
	PairingID    string
	PasskeyID    string
	UserID       string
	ViewID       string
	PartnerID    string
	ReferralID   string
	EntryID      string
	PayoutID     string
	GroupID      string
	ScheduleID   string
	ConsentID    string
	OperatorID   string
	NodeID       string // of one start of a server
)

// The ids of what watches figures.
type (
	AlertRuleID   string
	AlertTargetID string
)

// id is the constraint of the typed ids.
type id interface{ ~string }

// NewID makes a UUIDv7 (RFC 9562, 5.7): 48 bits of Unix milliseconds, 12 bits that say the
// microsecond (6.2, method 3), then 62 random bits. Ids of one table therefore sort by age, to the
// microsecond, which is as precise as times are stored.
func NewID[T id](now time.Time) T {
	var u [16]byte
	rand.Read(u[8:]) // never fails since Go 1.24
	return T(format(timed(u, now), 7))
}

// FirstID is the lowest id that NewID can make at a moment: an id is lower exactly if it was made
// in an earlier microsecond.
func FirstID[T id](at time.Time) T { return T(format(timed([16]byte{}, at), 7)) }

// timed sets the time in the first eight bytes of an id. Times before 1970 count as 1970.
func timed(u [16]byte, at time.Time) [16]byte {
	us := uint64(max(0, at.UnixMicro()))
	binary.BigEndian.PutUint64(u[:8], us/1000<<16|us%1000*4096/1000)
	return u
}

// NewRandomID makes a UUIDv4 (RFC 9562, 5.4), for ids that others see and that must not show when
// they were made, such as apns-id.
func NewRandomID() string {
	var u [16]byte
	rand.Read(u[:])
	return format(u, 4)
}

func format(u [16]byte, version byte) string {
	u[6] = u[6]&0x0f | version<<4
	u[8] = u[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[0:8], u[0:4])
	hex.Encode(s[9:13], u[4:6])
	hex.Encode(s[14:18], u[6:8])
	hex.Encode(s[19:23], u[8:10])
	hex.Encode(s[24:36], u[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

// ParseID reads a UUID in either case (Swift prints upper case) and returns it in lower case; ok is
// false for anything else.
func ParseID[T id](s string) (id T, ok bool) {
	if !ValidID(s) {
		return "", false
	}
	return T(strings.ToLower(s)), true
}

// ValidID reports whether s is a UUID in text form: 8-4-4-4-12 hexadecimal digits in either case.
func ValidID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !hexDigit(s[i]) {
				return false
			}
		}
	}
	return true
}

func hexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
