package views

import "time"

func (s sampler) partnerPages() []Sample {
	front := s.front("Partners", PathAffiliate)
	full := AffiliatePage{
		Front: front, Percent: "22 %", Months: "12 months", Cookie: "60 days", Hold: "30 days",
		SlipName: "One month of Growth, with 19 % tax, and a fifth refunded later",
		Slip: []SlipLine{
			{"They pay", "$593.81", false, false}, {"Tax", "−$94.81", true, false}, {"Net", "$499.00", false, false},
			{"Commission, 22 %", "$109.78", false, true},
			{"Refund, including tax", "−$118.76", true, false}, {"Clawback", "−$21.96", true, false}, {"You keep", "$87.82", false, true},
		},
		Earns: []EarnRow{{"Starter", "$149", "$32.78", "$393.36", "$327.80"}, {"Growth", "$499", "$109.78", "$1,317.36", "$1,097.80"},
			{"Scale", "$1,499", "$329.78", "$3,957.36", "$3,297.80"}},
		Name:  Field{Name: "name", Label: "Your name", Autocomplete: "name", Max: 80},
		Email: Field{Name: "email", Label: "Mail", Type: "email", Autocomplete: "email", Max: 254},
	}
	wrong, poor, none, in := full, full, AffiliatePage{Front: front, None: true}, full
	wrong.Error, wrong.Email.Error = "Please correct the fields below.", "Enter an email address, such as you@example.com."
	poor.Off, poor.NoStripe, poor.Cookie = true, true, ""
	in.SignedIn = true
	enter := PartnerEnterPage{Front: front, Email: "ana@partner.example", Action: PartnerEnterPath("x")}
	both := enter
	both.Account = "Ana Ruiz"
	return append([]Sample{
		{"affiliate", Affiliate(full)}, {"affiliate-wrong", Affiliate(wrong)}, {"affiliate-no-money", Affiliate(poor)},
		{"affiliate-none", Affiliate(none)}, {"affiliate-in", Affiliate(in)},
		{"partner-sent", PartnerSent(PartnerSentPage{front, "ana@partner.example", ""})},
		{"partner-sent-dev", PartnerSent(PartnerSentPage{front, "ana@partner.example", PartnerEnterPath("x")})},
		{"partner-enter", PartnerEnter(enter)}, {"partner-enter-account", PartnerEnter(both)},
		{"partner-gone", PartnerEnter(PartnerEnterPage{Front: front, Gone: true})},
	}, s.partnerRooms()...)
}

func (s sampler) partnerRooms() []Sample {
	at := func(days int) Time { return At(s.now.AddDate(0, 0, -days), time.UTC) }
	empty := PartnerPage{
		Front: s.front("Your partner dashboard", PathPartner), Name: "Ana Ruiz", Email: "ana@partner.example", Code: "KMPR72XW",
		Link: "https://ring.example/r/KMPR72XW", Hold: "30 days", Unsaid: true, NoStripe: true,
		Sums: []Stat{{Label: "Held", Value: "$0.00", Note: "for 30 days after each payment"},
			{Label: "Payable", Value: "$0.00", Note: "goes into the next payout"},
			{Label: "Paid", Value: "$0.00", Note: "sent to you so far"}},
		Counts: []Stat{{Label: "Clicks", Value: "0"}, {Label: "Trials", Value: "0"}, {Label: "Paying customers", Value: "0"}},
		Payee:  Field{Name: "payee", Label: "Payee", Max: 100, Help: "As registered with your bank or PayPal."},
		By: Pick{Name: "by", Label: "By", Choices: []Choice{{"iban", "Bank transfer (IBAN)", true}, {"paypal", "PayPal", false},
			{"mail", "As agreed by email", false}}},
		Account: Field{Name: "account", Label: "IBAN or PayPal email", Max: 254, Optional: true, Mono: true,
			Help: "Leave empty if we agree by email."},
	}
	full := empty
	full.Unsaid, full.NoStripe, full.Note, full.Owed = false, false, "Saved.", "$32.78"
	full.AllCustomers, full.AllLines = 57, 132
	full.Sums = []Stat{{Label: "Held", Value: "$109.78", Note: "for 30 days after each payment"},
		{Label: "Payable", Value: "$0.00", Note: "goes into the next payout"},
		{Label: "Paid", Value: "$1,284.58", Note: "sent to you so far"}}
	full.Counts = []Stat{{Label: "Clicks", Value: "1,204", Note: "last 30 days", Days: []int{3, 5, 2, 8, 13, 4, 0, 6, 9, 12, 20, 7}},
		{Label: "Trials", Value: "9", Note: "began by your link or code"},
		{Label: "Paying customers", Value: "4", Note: "paid at least once"}}
	full.Payee.Value, full.Account.Value = "Ana Ruiz", "DE89370400440532013000"
	full.Customers = []PartnerCustomer{
		{"Customer 3f2a91", at(3), "Not paying yet", Time{}, ToneNeutral, IconHourglass, "$0.00"},
		{"Customer 77c0d2", at(40), "Earns", at(-325), ToneGood, IconCheck, "$109.78"},
		{"Customer 0b51ee", at(420), "Period ended", Time{}, ToneNeutral, IconDone, "$1,317.36"},
		{"Customer 9911ac", at(9), "Your own account, no commission", Time{}, ToneWarn, IconBan, "$0.00"},
	}
	full.Lines = []PartnerLine{
		{at(2), "Commission", "Customer 77c0d2", "$109.78", false, "Held", ToneNeutral, IconHourglass, at(-28)},
		{at(8), "Clawback", "Customer 0b51ee", "−$32.78", true, "Open", ToneInfo, IconClock, Time{}},
		{at(12), "Restored", "Customer 0b51ee", "$109.78", false, "Paid", ToneGood, IconDone, Time{}},
		{at(60), "Commission", "Customer 0b51ee", "$109.78", false, "Paid", ToneGood, IconDone, Time{}},
	}
	full.Payouts = []PartnerPayout{{at(11), "$219.56", "SEPA 2026-11-12"}, {at(44), "$1,065.02", "SEPA 2026-10-10"}}
	wrong := full
	wrong.Error, wrong.Account.Error, wrong.Stopped, wrong.Note = "Please correct the fields below.",
		"This is no IBAN; look for a mistyped digit.", true, ""
	list := func(name, path, csv string, rows int) Table {
		return Table{Name: name, Action: path, Rows: rows, Search: "Search", CSV: csv, Total: "1–4 of 57", Older: path + "?after=50"}
	}
	front := s.front("Your partner dashboard", PathPartner)
	return []Sample{{"partner-empty", Partner(empty)}, {"partner", Partner(full)}, {"partner-wrong", Partner(wrong)},
		{"partner-customers", PartnerList(PartnerListPage{Front: front, Name: full.Name, Title: "Your customers", Customers: full.Customers,
			Table: list("Your customers", PathPartnerCustomers, PathPartnerCustomersCSV, len(full.Customers))})},
		{"partner-ledger", PartnerList(PartnerListPage{Front: front, Name: full.Name, Title: "Ledger", Lines: full.Lines,
			Table: list("Ledger", PathPartnerLedger, PathPartnerCSV, len(full.Lines))})}}
}
