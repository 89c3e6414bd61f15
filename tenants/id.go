package tenants

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// Row ids. Each is a UUID in lower case; the types keep one from being passed for another.
type (
	TenantID     string
	RingID       string // also the CallKit UUID
	AttemptID    string
	DeviceID     string
	CredentialID string
	AgentID      string
	KeyID        string
	PairingID    string
	UserID       string
	PartnerID    string
	ReferralID   string
	EntryID      string
	PayoutID     string
)

// id is any of the typed ids.
type id interface{ ~string }

// NewID makes a UUIDv7 (RFC 9562, 5.7): 48 bits of Unix milliseconds, then 74 random bits, so that rows sort by age.
func NewID[T id](now time.Time) T {
	var u [16]byte
	rand.Read(u[6:]) // never fails since Go 1.24
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli())<<16)
	copy(u[:6], ms[:6])
	return T(format(u, 7))
}

// NewRandomID makes a UUIDv4 (RFC 9562, 5.4), for ids that outsiders see and that must not tell when they were made: apns-id.
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

// ParseID reads a UUID in either case (Swift prints upper case) and gives it in lower case; ok is false for anything else.
func ParseID[T id](s string) (T, bool) {
	if len(s) != 36 {
		return "", false
	}
	var out [36]byte
	for i := range 36 {
		c := s[i]
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return "", false
			}
		case c >= '0' && c <= '9' || c >= 'a' && c <= 'f':
		case c >= 'A' && c <= 'F':
			c += 'a' - 'A'
		default:
			return "", false
		}
		out[i] = c
	}
	return T(out[:]), true
}
