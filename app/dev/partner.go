package dev

import (
	"context"
	"fmt"
	"time"

	"carillon/app/site"
	"carillon/tenants"
	"carillon/tenants/store"
)

// brought is a customer of the seeded partner. All of it is made up.
type brought struct {
	slug, name string
	ago        int   // days since the trial began
	paid       []int // days since each month of Growth was paid, the first one first
	refused    tenants.Refusal
}

var customers = []brought{
	{"lindenhof-dental", "Lindenhof Dental", 75, []int{61, 31, 1}, ""},
	{"quayside-homes", "Quayside Homes", 30, []int{16}, ""},
	{"bell-and-sons", "Bell & Sons", 20, []int{6}, tenants.RefusedCompany},
	{"maple-claims", "Maple Claims", 3, nil, ""},
}

// followed is how often the seeded partner's link was.
const followed = 37

// partner makes the one account of dev mode a partner too, with clicks, trials, commissions that
// are held, payable and paid, and a payout. The signed-in person sees them on the partner
// dashboard.
func partner(ctx context.Context, s *store.Store, user tenants.User, now time.Time) error {
	fresh := site.NewPartner(s.Plans(), user.Name, user.Email, now)
	fresh.User = user.ID
	link := store.PartnerLink{Hash: tenants.NewSecret(tenants.PartnerPrefix).Hash(), Email: user.Email, Name: user.Name,
		CreatedAt: now, ExpiresAt: now.Add(tenants.PartnerLinkTTL)}
	if err := s.Partners().AddLink(ctx, link); err != nil {
		return err
	}
	// over: the account is enough
	in := store.PartnerSignIn{Hash: tenants.NewSecret(tenants.PartnerPrefix).Hash(), CreatedAt: now, ExpiresAt: now}
	p, err := s.Partners().Enter(ctx, link.Hash, fresh, in)
	if err != nil {
		return err
	}
	if err := s.Partners().SetPayee(ctx, p.ID, tenants.Payee{Name: user.Name, By: tenants.PayByIBAN,
		Account: "DE89370400440532013000"}); err != nil {
		return err
	}
	for range followed {
		s.Partners().CountClick(p.ID)
	}
	for i, b := range customers {
		id, err := bring(ctx, s, p, b, now)
		if err == nil && i == 0 {
			if err = settle(ctx, s, id, b.paid[:1], now); err == nil { // is payable by now, and paid out before the rest comes
				_, _, err = s.Ledger().PayOut(ctx, p.ID, commission(s), "SEPA 2041")
			}
		}
		if err == nil {
			err = settle(ctx, s, id, b.paid, now)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", b.slug, err)
		}
	}
	return nil
}

// month is what a customer of the partner pays each month.
func month(s *store.Store) int64 {
	growth, _ := s.Plans().Plan("growth")
	return growth.MonthCents
}

func commission(s *store.Store) int64 {
	return s.Plans().Affiliate.Commission(tenants.Payment{Cents: month(s), Untaxed: month(s)})
}

// settle writes down what a customer has paid.
func settle(ctx context.Context, s *store.Store, id tenants.TenantID, paid []int, now time.Time) error {
	n := store.Settlement{Tenant: id, Asked: now}
	for i, ago := range paid {
		n.Payments = append(n.Payments, tenants.Payment{ID: fmt.Sprintf("in_dev_%s_%d", id, i),
			At: now.AddDate(0, 0, -ago), Cents: month(s), Untaxed: month(s)})
	}
	return s.Ledger().Settle(ctx, n)
}

// bring opens the trial of one whom the partner brought.
func bring(ctx context.Context, s *store.Store, p tenants.Partner, b brought, now time.Time) (tenants.TenantID, error) {
	at, email := now.AddDate(0, 0, -b.ago), "owner@"+b.slug+".test"
	link := tenants.NewSecret(tenants.TrialPrefix).Hash()
	up := tenants.Signup{Hash: link, Email: email, Name: "Owner", Company: b.name, Industry: tenants.Salon,
		TimeZone: "UTC", Code: p.Code, CreatedAt: now, ExpiresAt: now.Add(tenants.SignupTTL)}
	if err := s.SignUps().Add(ctx, up); err != nil {
		return "", err
	}
	t := tenants.Tenant{
		ID: tenants.NewID[tenants.TenantID](at), Slug: b.slug, Name: b.name, Industry: up.Industry,
		State: tenants.TenantActive, TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: at,
	}
	return t.ID, s.SignUps().OpenTrial(ctx, store.Opening{
		Signup: link, Key: b.slug + ".test", Tenant: t,
		Owner:        tenants.User{ID: tenants.NewID[tenants.UserID](at), Email: email, Name: "Owner", Theme: "auto", CreatedAt: at},
		Agents:       t.File().NewAgents(t, at),
		Subscription: s.Plans().Trial(t.ID, "starter", at),
		Referral: &tenants.Referral{ID: tenants.ReferralID(tenants.NewRandomID()), Partner: p.ID, Tenant: t.ID,
			Terms: s.Plans().Affiliate, Refused: b.refused, CreatedAt: at},
		Who: devMode(),
	})
}
