package app

import (
	"encoding/csv"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// earns makes a partner in a data folder, with a commission that is payable and one that is held.
func earns(t *testing.T, data string) tenants.Partner {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := store.Open(t.Context(), store.Config{Dir: data, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	must(err)
	defer func() { must(s.Close()) }()
	ctx, now := t.Context(), time.Now()
	link := tenants.NewSecret(tenants.PartnerPrefix).Hash()
	must(s.Partners().AddLink(ctx, store.PartnerLink{Hash: link, Email: "ana@partner.example", Name: "=Ana", CreatedAt: now,
		ExpiresAt: now.Add(time.Hour)}))
	p, err := s.Partners().Enter(ctx, link, tenants.Partner{ID: tenants.NewID[tenants.PartnerID](now),
		Code: tenants.NewPartnerCode(), Email: "ana@partner.example", Name: "=Ana", CreatedAt: now},
		store.PartnerSignIn{Hash: link, CreatedAt: now, ExpiresAt: now.Add(time.Hour)})
	must(err)
	must(s.Partners().SetPayee(ctx, p.ID, tenants.Payee{Name: "Ana Ruiz", By: tenants.PayByIBAN, Account: "DE89370400440532013000"}))
	up := tenants.NewSecret(tenants.TrialPrefix).Hash()
	must(s.SignUps().Add(ctx, tenants.Signup{Hash: up, Email: "o@x.example", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}))
	tenant := tenants.Tenant{ID: tenants.NewID[tenants.TenantID](now), Slug: "brought", Name: "Brought",
		Industry: tenants.Salon, State: tenants.TenantActive, TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: now}
	must(s.SignUps().OpenTrial(ctx, store.Opening{
		Signup: up, Key: "x.example", Tenant: tenant,
		Owner:        tenants.User{ID: tenants.NewID[tenants.UserID](now), Email: "o@x.example", Name: "O", Theme: "auto", CreatedAt: now},
		Agents:       tenant.File().NewAgents(tenant, now),
		Subscription: s.Plans().Trial(tenant.ID, "starter", now),
		Referral: &tenants.Referral{ID: tenants.ReferralID(tenants.NewRandomID()), Partner: p.ID, Tenant: tenant.ID,
			Terms: s.Plans().Affiliate, CreatedAt: now},
	}))
	must(s.Ledger().Settle(ctx, store.Settlement{Tenant: tenant.ID, Asked: now, Payments: []tenants.Payment{
		{ID: "in_1", At: now.AddDate(0, 0, -31), Cents: 49900, Untaxed: 49900}, {ID: "in_2", At: now, Cents: 49900, Untaxed: 49900},
	}}))
	return p
}

// TestAddPartner adds a partner by hand. Adding the same one again only makes a new sign-in link.
func TestAddPartner(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	wants(t, 0, "", "migrate", "up", "--data", data)
	add := []string{"affiliate", "add", "--data", data, "--name", " Ana Ruiz ", "--email", "Ana@Partner.example"}
	wants(t, 0, "Partner    Ana Ruiz, ana@partner.example\n", add...)
	wants(t, 0, "ana@partner.example is already a partner", add...)
	var made [2]madePartner
	for i := range made {
		code, line := say(t, append(add, "--json", "--public-url", "https://ring.example/")...)
		if err := json.Unmarshal([]byte(line), &made[i]); code != 0 || err != nil {
			t.Fatalf("%d %v %s", code, err, line)
		}
	}
	if m := made[0]; m.Link != "https://ring.example/r/"+m.Code ||
		!strings.HasPrefix(m.Dashboard, "https://ring.example/affiliate/links/"+tenants.PartnerPrefix) {
		t.Errorf("%+v", m)
	}
	if made[0].Code != made[1].Code || made[0].Dashboard == made[1].Dashboard {
		t.Errorf("the second time it is %+v after %+v", made[1], made[0])
	}
	bad := []string{"affiliate", "add", "--data", data, "--name", " ", "--email", "ana@localhost", "--public-url", "ring"}
	for _, fault := range []string{"--name: 1 to 80", `--email: "ana@localhost" is not an email address`, `CARILLON_PUBLIC_URL: "ring"`} {
		wants(t, 2, fault, bad...)
	}
	plans := filepath.Join(t.TempDir(), "plans.json")
	_, built := say(t, "plans", "show", "--json")
	if err := os.WriteFile(plans, []byte(strings.Replace(built, `"percent": 22`, `"percent": 0`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	wants(t, 2, "partners earn nothing on this server", append(add, "--plans-file", plans)...)
}

func TestPartnersArePaidOnce(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	payouts := func(more ...string) []string {
		return append([]string{"affiliate", "payouts", "--data", data}, more...)
	}
	wants(t, 0, "", "migrate", "up", "--data", data)
	wants(t, 0, "Nothing is payable now.", payouts()...)
	p := earns(t, data)
	wants(t, 0, "109.78", payouts()...)
	wants(t, 0, "Total 109.78 USD", payouts()...)
	code, file := say(t, payouts("--csv")...)
	rows, err := csv.NewReader(strings.NewReader(file)).ReadAll()
	if code != 0 || err != nil || len(rows) != 2 ||
		strings.Join(rows[1], "|") != p.Code+"|'=Ana|ana@partner.example|Ana Ruiz|iban|DE89370400440532013000|109.78|usd|1" {
		t.Errorf("%d %v %q", code, err, rows)
	}
	for _, bad := range [][]string{
		{"--amount: \"219.5\" is not a sum", "--mark-paid", p.Code, "--amount", "219.5", "--reference", "x"},
		{"is another sum now", "--mark-paid", p.Code, "--amount", "219.56", "--reference", "x"},
		{"--reference: 1 to 100", "--mark-paid", p.Code, "--amount", "109.78"},
		{"no partner has the code", "--mark-paid", "ZZZZZZZZ", "--amount", "109.78", "--reference", "x"},
		{"is not a partner's code", "--mark-paid", "ana", "--amount", "109.78", "--reference", "x"},
		{"belong to --mark-paid", "--amount", "109.78"}, {"one after the other", "--csv", "--mark-paid", p.Code},
	} {
		wants(t, 1, bad[0], payouts(bad[1:]...)...)
	}
	wants(t, 0, "Recorded: 109.78", payouts("--mark-paid", strings.ToLower(p.Code), "--amount", "109.78", "--reference", "SEPA 7")...)
	wants(t, 0, "Nothing was changed", payouts("--mark-paid", p.Code, "--amount", "109.78", "--reference", "SEPA 7")...)
	wants(t, 1, "is another sum now", payouts("--mark-paid", p.Code, "--amount", "109.78", "--reference", "SEPA 8")...)
	wants(t, 0, "Nothing is payable now.", payouts()...)
	wants(t, 0, "is ended", "affiliate", "stop", "--data", data, "--code", p.Code)
	wants(t, 0, "is running again", "affiliate", "stop", "--data", data, "--code", p.Code, "--undo")
}
