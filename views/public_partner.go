package views

// PartnerCustomer is a customer of a partner, without a name.
type PartnerCustomer struct {
	Name   string // "Customer 3f2a91"
	Began  Time
	State  string // "Not paying yet"
	Until  Time   // their payments earn until then
	Tone   Tone
	Icon   Icon
	Earned string
}

// PartnerLine is one line of the ledger.
type PartnerLine struct {
	At       Time
	Text     string // "Commission", "Clawback"
	Customer string
	Sum      string
	Less     bool
	State    string
	Tone     Tone
	Icon     Icon
	Payable  Time // from when, while it is held
}

// PartnerPayout is a payment to the partner.
type PartnerPayout struct {
	At        Time
	Sum       string
	Reference string
}

// PartnerPage is the partner dashboard.
type PartnerPage struct {
	Front                  Front
	Name                   string
	Email                  string
	Code                   string
	Link                   string // whole address
	Stopped                bool
	NoStripe               bool
	Note                   string            // shown once after a change
	Counts                 []Stat            // clicks, trials, paying
	Sums                   []Stat            // held, payable, paid
	Owed                   string            // refunded after it was paid out; empty = nothing
	Customers              []PartnerCustomer // the newest
	Lines                  []PartnerLine     // the newest
	AllCustomers, AllLines int
	Payouts                []PartnerPayout
	Hold                   string // "30 days"
	Payee                  Field
	By                     Pick
	Account                Field
	Error                  string
	Unsaid                 bool // the payout details are missing
}

// PartnerListPage is one list of a partner, whole: customers or ledger.
type PartnerListPage struct {
	Front     Front
	Name      string // of the partner
	Title     string
	Table     Table
	Customers []PartnerCustomer
	Lines     []PartnerLine
}

// shownOf says how many of all rows a short list shows.
func shownOf(shown, all int, many string) string {
	if shown == all {
		return ""
	}
	return "The newest " + Count(shown) + " of " + Count(all) + " " + many
}
