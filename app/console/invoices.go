package console

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/billing"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// Stripe searches and sorts no invoices of a customer by what people look for. A tenant gets one a
// month and some for changes, so all of them are read for the list.
const (
	billsMost  = 1000             // 10 reads; no tenant comes near it
	billsWhole = 10 * time.Second // how long all reads together may take
)

// allBills reads the tenant's invoices, the latest first. more is true where there are older ones
// than billsMost.
func (k billingPages) allBills(ctx context.Context, v *page.Visitor) (all []billing.Invoice, more bool, err error) {
	soon, cancel := context.WithTimeout(ctx, billsWhole)
	defer cancel()
	for after := ""; ; {
		bills, next, err := k.Billing.Invoices(soon, buyerOf(v), after, billsPerRead)
		if err != nil {
			return nil, false, err
		}
		if all = append(all, bills...); next == "" || len(all) >= billsMost {
			return all, next != "", nil
		}
		after = next
	}
}

var billOrders = map[store.Sort]func(a, b billing.Invoice) int{
	"created": func(a, b billing.Invoice) int { return a.At.Compare(b.At) },
	"number":  func(a, b billing.Invoice) int { return strings.Compare(a.Number, b.Number) },
	"total":   func(a, b billing.Invoice) int { return cmp.Compare(a.Cents, b.Cents) },
}

// billStates are the words of the filter by what billState says.
var billStates = map[string]string{"paid": "Paid", "open": "Open", "unpaid": "Not paid"}

// foundBills are the invoices that the search and filters of q leave.
func (k billingPages) foundBills(v *page.Visitor, q *page.Query, all []billing.Invoice) []billing.Invoice {
	search, state := strings.ToLower(q.Text("q")), q.OneOf("state", "paid", "open", "unpaid")
	from, to := q.Span(v, k.Now())
	found := make([]billing.Invoice, 0, len(all))
	for _, b := range all {
		_, word := billState(b)
		text := strings.ToLower(b.Number + "\n" + page.Money(b.Cents, b.Currency) + "\n" + tenants.FormatCents(b.Cents) + "\n" + b.Currency)
		switch {
		case state != "" && word != billStates[state], !strings.Contains(text, search),
			!from.IsZero() && b.At.Before(from), !to.IsZero() && !b.At.Before(to):
		default:
			found = append(found, b)
		}
	}
	return found
}

// billList is the list of the found invoices.
func (k billingPages) billList(v *page.Visitor, found []billing.Invoice) page.List[billing.Invoice] {
	return page.List[billing.Invoice]{
		Words: invoiceWords, Keeper: v.Keeper(), Find: page.InMemory(found, billOrders),
		Total: func(context.Context, store.Page) (store.Total, error) { return store.Total{N: int64(len(found))}, nil },
		Head:  []string{"number", "date", "state", "total", "currency", "page"},
		Cells: page.Each(func(b billing.Invoice) []string {
			_, word := billState(b)
			return []string{b.Number, page.Stamp(b.At), word, tenants.FormatCents(b.Cents), b.Currency, b.URL}
		}),
	}
}

// invoiceList is the page of all invoices.
func (k billingPages) invoiceList(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	q := page.QueryOf(c)
	all, more, err := k.allBills(ctx, v)
	if err != nil {
		return err
	}
	found := k.foundBills(v, q, all)
	rows, table, err := k.billList(v, found).Page(ctx, q, views.Filter{Name: "state", Label: "State", Choices: q.Chosen("state",
		page.Choice("", "Any state"), page.Choice("paid", billStates["paid"]), page.Choice("open", billStates["open"]),
		page.Choice("unpaid", billStates["unpaid"]))}, q.Periods())
	if err != nil {
		return err
	}
	p := views.InvoicesPage{Table: table, Sums: billSums(found), Rows: mapped(rows, func(b billing.Invoice) views.InvoiceRow {
		return invoiceRow(v, b)
	})}
	if more {
		p.Note = olderInvoices
	}
	if p.Shell, err = k.shell(ctx, c, v, at("Invoices", views.NavBilling, up("Billing", views.PathBilling))); err != nil {
		return err
	}
	return web.Page(c, views.Invoices(p), fiber.StatusOK)
}

// billSums adds up what is found, by state and currency.
func billSums(found []billing.Invoice) (out []views.Row) {
	type sum struct{ word, currency string }
	cents, many := map[sum]int64{}, map[sum]int{}
	var order []sum
	for _, b := range found {
		_, word := billState(b)
		s := sum{word, b.Currency}
		if many[s] == 0 {
			order = append(order, s)
		}
		cents[s] += b.Cents
		many[s]++
	}
	for _, s := range order {
		out = append(out, views.Row{Name: s.word, Text: page.Money(cents[s], s.currency) + ", " +
			views.Plural(many[s], "invoice", "invoices")})
	}
	return out
}

func invoiceRow(v *page.Visitor, b billing.Invoice) views.InvoiceRow {
	tone, word := billState(b)
	return views.InvoiceRow{Number: b.Number, When: views.OnDay(b.At, v.Zone), Amount: page.Money(b.Cents, b.Currency), Tone: tone,
		Word: word, Href: b.URL}
}

// invoicesCSV is the invoices that the search leaves, as a file.
func (k billingPages) invoicesCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	q := page.QueryOf(c)
	all, more, err := k.allBills(ctx, v)
	if err != nil {
		return err
	}
	if more {
		return tenants.Refuse(tenants.TooLarge, "too_large", manyInvoices)
	}
	return k.billList(v, k.foundBills(v, q, all)).Send(ctx, c, k.Common, q)
}
