package tenants

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"math/big"
	"strings"
)

// Secret is a bearer secret in plain text: an API key, a device credential or a pairing code. It
// prints as *** and exists only until the one answer that shows it, or until a request's secret is
// hashed.
type Secret string

func (Secret) String() string   { return "***" }
func (Secret) GoString() string { return "***" }

// Hash is the stored form of a secret: plain SHA-256. That is enough because secrets have 192
// random bits (pairing codes have 50, live ten minutes and work once).
type Hash [sha256.Size]byte

// Hash returns the stored form.
func (s Secret) Hash() Hash { return sha256.Sum256([]byte(s)) }

// The prefixes of secrets. Scanners and people recognize a leaked secret by them.
const (
	LivePrefix       = "crl_live_"
	TestPrefix       = "crl_test_"
	DevicePrefix     = "crl_device_"
	InvitationPrefix = "crl_invite_"  // in the link of an invitation
	TrialPrefix      = "crl_trial_"   // in the link that confirms the address of a sign-up
	ResetPrefix      = "crl_reset_"   // in the link that sets a new password
	EmailPrefix      = "crl_email_"   // in the link that proves a new address
	PartnerPrefix    = "crl_partner_" // in a partner's sign-in link
	JoinPrefix       = "crl_join_"    // of an agent's one connection to a ring
	DigestPrefix     = "crl_digest_"  // in the link that turns the weekly mail off
	OperatorPrefix   = "crl_op_"      // in the link with which an operator begins
)

// NewSecret makes a secret: prefix, 24 random bytes in base 62, and a CRC-32 in base 62.
func NewSecret(prefix string) Secret {
	var b [24]byte
	rand.Read(b[:])
	body := prefix + base62(new(big.Int).SetBytes(b[:]), 33)
	return Secret(body + checksum(body))
}

// WellFormed reports whether s has a known prefix, the right length and a right checksum. It finds
// a typo without a look-up.
func WellFormed(s string) bool {
	for _, p := range []string{LivePrefix, TestPrefix, DevicePrefix, InvitationPrefix, TrialPrefix, ResetPrefix, EmailPrefix,
		PartnerPrefix, JoinPrefix, OperatorPrefix, DigestPrefix} {
		if strings.HasPrefix(s, p) && len(s) == len(p)+33+6 {
			cut := len(s) - 6
			return checksum(s[:cut]) == s[cut:]
		}
	}
	return false
}

func checksum(s string) string {
	var out [6]byte
	n := crc32.ChecksumIEEE([]byte(s))
	for i := len(out) - 1; i >= 0; i-- {
		out[i], n = digits[n%62], n/62
	}
	return string(out[:])
}

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func base62(n *big.Int, width int) string {
	out := []byte(strings.Repeat("0", width))
	base, rest := big.NewInt(62), new(big.Int)
	for i := width - 1; i >= 0 && n.Sign() > 0; i-- {
		n, rest = new(big.Int).DivMod(n, base, rest)
		out[i] = digits[rest.Int64()]
	}
	return string(out)
}

// letters are those of codes that people type. Those that are easily confused are left out: 0 O 1 I
// L.
const letters = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"

// NewCode makes a pairing code of ten letters, shown as XXXXX-XXXXX.
func NewCode() Secret {
	out := make([]byte, 0, 11)
	for len(out) < 11 {
		if len(out) == 5 {
			out = append(out, '-')
		}
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			panic(err) // crypto/rand does not fail since Go 1.24
		}
		out = append(out, letters[n.Int64()])
	}
	return Secret(out)
}

// ParseCode reads a pairing code as people type it: in either case, with or without the dash and
// spaces. ok is false if it cannot be a code.
func ParseCode(s string) (Secret, bool) {
	out := make([]byte, 0, 11)
	for _, c := range []byte(strings.ToUpper(s)) {
		if c == '-' || c == ' ' {
			continue
		}
		if !strings.ContainsRune(letters, rune(c)) || len(out) > 10 {
			return "", false
		}
		if len(out) == 5 {
			out = append(out, '-')
		}
		out = append(out, c)
	}
	return Secret(out), len(out) == 11
}
