package views

import "time"

func (s sampler) billingPages() []Sample {
	up := Link{Text: "Billing", Href: PathBilling}
	trial := s.shell("Billing", NavBilling)
	trial.Trial = "9 days of trial left"
	owed := s.shell("Billing", NavBilling)
	owed.Alarm = &Callout{Tone: ToneBad, Title: "A payment failed. Phones ring until 30 November 2026.",
		Cure: "Update the payment method.", Action: Button{Text: "Go to Billing", Href: PathBilling, Kind: Quiet}}
	offers := []Offer{
		{Code: "starter", Name: "Starter", Month: "$149", Year: "$1,490", Limits: []string{"100 devices", "5,000 rings a month",
			"5 calls at once", "3 people", "recordings and notes kept: 7 days"}, More: "$30 for 1,000 more rings", Change: true},
		{Code: "growth", Name: "Growth", Month: "$499", Year: "$4,990", Limits: []string{"1,000 devices", "50,000 rings a month",
			"25 calls at once", "15 people"}, More: "$12 for 1,000 more rings", NowMonth: true, Change: true},
		{Code: "scale", Name: "Scale", Month: "$1,499", Year: "$14,990", Limits: []string{"10,000 devices", "500,000 rings a month",
			"150 calls at once", "unlimited people"}, Change: true},
	}
	days := []UsageDay{}
	for i := range 24 {
		d := s.now.AddDate(0, 0, i-24)
		days = append(days, UsageDay{Label: d.Format("Mon 2"), ISO: d.Format(time.DateOnly), Rings: i % 7 * 400})
	}
	return []Sample{
		{"billing", Billing(BillingPage{Shell: owed, Plan: "Growth", Price: "$499 a month", CanEdit: true, Selling: true, Portal: true,
			Saving: "2 months free",
			Cancel: true,
			Facts:  []Row{{Name: "State", Text: "Payment failed"}, {Name: "Renews", Text: "10 Dec 2026, $149"}},
			Meters: []Meter{{"Rings this month", 41_270, 50_000, ""}, {"Devices", 812, 1000, ""}, {"People", 15, 15, "all taken"},
				{"Calls at once", 0, 25, ""}},
			Forecast: "At this pace 47,900 rings by the end of the month.", Days: days, DaysOlder: PathBilling +
				"?until=2026-10-25#usage", Zone: "UTC", Offers: offers, Overage: &OverageForm{Price: "$12 for 1,000 rings"},
			Cost: []Row{{Name: "Answered", Text: "12,804 rings"}, {Name: "Each", Text: "$0.04"}},
			Invoices: []InvoiceRow{{"CAR-0007", OnDay(s.now.AddDate(0, 0, -20), time.UTC), "$499.00", ToneBad, "Open",
				"https://invoice.stripe.com/i/x"}, {"CAR-0006", OnDay(s.now.AddDate(0, 0, -50), time.UTC), "$499.00", ToneGood, "Paid",
				""}},
			BillsAll: PathInvoices, BillsCSV: PathInvoicesCSV, BillsOlder: PathBilling + "?invoices=in_x#invoices",
			BillsNewer: PathBilling + "#invoices",
		})},
		{"invoices", Invoices(InvoicesPage{Shell: s.shell("Invoices", NavBilling, up), Table: Table{Name: "Invoices", Action: PathInvoices,
			Search: "Number or total", Rows: 2, CSV: PathInvoicesCSV, Total: "2 invoices"},
			Sums: []Row{{Name: "Open", Text: "$499, 1 invoice"}, {Name: "Paid", Text: "$499, 1 invoice"}},
			Rows: []InvoiceRow{{"CAR-0007", OnDay(s.now.AddDate(0, 0, -20), time.UTC), "$499.00", ToneBad, "Open",
				"https://invoice.stripe.com/i/x"}, {"CAR-0006", OnDay(s.now.AddDate(0, 0, -50), time.UTC), "$499.00", ToneGood, "Paid",
				""}}})},
		{"billing-trial-empty", Billing(BillingPage{Shell: trial, Plan: "Starter", CanEdit: true, Selling: true,
			NoBills: "No invoices yet.", Offers: offers[:1],
			Notices: []Callout{{Tone: ToneInfo, Title: "Your trial ends on 3 April 2026.",
				Cure: "Choose a plan. You are charged when the trial ends."}}, Meters: []Meter{{"Rings this month", 0, 5000, ""}}})},
		{"billing-no-stripe", Billing(BillingPage{Shell: s.shell("Billing", NavBilling), Plan: "No plan",
			NoBills: "This server does not take payments.", Offers: offers, Meters: []Meter{{"Devices", 3, 0, ""}}})},
		{"billing-change", BillingChange(ChangePage{Shell: s.shell("Change plan", NavBilling, up), From: "Starter by the month",
			To: "Growth by the month", Due: "Due now: $175.00",
			Then:  "Then $499 by the month, from 10 December 2026. Prices are without tax.",
			Lines: []Row{{Name: "Unused time", Text: "−$74.50"}, {Name: "Remaining time", Text: "$249.50"}},
			Note:  "Takes effect now. Quote valid for 1 hour.", Plan: "growth", Interval: "month", At: 1})},
		{"billing-cancel", ConfirmPage(s.shell("Cancel subscription", NavBilling, up),
			Confirm{ID: "cancel", Title: "Cancel the subscription?", Keep: "Keep subscription",
				Button: "Cancel subscription", Action: PathBillingCancel,
				Back: PathBilling, Consequence: []string{"Everything works until 30 November 2026."}})},
	}
}
