package site

import (
	"carillon/app/notify"
	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

var errNotPartner error = tenants.Refuse(tenants.Unauthorized, "unauthorized", "You are not signed in as a partner.")

// The words of the ledger.
var (
	entryWords = map[tenants.EntryKind]string{tenants.EntryCommission: "Commission", tenants.EntryClawback: "Clawback",
		tenants.EntryRestored: "Restored"}
	entryStates = map[tenants.EntryState]views.PartnerLine{
		tenants.EntryHeld:    {State: "Held", Tone: views.ToneNeutral, Icon: views.IconHourglass},
		tenants.EntryPayable: {State: "Payable", Tone: views.ToneInfo, Icon: views.IconClock},
		tenants.EntryPaid:    {State: "Paid", Tone: views.ToneGood, Icon: views.IconDone},
	}
)

// openClawback is the state of a clawback that will be deducted from what is payable.
const openClawback = "Open"

// How a customer of a partner stands.
var (
	customerRefused = views.PartnerCustomer{State: "Your own account, no commission", Tone: views.ToneWarn, Icon: views.IconBan}
	customerNew     = views.PartnerCustomer{State: "Not paying yet", Tone: views.ToneNeutral, Icon: views.IconHourglass}
	customerEarns   = views.PartnerCustomer{State: "Earns", Tone: views.ToneGood, Icon: views.IconCheck}
	customerOver    = views.PartnerCustomer{State: "Period ended", Tone: views.ToneNeutral, Icon: views.IconDone}
)

var customerWords = page.Words{
	Name: "Your customers", Path: views.PathPartnerCustomers, CSV: views.PathPartnerCustomersCSV, File: "customers",
	Search: "Customer or status", One: "customer", Many: "customers",
	Empty: views.Empty{Icon: views.IconPeople, Text: "No customers yet. Share your link. Each trial that starts with it appears here " +
		"without a name."},
	Sorts: page.Newest(page.Sort{Key: "name", Text: "Customer, 0 to F"}, page.Sort{Key: "-name", Text: "Customer, F to 0"},
		page.Sort{Key: "state", Text: "By status"}, page.Sort{Key: "-earned", Text: "Most earned first"},
		page.Sort{Key: "earned", Text: "Least earned first"}),
}

var ledgerWords = page.Words{
	Name: "Ledger", Path: views.PathPartnerLedger, CSV: views.PathPartnerCSV, File: "commissions",
	Search: "Customer, entry, status or payout", One: "entry", Many: "entries",
	Empty: views.Empty{Icon: views.IconAudit, Text: "No entries yet. Each customer payment adds an entry."},
	Sorts: page.Newest(page.Sort{Key: "-sum", Text: "Largest amount first"}, page.Sort{Key: "sum", Text: "Smallest amount first"}),
}

// sumsOf are the three sums of the dashboard; cash writes a sum.
func sumsOf(b tenants.Balance, hold string, cash func(int64) string) []views.Stat {
	return []views.Stat{
		{Label: "Held", Value: cash(b.Held), Note: "for " + hold + " after each payment"},
		{Label: "Payable", Value: cash(b.Payable), Note: "goes into the next payout"},
		{Label: "Paid", Value: cash(b.Paid), Note: "sent to you so far"},
	}
}

func countsOf(trials, paying int) []views.Stat {
	return []views.Stat{
		{Label: "Trials", Value: views.Count(trials), Note: "started with your link or code"},
		{Label: "Paying customers", Value: views.Count(paying), Note: "paid at least once"},
	}
}

// fillPayee sets the fields that ask how to pay a partner.
func fillPayee(p *views.PartnerPage, y tenants.Payee) {
	p.Payee = views.Field{Name: "payee", Label: "Payee", Value: page.Shown(y.Name, 100), Autocomplete: "name", Max: 100,
		Help: "As registered with your bank or PayPal."}
	p.By = views.Pick{Name: "by", Label: "Payment method", Choices: []views.Choice{
		page.Choice(string(tenants.PayByIBAN), "Bank transfer (IBAN)"),
		page.Choice(string(tenants.PayByPayPal), "PayPal"),
		page.Choice(string(tenants.PayByMail), "As agreed by email"),
	}}
	page.Choose(string(y.By), p.By.Choices...)
	p.Account = views.Field{Name: "account", Label: "IBAN or PayPal email", Value: page.Shown(y.Account, 254), Max: 254, Optional: true,
		Mono: true, Autocomplete: "off", Help: "Leave it empty if we agree by email."}
}

// slipOf is one month of a plan, calculated line by line by the rules of the ledger: a payment with
// 19 % tax, of which a fifth is refunded.
func slipOf(one tenants.Plan, terms tenants.Affiliate, percent string, cash func(int64) string) (name string, lines []views.SlipLine) {
	tax := one.MonthCents * 19 / 100
	back := (one.MonthCents + tax) / 5
	whole := tenants.Payment{Cents: one.MonthCents + tax, Untaxed: one.MonthCents}
	less := whole
	less.Returned = back
	first, last := terms.Commission(whole), terms.Commission(less)
	return "One month of " + one.Name + ", with 19 % tax, and one fifth refunded later", []views.SlipLine{
		{Text: "They pay", Sum: cash(whole.Cents)}, {Text: "Tax", Sum: cash(-tax), Less: true}, {Text: "Net", Sum: cash(whole.Net())},
		{Text: "Commission, " + percent, Sum: cash(first), Bold: true},
		{Text: "Refund, including tax", Sum: cash(-back), Less: true}, {Text: "Clawback", Sum: cash(last - first), Less: true},
		{Text: "You keep", Sum: cash(last), Bold: true},
	}
}

func mailPartnerLink(to, link string) notify.Mail {
	return notify.Mail{To: to, Subject: "Your Carillon partner dashboard", Text: "Hello,\n\n" +
		"To sign in to your partner dashboard, open this link:\n\n" + link + "\n\n" +
		"The link works once, within 24 hours. If you did not ask for it, you can ignore this email.\n"}
}

func mailPayee(to, base string) notify.Mail {
	return notify.Mail{To: to, Subject: "Your Carillon payout details were changed", Text: "Hello,\n\n" +
		"Your payout details were changed on your partner dashboard. If you made this change, you do not need to do anything. " +
		"If you did not, check the details here:\n\n" +
		base + views.PathPartner + "\n\nThen write to the operator of this server before the next payout.\n"}
}
