package console

import (
	"carillon/app/page"

	"context"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/billing"
	"carillon/tenants/store"
	"carillon/views"
)

const (
	usageDays    = 30              // days that the page draws at once
	billsTime    = 3 * time.Second // how long the page waits for Stripe's list of invoices
	billsPerPage = 12
	billsPerRead = 100 // for the list and the file
)

// usageUntil is the last day that the page draws: today, or an earlier one that its address names.
// Days are those of the tenant's time zone.
func (k billingPages) usageUntil(q *page.Query, v *page.Visitor) time.Time {
	today := v.Midnight(k.Now())
	s := q.Raw("until")
	if s == "" {
		return today
	}
	day, err := time.ParseInLocation(time.DateOnly, s, v.Zone)
	if err != nil || day.After(today) {
		q.Fault("until", "a day of the past, as in 2026-11-24")
		return today
	}
	if day.Before(today) {
		q.Keep("until", s)
	}
	return day
}

// cursors are the invoices behind which the pages begin that a person came through, the first one
// first, joined by dots. Stripe's list is asked only forward, so an address keeps those before its
// own: that is the way back.
type cursors string

// cursorsMost is how many bytes of them an address keeps: about 40 pages. From the earliest page
// that it still knows, the way back leads to the first page.
const cursorsMost = 1200

// cursorsOf parts the cursor of a page from those before it.
func cursorsOf(s string) (earlier cursors, after string) {
	if i := strings.LastIndexByte(s, '.'); i >= 0 {
		return cursors(s[:i]), s[i+1:]
	}
	return "", s
}

// then is the cursors with one page more.
func (c cursors) then(after string) cursors {
	if after == "" {
		return c
	}
	for c != "" && len(c)+len(after) >= cursorsMost {
		_, rest, _ := strings.Cut(string(c), ".")
		c = cursors(rest)
	}
	if c == "" {
		return cursors(after)
	}
	return c + "." + cursors(after)
}

// invoicesOf are the invoices behind which this page and those before it begin; empty = with the
// latest.
func invoicesOf(q *page.Query) cursors {
	s := q.Raw("invoices")
	if strings.Trim(s, "._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "" || len(s) > cursorsMost {
		q.Fault("invoices", "leave it out to start with the latest")
		return ""
	}
	return cursors(q.Keep("invoices", s))
}

// history is the rings of thirty days, and where the days before and after are.
func (k billingPages) history(ctx context.Context, v *page.Visitor, q *page.Query, until time.Time, p *views.BillingPage) error {
	from, today := until.AddDate(0, 0, 1-usageDays), v.Midnight(k.Now())
	days, err := v.Scope.Subscription().UsageDays(ctx, from, until.AddDate(0, 0, 1), v.Zone)
	if err != nil {
		return err
	}
	rings := map[string]int{}
	for _, d := range days {
		rings[d.Day] = int(d.Rings)
	}
	for i := range usageDays {
		d := from.AddDate(0, 0, i)
		p.Days = append(p.Days, views.UsageDay{Label: d.Format("Mon 2 Jan"), ISO: d.Format(time.DateOnly),
			Rings: rings[d.Format(time.DateOnly)]})
	}
	if from.After(v.Tenant.CreatedAt) {
		p.DaysOlder = q.With(views.PathBilling, "until", from.AddDate(0, 0, -1).Format(time.DateOnly)) + "#usage"
	}
	switch later := until.AddDate(0, 0, usageDays); {
	case until.Equal(today):
	case later.Before(today):
		p.DaysNewer = q.With(views.PathBilling, "until", later.Format(time.DateOnly)) + "#usage"
	default:
		p.DaysNewer = q.With(views.PathBilling, "until", "") + "#usage"
	}
	return nil
}

// usageCSV is every day on which rings counted, in the time zone of the page.
func (k billingPages) usageCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.SendSheet(ctx, c, page.Sheet{
		Name: "usage", Head: []string{"day", "time_zone", "rings"},
		More: func(ctx context.Context, _ string) ([][]string, string, error) {
			days, err := v.Scope.Subscription().UsageDays(ctx, v.Tenant.CreatedAt.AddDate(0, 0, -1), time.Time{}, v.Zone)
			return mapped(days, func(d store.UsageDay) []string {
				return []string{d.Day, v.Zone.String(), strconv.FormatInt(d.Rings, 10)}
			}), "", err
		},
	})
}

// invoices asks Stripe. The page opens without them when Stripe does not answer.
func (k billingPages) invoices(ctx context.Context, v *page.Visitor, q *page.Query, at cursors, p *views.BillingPage) {
	if k.Billing == nil {
		p.NoBills = noPayments
		return
	}
	p.NoBills = "No invoices yet."
	earlier, after := cursorsOf(string(at))
	soon, cancel := context.WithTimeout(ctx, billsTime)
	defer cancel()
	bills, next, err := k.Billing.Invoices(soon, buyerOf(v), after, billsPerPage)
	if err != nil {
		k.Log.Warn("list invoices", "tenant", v.Tenant.ID, "err", err)
		p.NoBills = stripeSilent
		return
	}
	for _, b := range bills {
		p.Invoices = append(p.Invoices, invoiceRow(v, b))
	}
	if len(bills) > 0 {
		p.BillsAll, p.BillsCSV = views.PathInvoices, views.PathInvoicesCSV
	}
	if after != "" {
		p.NoBills, p.BillsNewer = noEarlierInvoices, q.With(views.PathBilling, "invoices", string(earlier))+"#invoices"
	}
	if next != "" {
		p.BillsOlder = q.With(views.PathBilling, "invoices", string(at.then(next))) + "#invoices"
	}
}

func billState(b billing.Invoice) (tone views.Tone, word string) {
	switch {
	case b.Paid:
		return views.ToneGood, "Paid"
	case b.Open:
		return views.ToneBad, "Open"
	}
	return views.ToneWarn, "Not paid"
}
