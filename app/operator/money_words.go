package operator

import (
	"cmp"
	"errors"
	"strings"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
	pages "carillon/views/operator"
)

const (
	referenceLabel = "Reference"
	referenceHelp  = "Your own name of the payment, such as the bank's. The same one again records nothing."
	paidAlready    = "A payout with this reference is recorded already. Nothing was recorded again."
	wrongReference = "Give a reference of 1 to 100 characters, such as the bank's payment number."
	wrongAmount    = "The amount is not one that this page showed. Load the page again."
)

var eventWords = page.Words{
	Name: "Stripe events", Path: pages.PathEvents, CSV: pages.PathEventsCSV, File: "stripe-events", Search: "Type, event id or object id",
	One: "event", Many: "events",
	Sorts: []page.Sort{{Key: "-received", Text: "Newest first"}, {Key: "received", Text: "Oldest first"}},
	Empty: views.Empty{Icon: views.IconBolt, Text: "No events yet. Stripe sends them to the webhook of this server."},
}

func eventStates() []views.Choice {
	return []views.Choice{{Value: "", Text: "Any state"}, {Value: string(store.EventDone), Text: "Processed"},
		{Value: string(store.EventFailed), Text: "Failed"}, {Value: string(store.EventOpen), Text: "Not processed yet"}}
}

func eventState(e store.StoredEvent) pages.State {
	switch e.State() {
	case store.EventDone:
		return pages.State{Word: "Processed", Tone: views.ToneGood, Icon: views.IconCheck}
	case store.EventFailed:
		return pages.State{Word: "Failed", Tone: views.ToneBad, Icon: views.IconWarn}
	}
	return pages.State{Word: "Not processed yet", Tone: views.ToneWarn, Icon: views.IconHourglass}
}

func eventRows(e store.StoredEvent) []views.Row {
	rows := []views.Row{{Name: "State", Text: eventState(e).Word}, {Name: "Event", Text: e.ID, Copy: true},
		{Name: "About", Text: e.Object, Copy: true}, {Name: "Received", When: at(e.ReceivedAt)}, {Name: "Tries", Text: count(e.Tries)},
		{Name: "API version", Text: e.APIVersion, Mono: true}}
	if !e.DoneAt.IsZero() {
		rows = append(rows, views.Row{Name: "Processed", When: at(e.DoneAt)})
	}
	if e.Error != "" {
		rows = append(rows, views.Row{Name: "Last error", Text: e.Error})
	}
	return rows
}

// noPayload says why a message cannot be shown.
func noPayload(err error) *views.Callout {
	var e *tenants.Error
	if errors.As(err, &e) {
		return &views.Callout{Tone: views.ToneInfo, Title: e.Msg}
	}
	return &views.Callout{Tone: views.ToneWarn, Title: "Stripe does not answer.", Cure: tryAgainLater}
}

var partnerWords = page.Words{
	Name: "Partners", Path: pages.PathPartners, CSV: pages.PathPartnersCSV, File: "partners", Search: "Name, email, code or payee",
	One: "partner", Many: "partners",
	Sorts: []page.Sort{{Key: "name", Text: "Name, A to Z"}, {Key: "-name", Text: "Name, Z to A"},
		{Key: "-payable", Text: "Most payable first"}, {Key: "-held", Text: "Most held first"},
		{Key: "-paid", Text: "Most paid first"}, {Key: "-created", Text: "Newest first"}},
	Empty: views.Empty{Icon: views.IconCard,
		Text: "No partners yet. Add one with “carillon affiliate add”, or let people join at /affiliate."},
}

// payoutWords name the file of what a partner was paid.
func payoutWords(code string) page.Words { return page.Words{Name: "Payouts", File: "payouts-" + code} }

func partnerStates() []views.Choice {
	return []views.Choice{{Value: "", Text: "All partners"}, {Value: "payable", Text: "Payable now"}}
}

var partnerOrders = map[store.Sort]func(a, b earner) int{
	"name":    func(a, b earner) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) },
	"payable": func(a, b earner) int { return cmp.Compare(a.Payable, b.Payable) },
	"held":    func(a, b earner) int { return cmp.Compare(a.Held, b.Held) },
	"paid":    func(a, b earner) int { return cmp.Compare(a.Paid, b.Paid) },
	"created": func(a, b earner) int { return a.CreatedAt.Compare(b.CreatedAt) },
}

func (k partnerPages) sums(all []earner) []views.Stat {
	var sum tenants.Balance
	stopped := 0
	for _, e := range all {
		sum.Held += e.Held
		sum.Payable += e.Payable
		sum.Paid += e.Paid
		if !e.StoppedAt.IsZero() {
			stopped++
		}
	}
	return []views.Stat{
		{Label: "Partners", Value: views.Count(len(all)), Note: views.Count(stopped) + " ended"},
		{Label: "Payable now", Value: k.cash(sum.Payable), Note: "to all partners", Href: pages.PathPartners + "?state=payable"},
		{Label: "Held", Value: k.cash(sum.Held), Note: "until the hold is over"},
		{Label: "Paid", Value: k.cash(sum.Paid), Note: "so far"},
	}
}

func (k partnerPages) balance(e earner) []views.Stat {
	return []views.Stat{{Label: "Payable now", Value: k.cash(e.Payable)}, {Label: "Held", Value: k.cash(e.Held)},
		{Label: "Paid", Value: k.cash(e.Paid)},
		{Label: "Owed by the partner", Value: k.cash(e.Owed), Note: "deducted from later commissions"}}
}

func partnerRows(e earner, brought int) []views.Row {
	rows := []views.Row{{Name: "Email", Text: e.Email, Copy: true}, {Name: "Code", Text: e.Code, Copy: true},
		{Name: "Referred", Text: views.Plural(brought, "tenant", "tenants")}, {Name: "Since", When: at(e.CreatedAt)}}
	if !e.StoppedAt.IsZero() {
		rows = append(rows, views.Row{Name: "Ended", When: at(e.StoppedAt)})
	}
	return rows
}

// payWays are the ways to pay a partner.
var payWays = map[tenants.PayBy]string{tenants.PayByIBAN: "Bank transfer (IBAN)", tenants.PayByPayPal: "PayPal",
	tenants.PayByMail: "Agree by email"}

func payeeRows(p tenants.Payee) []views.Row {
	if p.By == "" {
		return nil
	}
	rows := []views.Row{{Name: "Payee", Text: p.Name, Own: true}, {Name: "By", Text: payWays[p.By]}}
	if p.Account != "" {
		rows = append(rows, views.Row{Name: "Account", Text: p.Account, Copy: true})
	}
	return rows
}
