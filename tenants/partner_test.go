package tenants

import (
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
		{"Ana Ruiz", PayByIBAN, " de89 3704 0044 0532 0130 00 "}, {"Ana Ruiz", PayByIBAN, "GB82WEST12345698765432"}, {"Ana Ruiz", PayByIBAN,
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
