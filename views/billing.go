package views

import (
	"math"
	"strconv"
)

// BillingPage is what the tenant has bought, uses and pays.
type BillingPage struct {
	Shell                            Shell
	Notices                          []Callout // what to know first: a trial that ends, a payment that failed
	Plan                             string    // "Growth"
	Price                            string    // "$499 a month"; empty when nothing is paid
	Facts                            []Row     // state, renewal, payment
	Meters                           []Meter
	Forecast                         string // one sentence
	Days                             []UsageDay
	DaysOlder, DaysNewer             string
	Zone                             string // in which the days are
	Cost                             []Row  // what an answered ring costs
	Invoices                         []InvoiceRow
	NoBills                          string // said in place of invoices
	BillsCSV, BillsOlder, BillsNewer string
	BillsAll                         string // address of the list with search and sums
	Offers                           []Offer
	Overage                          *OverageForm // nil = cannot be switched
	Owes                             bool         // a payment failed: that comes before anything else
	Portal                           bool         // Stripe knows the tenant
	Cancel                           bool         // there is something to cancel
	Resume                           bool         // a cancellation can be taken back
	CanEdit                          bool
	Selling                          bool   // money is taken here
	Saving                           string // "2 months free", if that holds for a year of every plan
	Note                             string
}

// Meter is how much of a limit is used.
type Meter struct {
	Label string
	Used  int
	Most  int // 0 = no limit
	Note  string
}

func (m Meter) words() string {
	if m.Most == 0 {
		return Count(m.Used) + ", no limit"
	}
	return Count(m.Used) + " of " + Count(m.Most)
}

// width of the bar, in per cent.
func (m Meter) width() string {
	if m.Most <= 0 {
		return "0%"
	}
	return pct(math.Min(100, 100*float64(m.Used)/float64(m.Most)))
}

func (m Meter) class() string {
	switch {
	case m.Most == 0 || m.Used*5 < m.Most*4:
		return "bar-good"
	case m.Used < m.Most:
		return "bar-warn"
	}
	return "bar-bad"
}

// UsageDay is one day's rings.
type UsageDay struct {
	Label string // "Mon 24"
	ISO   string
	Rings int
}

// usageBars are the columns of the days.
func usageBars(days []UsageDay) (out []bar) {
	most := 1
	for _, d := range days {
		most = max(most, d.Rings)
	}
	step := 100 / float64(max(1, len(days)))
	for i, d := range days {
		if d.Rings == 0 {
			continue
		}
		h := math.Max(1, 100*float64(d.Rings)/float64(most))
		out = append(out, bar{"bar-good", pct(float64(i)*step + step*0.14), pct(100 - h), pct(step * 0.72), pct(h), d.Label + ": " +
			Plural(d.Rings, "ring", "rings")})
	}
	return out
}

// InvoiceRow is one bill.
type InvoiceRow struct {
	Number string
	When   Time
	Amount string
	Tone   Tone
	Word   string // "Paid", "Open"
	Href   string // its page at Stripe
}

// Offer is a plan that can be chosen.
type Offer struct {
	Code, Name  string
	Month, Year string   // prices
	Limits      []string // what it holds
	More        string   // what further rings cost
	NowMonth    bool     // it is what the tenant has, paid by the month
	NowYear     bool
	Change      bool // there is a subscription to change: the price is shown first
}

// OverageForm switches rings past the limit on and off.
type OverageForm struct {
	On    bool
	Price string // "$12 for 1,000 rings"
}

// ChangePage shows what a change of plan costs before it happens.
type ChangePage struct {
	Shell    Shell
	From, To string // "Starter, by the month"
	Lines    []Row  // text and amount
	Due      string // "Due now: $312.50"
	Then     string // "Then $499 by the month, from 10 December 2026."
	Note     string
	Warnings []Callout
	Plan     string
	Interval string
	At       int64 // the moment that the calculation used
}

func seconds(n int64) string { return strconv.FormatInt(n, 10) }
