package factor

import (
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// TestCodesWorkOnce: a code works in its step and the ones beside it, and never again.
func TestCodesWorkOnce(t *testing.T) {
	t.Parallel()
	seed, now := NewSeed(), time.Unix(1_800_000_015, 0)
	code := func(at time.Time) string {
		c, err := totp.GenerateCode(seed, at)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	step, ok := CheckCode(seed, code(now), 0, now)
	if !ok || step != now.Unix()/period {
		t.Fatalf("a right code: step %d, %v", step, ok)
	}
	for name, c := range map[string]struct {
		code string
		last int64
		ok   bool
	}{
		"the same again":       {code(now), step, false},
		"an earlier one later": {code(now.Add(-30 * time.Second)), step, false},
		"the one before":       {code(now.Add(-30 * time.Second)), 0, true},
		"with a blank":         {code(now)[:3] + " " + code(now)[3:], 0, true},
		"the next one":         {code(now.Add(30 * time.Second)), step, true},
		"too old":              {code(now.Add(-60 * time.Second)), 0, false},
		"too new":              {code(now.Add(60 * time.Second)), 0, false},
		"nothing":              {"", 0, false},
	} {
		if _, ok := CheckCode(seed, c.code, c.last, now); ok != c.ok {
			t.Errorf("%s: %v", name, ok)
		}
	}
	uri, err := SeedURI(seed, "ana@lindenhof.example")
	if err != nil || !strings.HasPrefix(uri, "otpauth://totp/Carillon:ana@lindenhof.example?") || !strings.Contains(uri, "secret="+seed) {
		t.Errorf("%q %v", uri, err)
	}
	if !ValidSeed(seed) || ValidSeed("AAAA") || ValidSeed("") || ValidSeed(strings.Repeat("1", 32)) {
		t.Error("ValidSeed")
	}
}

func TestRecoveryCodesAreReadAsPeopleTypeThem(t *testing.T) {
	t.Parallel()
	all := NewRecoveryCodes()
	if len(all) != 10 || all[0] == all[1] {
		t.Fatal("ten different codes")
	}
	plain := string(all[0])
	for _, typed := range []string{plain, strings.ToLower(plain), " " + strings.ReplaceAll(plain, "-", ""),
		strings.ReplaceAll(plain, "-", " ")} {
		if got, ok := ParseRecoveryCode(typed); !ok || got != all[0] {
			t.Errorf("%q is not read", typed)
		}
	}
	for _, typed := range []string{"", "123456", plain + "A", plain[:16] + "1"} {
		if _, ok := ParseRecoveryCode(typed); ok {
			t.Errorf("%q is read", typed)
		}
	}
}
