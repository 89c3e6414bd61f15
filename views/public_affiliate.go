package views

// SlipLine is one line of the calculated example.
type SlipLine struct {
	Text string
	Sum  string
	Less bool // deducted
	Bold bool // a result
}

// EarnRow is what a partner earns with one plan.
type EarnRow struct {
	Plan  string // "Growth"
	Price string // "$499"
	Month string // "$109.78"
	Whole string // in all months together: "$1,317.36"
	Year  string // with a yearly payment
}

// AffiliatePage says what partners earn on this server. The figures come from its plans file.
type AffiliatePage struct {
	Front    Front
	None     bool // this server has no partners: its plans file says so
	Off      bool // no mail leaves this server: nobody can become a partner
	NoStripe bool // this server takes no payments
	SignedIn bool // the visitor is a signed-in partner
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
	return "Refer teams whose agents need to ring iPhones. From their first payment, you earn a share of every bill."
}

// steps are how the programme works, in order.
func (p AffiliatePage) steps() []Row {
	how := "They open your link, or enter your code when they start a trial. The first partner’s link counts for " + p.Cookie +
		"; a later one does not replace it."
	if p.Cookie == "" {
		how = "They enter your code when they start a trial."
	}
	return []Row{
		{Name: "You share a link", Text: how},
		{Name: "They subscribe", Text: "The trial earns no commission. Their first payment starts your " + p.Months +
			", and each payment in that time earns " + p.Percent + " of the net amount."},
		{Name: "You are paid", Text: "A commission is held for " + p.Hold +
			" after the payment, then it is payable. The operator of this server pays you and records it on your dashboard."},
	}
}

// asks are questions about being a partner.
func (p AffiliatePage) asks() []Row {
	return []Row{
		{Name: "What is net?", Text: "The amount received through Stripe after discounts, without tax, refunds and chargebacks. " +
			"Fractions of a cent are rounded down."},
		{Name: "What happens on a refund or a dispute?", Text: "The commission on that payment is reversed with a new line in the " +
			"ledger. If it was already paid out, it is deducted from your next commissions. If the dispute is won, it is added again."},
		{Name: "Can I refer myself?", Text: "No. You earn no commission on a trial with your own email, company, account or card, even " +
			"if this is found later. For public email domains, only your own address counts as yours."},
		{Name: "What do I see about my customers?", Text: "You see that a customer started a trial, when they pay and your commission. " +
			"You do not see who they are."},
		{Name: "How am I paid?", Text: "Outside Carillon, by bank transfer, PayPal or as agreed by email. You enter your payout details " +
			"on your dashboard. You pay your own taxes."},
		{Name: "Can the terms change?", Text: "Only for new customers. For each customer, the terms on the day the trial started apply."},
	}
}

// PartnerSentPage says the same to everyone who asked for a link.
type PartnerSentPage struct {
	Front Front
	Email string
	Link  string // dev mode: the link in the mail
}

// PartnerEnterPage is the page that the link in the mail opens.
type PartnerEnterPage struct {
	Front   Front
	Gone    bool
	Email   string
	Action  string
	Account string // the signed-in console account that opens the dashboard from now on; empty = none
}
