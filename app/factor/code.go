package factor

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"

	"carillon/tenants"
)

const (
	period    = 30 // seconds of a step (RFC 6238)
	seedBytes = 20 // RFC 4226, 4 R6: 160 bits
	// skew is how many steps a phone's clock may be off.
	skew = 1
)

var seeds = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewSeed is the secret that an authenticator app and the server share, in base 32.
func NewSeed() string {
	var b [seedBytes]byte
	rand.Read(b[:])
	return seeds.EncodeToString(b[:])
}

// ValidSeed reports whether s can have come from NewSeed.
func ValidSeed(s string) bool {
	b, err := seeds.DecodeString(s)
	return err == nil && len(b) == seedBytes
}

// SeedURI is what the QR code of a seed says. account is the name in the app's list.
func SeedURI(seed, account string) (string, error) {
	raw, err := seeds.DecodeString(seed)
	if err != nil {
		return "", err
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "Carillon", AccountName: account, Secret: raw})
	if err != nil {
		return "", err
	}
	return key.URL(), nil
}

// CheckCode reports whether code is right now, and of which step. A code of the step last, or of an
// earlier one, is refused: no code works twice (RFC 6238, 5.2).
func CheckCode(seed, code string, last int64, now time.Time) (step int64, ok bool) {
	code = strings.ReplaceAll(code, " ", "")
	at := now.Unix() / period
	for step = at - skew; step <= at+skew; step++ {
		want, err := totp.GenerateCode(seed, time.Unix(step*period, 0))
		if err == nil && step > last && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			return step, true
		}
	}
	return 0, false
}

// CodeAt is the code that an app with the seed shows at a moment; empty for a text that is no seed.
func CodeAt(seed string, at time.Time) string {
	code, err := totp.GenerateCode(seed, at)
	if err != nil {
		return ""
	}
	return code
}

// A recovery code has 15 letters of base 32: 75 bits, so that a plain hash of it is enough.
const (
	recoveryCodes   = 10
	recoveryLetters = 15
)

// NewRecoveryCodes makes ten codes, each shown as XXXXX-XXXXX-XXXXX.
func NewRecoveryCodes() []tenants.Secret {
	out := make([]tenants.Secret, recoveryCodes)
	for i := range out {
		out[i] = grouped(rand.Text()[:recoveryLetters])
	}
	return out
}

func grouped(s string) tenants.Secret { return tenants.Secret(s[:5] + "-" + s[5:10] + "-" + s[10:]) }

// ParseRecoveryCode reads a code as people type it: in either case, with or without dashes and
// blanks. ok is false if it cannot be one.
func ParseRecoveryCode(s string) (code tenants.Secret, ok bool) {
	s = strings.NewReplacer("-", "", " ", "").Replace(strings.ToUpper(s))
	if len(s) != recoveryLetters || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return "", false
	}
	return grouped(s), true
}
