package views

// PartnerCustomer is somebody whom a partner brought: never who.
type PartnerCustomer struct {
	Name   string // "Customer 3f2a91"
	Began  Time
	State  string // "In trial, or not subscribed"
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

// PartnerPayout is money that was sent.
type PartnerPayout struct {
	At        Time
	Sum       string
	Reference string
}

// PartnerPage is a partner's room.
type PartnerPage struct {
	Front     Front
	Name      string
	Email     string
	Code      string
	Link      string // whole address
	Stopped   bool
	NoStripe  bool
	Note      string // said once after a change
	Counts    []Stat // clicks, trials, paying
	Sums      []Stat // held, payable, paid
	Owed      string // returned after it was paid out; empty = nothing
	Customers []PartnerCustomer
	Lines     []PartnerLine
	Left      string // how many lines only the file has; empty = none
	Payouts   []PartnerPayout
	Hold      string // "30 days"
	Payee     Field
	By        Pick
	Account   Field
	Error     string
	Unsaid    bool // nobody knows yet how to pay them
}

func (p PartnerPage) linesTotal() string {
	if p.Left == "" {
		return ""
	}
	return p.Left + " older lines are in the file."
}
