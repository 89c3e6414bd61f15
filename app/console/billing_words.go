package console

import (
	"fmt"
	"time"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

// tight warns of a plan that is smaller than what is used.
func tight(e tenants.Entitlement, plan tenants.Plan) (out []views.Callout) {
	for _, x := range []struct {
		used, most int64
		what       string
	}{{e.Usage.Devices, plan.Devices, "devices"}, {e.Usage.People, plan.People, "people"},
		{e.Usage.Rings, plan.Rings, "rings this month"}} {
		if x.most > 0 && x.used > x.most {
			out = append(out, views.Callout{Tone: views.ToneWarn, Title: "You have more " + x.what + " than " + plan.Name + " includes.",
				Cause: views.Count(int(x.used)) + " now, " + views.Count(int(x.most)) +
					" then. Nothing is removed, but you cannot add more."})
		}
	}
	return out
}

// meters are the limits and what is used of them.
func meters(e tenants.Entitlement, zone *time.Location) []views.Meter {
	var out []views.Meter
	if e.Standing != tenants.StandingOpen {
		out = append(out, views.Meter{Label: "Rings this month", Used: int(e.Usage.Rings), Most: int(e.Plan.Rings),
			Note: "Counted from " + e.From.In(zone).Format("2 January, 15:04") + " to " + e.To.In(zone).Format("2 January, 15:04") +
				". Earlier rings and test rings do not count."})
	}
	return append(out, views.Meter{Label: "Devices", Used: int(e.Usage.Devices), Most: int(e.Plan.Devices)},
		views.Meter{Label: "People and invitations", Used: int(e.Usage.People), Most: int(e.Plan.People)})
}

// forecast is where the rings lead by the end of the month, once a day of it has passed.
func forecast(e tenants.Entitlement, now time.Time) string {
	gone, whole := now.Sub(e.From), e.To.Sub(e.From)
	if e.Standing == tenants.StandingOpen || gone < 24*time.Hour || whole <= 0 || e.Usage.Rings == 0 {
		return ""
	}
	n := int(float64(e.Usage.Rings) * float64(whole) / float64(gone))
	s := "At this pace about " + views.Plural(n, "ring", "rings") + " by " + e.To.In(now.Location()).Format("2 January")
	if e.Plan.Rings > 0 && int64(n) > e.Plan.Rings {
		return s + ", more than your plan includes."
	}
	return s + "."
}

// facts are the subscription in words.
func (k billingPages) facts(v *page.Visitor, sub tenants.Subscription, e tenants.Entitlement) []views.Row {
	rows := []views.Row{{Name: "State", Text: standings[e.Standing]}}
	charge := func(at time.Time) string { // "10 Dec 2026, $149"
		return at.In(v.Zone).Format("2 Jan 2006") + ", " + page.Money(e.Plan.Cents(sub.Interval), k.Store.Plans().Currency)
	}
	cancelled := e.Standing == tenants.StandingEnding && !sub.WasCut()
	switch {
	case cancelled:
		rows[0].Text += e.Until.In(v.Zone).Format("2 Jan")
	case e.Standing == tenants.StandingEnding:
		rows[0].Text = "Trial, ends early"
	}
	switch {
	case e.Standing == tenants.StandingOpen:
		return append(rows, views.Row{Name: "Limits", Text: "none"})
	case cancelled:
	case e.Standing == tenants.StandingTrial && sub.Stripe != "":
		rows = append(rows, views.Row{Name: "First payment", Text: charge(e.Until)})
	case e.Standing == tenants.StandingTrial, e.Standing == tenants.StandingEnding, e.Standing == tenants.StandingOver && !e.Until.IsZero():
		rows = append(rows, views.Row{Name: "Ends", When: v.At(e.Until)})
	case e.Standing == tenants.StandingGrace:
		rows = append(rows, views.Row{Name: "Phones ring until", When: v.At(e.Until)})
	case sub.Stripe != "":
		rows = append(rows, views.Row{Name: "Renews", Text: charge(sub.PeriodEnd)})
	}
	if sub.ByHand() {
		rows = append(rows, views.Row{Name: "Given by", Text: "the operator of this server"})
	}
	if sub.OddQuantity() { // the operator is alerted; see package billing
		rows = append(rows, views.Row{Name: "Quantity at Stripe",
			Text: fmt.Sprintf("%d. The limits are those of one plan. Ask the operator of this server.", sub.Quantity)})
	}
	return append(rows, views.Row{Name: "Calls at once", Text: atMost(e.Plan.Calls)})
}

var standings = map[tenants.Standing]string{
	tenants.StandingOpen: "No subscription, no limits", tenants.StandingTrial: "Trial", tenants.StandingPaid: "Active",
	tenants.StandingGrace:  "A payment failed",
	tenants.StandingEnding: "Cancelled, active until ", tenants.StandingOver: "Ended. Phones do not ring.",
}

// trialNotice says when the trial ends, and what becomes of it when somebody subscribes before.
func (k billingPages) trialNotice(v *page.Visitor, e tenants.Entitlement) views.Callout {
	n := views.Callout{Tone: views.ToneInfo, Title: "The trial ends on " + e.Until.In(v.Zone).Format("2 January 2006") + "."}
	switch {
	case k.Billing == nil:
		n.Cure = "Ask the operator of this server for a plan before then. Nothing is deleted if it ends."
	case e.Until.Sub(k.Now()) <= 48*time.Hour:
		n.Cause = "Less than two days are left, so a subscription is charged immediately."
		n.Cure = "Choose a plan before then. Nothing is deleted if the trial ends first."
	default:
		n.Cause = "One trial per card. If this card has had a trial, this one ends within a day. You are not charged."
		n.Cure = "Choose a plan before then. You are charged when the trial ends. Nothing is deleted if it ends first."
	}
	return n
}

// offers are the plans to choose from.
func (k billingPages) offers(sub tenants.Subscription) (out []views.Offer) {
	plans := k.Store.Plans()
	for _, p := range plans.Plans {
		o := views.Offer{Code: p.Code, Name: p.Name, Month: page.Money(p.MonthCents, plans.Currency),
			Year: page.Money(p.YearCents, plans.Currency), Change: sub.Live(),
			Limits: []string{holds(p.Devices, "device", "devices"), holds(p.Rings, "ring", "rings") + " a month",
				holds(p.Calls, "call", "calls") + " at once",
				holds(p.People, "person", "people"), "recordings and notes kept: " + page.Keeps(p)}}
		if p.Overage > 0 {
			o.More = "Overage, if you allow it: " + page.Money(p.Overage, plans.Currency) + " for 1,000"
		}
		has := sub.Plan == p.Code && (sub.Live() || sub.ByHand())
		o.NowMonth, o.NowYear = has && sub.Interval != tenants.Yearly, has && sub.Interval == tenants.Yearly
		out = append(out, o)
	}
	return out
}

// invoiceWords are those of the list of all invoices.
var invoiceWords = page.Words{
	Name: "Invoices", Path: views.PathInvoices, CSV: views.PathInvoicesCSV, File: "invoices", Search: "Number or total",
	One: "invoice", Many: "invoices",
	Empty: views.Empty{Icon: views.IconCard, Text: "No invoices yet."},
	Sorts: page.Newest(page.Sort{Key: "number", Text: "Number, lowest first"}, page.Sort{Key: "-number", Text: "Number, highest first"},
		page.Sort{Key: "-total", Text: "Total, highest first"}, page.Sort{Key: "total", Text: "Total, lowest first"}),
}

// What pages and refusals say.
const (
	olderInvoices      = "These are the latest 1,000 invoices. Older ones are at Stripe."
	manyInvoices       = "There are more than 1,000 invoices. Download them at Stripe."
	quoteNote          = "Takes effect now. Quote valid for 1 hour."
	creditFor          = "Credit for your next invoices: "
	noPrice            = "The price is missing. Reload the page and try again."
	afterCancel        = "After that, phones do not ring. Nothing is deleted. You can subscribe again at any time."
	noOverage          = "Overage needs a subscription. Subscribe first."
	noPayments         = "This server does not take payments."
	stripeSilent       = "Stripe does not answer at the moment. Reload the page in a minute to see your invoices."
	noEarlierInvoices  = "There are no earlier invoices."
	callsAnsweredLabel = "Calls answered this month"
	costPerCallLabel   = "Cost per answered call, including test rings"
	confirmingTitle    = "Stripe is confirming your payment."
	confirmingCause    = "This takes a few seconds. Your plan changes when Stripe confirms it."
	trialLastDay       = "Last day of the trial"
)

// thenPays says what is paid after a change, how often and from which day.
func thenPays(price, every string, from time.Time) string {
	return "Then " + price + " " + every + ", from " + from.Format("2 January 2006") + ". Prices are without tax."
}
