package views

// SlipLine is one line of a reckoning.
type SlipLine struct {
	Text string
	Sum  string
	Less bool // taken off
	Bold bool // a result
}

// EarnRow is what a plan brings a partner.
type EarnRow struct {
	Plan  string // "Growth"
	Price string // "$499"
	Month string // "$109.78"
	Whole string // of the whole time: "$1,317.36"
	Year  string // of a year that is paid at once
}

// AffiliatePage says what partners earn on this server, by its plans file.
type AffiliatePage struct {
	Front    Front
	None     bool // this server has no partners: its plans file says so
	Off      bool // no mail leaves this server: nobody can become a partner
	NoStripe bool // nobody takes money here yet
	Room     bool // whoever looks is a partner and signed in
	Percent  string
	Months   string // "12 months"
	Cookie   string // "60 days"; empty = only a typed code counts
	Hold     string // "30 days"
	Slip     []SlipLine
	SlipName string
	Earns    []EarnRow
	Name     Field
	Email    Field
	Error    string
}

func (p AffiliatePage) title() string {
	if p.None {
		return "This server has no partner programme."
	}
	return p.Percent + " of what they pay, for " + p.Months + "."
}

func (p AffiliatePage) lead() string {
	if p.None {
		return "The operator has turned the partner programme off."
	}
	return "Bring a team whose agents should ring iPhones. From their first payment on you earn a share of every bill, shown to the cent."
}

// steps are how it goes.
func (p AffiliatePage) steps() []Row {
	how := "They follow your link, or type your code when they start a trial. The first partner’s link counts for " + p.Cookie + "; a later one does not replace it."
	if p.Cookie == "" {
		how = "They type your code when they start a trial."
	}
	return []Row{
		{Name: "You share a link", Text: how},
		{Name: "They try, and pay", Text: "The trial earns nothing. Their first payment begins your " + p.Months + ", and each payment in that time earns " + p.Percent + " of its net."},
		{Name: "You are paid", Text: "A commission is held for " + p.Hold + " after the payment, then it is payable. The operator of this server pays you and records it on your dashboard."},
	}
}

// asks are questions about being a partner.
func (p AffiliatePage) asks() []Row {
	return []Row{
		{Name: "What is net?", Text: "What arrived through Stripe after discounts, without tax and without what was refunded or taken back by a bank. Fractions of a cent are rounded down."},
		{Name: "What happens on a refund or a dispute?", Text: "The commission of that money is taken back by a line of its own; nothing is ever rewritten. If it was paid out already, it goes against your next commissions. When a dispute is won, it comes back."},
		{Name: "May I bring myself?", Text: "No. A trial of your own address or company earns nothing, nor does one that your account owns or that pays by a card of yours, also when that shows later. Where strangers share a mail domain, only your own address counts as yours."},
		{Name: "What do I see of whom I bring?", Text: "That a customer began a trial, when they pay, and what it earns you. Never who they are."},
		{Name: "How am I paid?", Text: "Outside of Carillon: by bank transfer, PayPal, or as you agree by mail. You enter your payout details on your dashboard. Your tax is yours to declare."},
		{Name: "Can the terms change?", Text: "For whom you bring later. A customer earns you by the terms of the day on which their trial began."},
	}
}

// PartnerSentPage says the same to whoever asked for a link.
type PartnerSentPage struct {
	Front Front
	Email string
	Link  string // dev mode: what the mail holds
}

// PartnerEnterPage is where the link in the mail leads.
type PartnerEnterPage struct {
	Front  Front
	Gone   bool
	Email  string
	Action string
	Room   string // of the account that is signed in here and opens the room from now on; empty = none
}
