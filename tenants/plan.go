package tenants

import (
	"bytes"
	_ "embed" // the built-in plans
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Plan is something a tenant can buy: a price and limits. 0 means no limit.
type Plan struct {
	Code       string `json:"code"` // [a-z0-9-]; part of Stripe's lookup keys, so it must not change
	Name       string `json:"name"`
	MonthCents int64  `json:"month_cents"`
	YearCents  int64  `json:"year_cents"`
	Devices    int64  `json:"devices"`
	Rings      int64  `json:"rings"` // a month; test rings do not count
	Calls      int64  `json:"calls"` // at once
	People     int64  `json:"people"`
	Retention  int64  `json:"retention_days"` // of recordings and notes; 0 = as long as their ring
	Overage    int64  `json:"overage_cents"`  // for 1,000 rings past the limit; 0 = cannot be bought

	Grace time.Duration `json:"-"` // how long phones still ring after a failed payment; grace_days of the file
}

// Interval is how often a plan is paid.
type Interval string

// The intervals.
const (
	Monthly Interval = "month"
	Yearly  Interval = "year"
)

// Cents is the plan's price for an interval.
func (p Plan) Cents(i Interval) int64 {
	if i == Yearly {
		return p.YearCents
	}
	return p.MonthCents
}

// Affiliate holds the terms of the partner program.
type Affiliate struct {
	Percent    int64 `json:"percent"` // of net paid
	Months     int   `json:"months"`
	CookieDays int   `json:"cookie_days"`
	HoldDays   int   `json:"hold_days"`
}

// Plans is the plans file: all prices and terms that an operator decides.
type Plans struct {
	Currency    string    `json:"currency"` // ISO 4217, lower case
	TrialDays   int       `json:"trial_days"`
	GraceDays   int       `json:"grace_days"` // how long phones still ring after a failed payment
	Plans       []Plan    `json:"plans"`      // the smallest first
	Affiliate   Affiliate `json:"affiliate"`
	PublicMails []string  `json:"public_mail_domains"` // public mail providers: an address there does not tell the company
}

//go:embed plans.json
var plansFile []byte

// BuiltinPlans returns the plans that Carillon ships with.
func BuiltinPlans() Plans {
	p, err := ParsePlans(plansFile)
	if err != nil {
		panic("tenants: plans.json: " + err.Error()) // a test reads it
	}
	return p
}

// ParsePlans reads a plans file. Its error names every fault in the file.
func ParsePlans(file []byte) (Plans, error) {
	var p Plans
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return Plans{}, fmt.Errorf("the plans file does not have the form of the built-in one: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Plans{}, errors.New("the plans file has text after its end")
	}
	for i := range p.Plans {
		p.Plans[i].Grace = time.Duration(p.GraceDays) * 24 * time.Hour
	}
	return p, p.check()
}

func (p Plans) check() error {
	var faults []error
	bad := func(is bool, format string, args ...any) {
		if is {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	bad(len(p.Currency) != 3 || strings.ToLower(p.Currency) != p.Currency, "currency: three lower-case letters, such as usd")
	bad(p.TrialDays < 0 || p.TrialDays > 730, "trial_days: 0 to 730")
	bad(p.GraceDays < 0 || p.GraceDays > 60, "grace_days: 0 to 60")
	bad(len(p.Plans) == 0, "plans: at least one")
	bad(p.Affiliate.Percent < 0 || p.Affiliate.Percent > 100, "affiliate.percent: 0 to 100")
	bad(p.Affiliate.Months < 0 || p.Affiliate.CookieDays < 0 || p.Affiliate.HoldDays < 0, "affiliate: nothing below 0")
	seen := map[string]bool{}
	for _, one := range p.Plans {
		bad(!validSlug(one.Code), "plan %q: code: 2 to 40 of a-z, 0-9 and '-', starting with a letter", one.Code)
		bad(seen[one.Code], "plan %q: appears twice", one.Code)
		seen[one.Code] = true
		bad(!ValidText(one.Name, 1, 40), "plan %q: name: 1 to 40 characters", one.Code)
		for _, n := range []int64{one.MonthCents, one.YearCents, one.Devices, one.Rings, one.Calls, one.People, one.Retention,
			one.Overage} {
			bad(n < 0, "plan %q: %d is below 0", one.Code, n)
		}
	}
	return errors.Join(faults...)
}

// Plan returns the plan with a code.
func (p Plans) Plan(code string) (Plan, bool) {
	i := slices.IndexFunc(p.Plans, func(one Plan) bool { return one.Code == code })
	if i < 0 {
		return Plan{}, false
	}
	return p.Plans[i], true
}

// Trial returns the subscription of a tenant whose trial of a plan begins now. Stripe does not know
// it.
func (p Plans) Trial(t TenantID, plan string, now time.Time) Subscription {
	now = now.UTC()
	end := now.AddDate(0, 0, p.TrialDays)
	return Subscription{
		Tenant: t, Plan: plan, State: SubTrialing, Interval: Monthly, PeriodStart: now, PeriodEnd: end, TrialEnd: end, CreatedAt: now,
	}
}

// Assigned returns the subscription of a tenant to which the operator gives a plan: until end, or
// without an end if end is zero.
func (p Plans) Assigned(t TenantID, plan string, now, end time.Time) Subscription {
	return Subscription{Tenant: t, Plan: plan, State: SubActive, Interval: Monthly, PeriodStart: now.UTC(), PeriodEnd: end.UTC(),
		CancelAtEnd: !end.IsZero(), CreatedAt: now.UTC()}
}
