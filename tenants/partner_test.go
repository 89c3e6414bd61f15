package tenants

import (
	"fmt"
	"strings"
	"testing"
)

func TestSelfReferral(t *testing.T) {
	t.Parallel()
	plans := BuiltinPlans()
	firm := Partner{Email: "ana@lindenhof.example", Key: plans.TrialKey("ana@lindenhof.example", "lindenhof.example"), User: "u1"}
	alone := Partner{Email: "ana@gmail.com", Key: plans.TrialKey("ana@gmail.com", "gmail.com")}
	for _, c := range []struct {
		p             Partner
		email, domain string
		user          UserID
		want          Refusal
	}{
		{firm, "ana@lindenhof.example", "lindenhof.example", "", RefusedCompany},
		{firm, "ben@mail.lindenhof.example", "lindenhof.example", "", RefusedCompany},
		{firm, "cleo@elsewhere.example", "elsewhere.example", "", ""},
		{firm, "cleo@elsewhere.example", "elsewhere.example", "u1", RefusedPerson},
		{firm, "cleo@elsewhere.example", "elsewhere.example", "u2", ""},
		{alone, "ana@gmail.com", "gmail.com", "", RefusedAddress},
		{alone, "ana+new@gmail.com", "gmail.com", "", RefusedAddress},
		{alone, "ben@gmail.com", "gmail.com", "", ""},
		{alone, "ben@gmail.com", "gmail.com", "u3", ""},
	} {
		if got := c.p.SelfReferral(plans.TrialKey(c.email, c.domain), c.user); got != c.want {
			t.Errorf("%s brings %s (%s): %q, want %q", c.p.Email, c.email, c.user, got, c.want)
		}
	}
}

func TestPartnerCodes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 200 {
		c := NewPartnerCode()
		if again, ok := ParsePartnerCode(" " + strings.ToLower(c) + " "); !ok || again != c || seen[c] {
			t.Fatalf("%q is read as %q", c, again)
		}
		seen[c] = true
	}
	for _, bad := range []string{"", "ABCDEFG", "ABCDEFGHJ", "ABCDEFG0", "ABCD EFG", "ABCDEFGé", "ABCDEFG\x00"} {
		if c, ok := ParsePartnerCode(bad); ok {
			t.Errorf("%q is read as %q", bad, c)
		}
	}
}

func TestPayees(t *testing.T) {
	t.Parallel()
	for _, good := range []Payee{
		{"Ana Ruiz", PayByIBAN, " de89 3704 0044 0532 0130 00 "}, {"Ana Ruiz", PayByIBAN, "GB82WEST12345698765432"}, {"Ana Ruiz",
			PayByIBAN,
			"NO9386011117947"},
		{"Ana Ruiz", PayByPayPal, " Ana@Lindenhof.example"}, {" Ana Ruiz ", PayByMail, "left over"},
	} {
		if p := good.Clean(); p.Check() != nil || p.Name != "Ana Ruiz" || strings.Contains(p.Account, " ") {
			t.Errorf("%+v: %v", p, p.Check())
		}
	}
	for _, bad := range []Payee{
		{}, {"Ana Ruiz", "", ""}, {"Ana Ruiz", "cash", "x"}, {"A", PayByMail, ""}, {"Ana\x00", PayByMail, ""}, {"Ana Ruiz", PayByIBAN,
			"DE89370400440532013001"},
		{"Ana Ruiz", PayByIBAN, "D189370400440532013000"}, {"Ana Ruiz", PayByIBAN, ""}, {"Ana Ruiz", PayByIBAN, "=HYPERLINK(1)"},
		{"Ana Ruiz",
			PayByIBAN, strings.Repeat("9", 40)},
		{"Ana Ruiz", PayByPayPal, "nobody"}, {strings.Repeat("x", 101), PayByMail, ""},
	} {
		if KindOf(bad.Clean().Check()) != Invalid {
			t.Errorf("%+v passes", bad)
		}
	}
}

// TestIBANs looks at the form alone: of a hundred numbers that differ in the last two digits, one
// or two have the right check digits. If the form is wrong, none of them may pass.
func TestIBANs(t *testing.T) {
	t.Parallel()
	zeros := func(n int) string { return strings.Repeat("0", n) }
	for start, want := range map[string]bool{
		"DE09" + zeros(9):         true,  // 15 characters, as Norway has
		"DE09" + zeros(8):         false, // 14
		"DE09" + zeros(28):        true,  // 34, the most
		"DE09" + zeros(29):        false,
		"AZ90AZ09" + zeros(8):     true,
		"D109" + zeros(12):        false,
		"1E09" + zeros(12):        false,
		"DEA9" + zeros(12):        false,
		"DE0A" + zeros(12):        false,
		"DE09a" + zeros(12):       false,
		"DE09z" + zeros(12):       false,
		"DE09/" + zeros(12):       false,
		"DE09:" + zeros(12):       false,
		"DE09@" + zeros(12):       false,
		"DE09[" + zeros(12):       false,
		"@E09" + zeros(12):        false,
		"D[09" + zeros(12):        false,
		"DE/9" + zeros(12):        false,
		"DE0:" + zeros(12):        false,
		"DE09 0000 00" + zeros(8): false, // Clean takes the spaces out
	} {
		good := 0
		for i := range 100 {
			if (Payee{Name: "Ana", By: PayByIBAN, Account: fmt.Sprintf("%s%02d", start, i)}).Check() == nil {
				good++
			}
		}
		if (good == 1 || good == 2) != want || !want && good != 0 {
			t.Errorf("%d of 100 that start with %s pass", good, start)
		}
	}
}
