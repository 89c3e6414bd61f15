package site

import (
	"cmp"
	"context"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// referred is a customer of a partner, as the partner sees it.
type referred struct {
	tenants.Referral
	earned int64
	row    views.PartnerCustomer
}

var customerOrders = map[store.Sort]func(a, b referred) int{
	"created": func(a, b referred) int { return a.CreatedAt.Compare(b.CreatedAt) },
	"name":    func(a, b referred) int { return strings.Compare(a.row.Name, b.row.Name) },
	"state":   func(a, b referred) int { return strings.Compare(a.row.State, b.row.State) },
	"earned":  func(a, b referred) int { return cmp.Compare(a.earned, b.earned) },
}

var entryOrders = map[store.Sort]func(a, b tenants.Entry) int{
	"created": func(a, b tenants.Entry) int { return a.CreatedAt.Compare(b.CreatedAt) },
	"sum":     func(a, b tenants.Entry) int { return cmp.Compare(a.Cents, b.Cents) },
}

// customers are all whom a partner referred, newest first.
func (s *partners) customers(ctx context.Context, who tenants.PartnerID, lines []tenants.Entry) ([]referred, error) {
	brought, err := s.Store.Ledger().Referrals(ctx, who)
	if err != nil {
		return nil, err
	}
	paid, err := s.Store.Ledger().Payments(ctx, who)
	if err != nil {
		return nil, err
	}
	earned := map[tenants.ReferralID]int64{}
	for _, e := range lines {
		earned[e.Referral] += e.Cents
	}
	all := make([]referred, len(brought))
	for i, r := range brought {
		row := customerOver
		switch until := r.Until(paid[r.ID]); {
		case r.Refused != "":
			row = customerRefused
		case until.IsZero():
			row = customerNew
		case s.Now().Before(until):
			row = customerEarns
			row.Until = dated(until)
		}
		row.Name, row.Began, row.Earned = nameless(r.ID), dated(r.CreatedAt), s.cash(earned[r.ID])
		all[i] = referred{r, earned[r.ID], row}
	}
	return all, nil
}

// customerList is the customers that the search of q leaves.
func (s *partners) customerList(ctx context.Context, who tenants.Partner, q *page.Query) (l page.List[referred], err error) {
	lines, err := s.Store.Ledger().Entries(ctx, who.ID)
	if err != nil {
		return l, err
	}
	all, err := s.customers(ctx, who.ID, lines)
	found := matching(all, q.Text("q"), func(r referred) []string { return []string{r.row.Name, r.row.State} })
	return page.List[referred]{
		Words: customerWords, Find: page.InMemory(found, customerOrders), Total: totalOf(found),
		Head: []string{"customer", "trial_started_at", "state", "earned", "currency"},
		Cells: page.Each(func(r referred) []string {
			return []string{string(r.ID), page.Stamp(r.CreatedAt), r.row.State, tenants.FormatCents(r.earned), s.Store.Plans().Currency}
		}),
	}, err
}

// ledgerList is the entries that the search of q leaves.
func (s *partners) ledgerList(ctx context.Context, who tenants.Partner, q *page.Query) (l page.List[tenants.Entry], err error) {
	lines, err := s.Store.Ledger().Entries(ctx, who.ID)
	if err != nil {
		return l, err
	}
	payouts, err := s.Store.Ledger().Payouts(ctx, who.ID)
	if err != nil {
		return l, err
	}
	reference := map[tenants.PayoutID]string{}
	for _, o := range payouts {
		reference[o.ID] = o.Reference
	}
	currency, now := s.Store.Plans().Currency, s.Now()
	found := matching(newestFirst(lines), q.Text("q"), func(e tenants.Entry) []string {
		return []string{nameless(e.Referral), entryWords[e.Kind], entryStates[e.State(now)].State, reference[e.Payout]}
	})
	return page.List[tenants.Entry]{
		Words: ledgerWords, Find: page.InMemory(found, entryOrders), Total: totalOf(found),
		Head: []string{"at", "line", "customer", "sum", "currency", "state", "payable_at", "payout"},
		Cells: page.Each(func(e tenants.Entry) []string {
			return []string{page.Stamp(e.CreatedAt), entryWords[e.Kind], string(e.Referral), tenants.FormatCents(e.Cents), currency,
				string(e.State(now)), page.Stamp(e.PayableAt), reference[e.Payout]}
		}),
	}, nil
}

// matching leaves the rows that have what was searched for in one of their words.
func matching[T any](all []T, search string, words func(T) []string) []T {
	search = strings.ToLower(search)
	found := []T{}
	for _, x := range all {
		if strings.Contains(strings.ToLower(strings.Join(words(x), "\n")), search) {
			found = append(found, x)
		}
	}
	return found
}

func totalOf[T any](all []T) func(context.Context, store.Page) (store.Total, error) {
	return func(context.Context, store.Page) (store.Total, error) { return store.Total{N: int64(len(all))}, nil }
}

// listPage is the page around a list of a partner.
func (s *partners) listPage(ctx context.Context, c *fiber.Ctx, who tenants.Partner, h heading, t views.Table) views.PartnerListPage {
	p := views.PartnerListPage{Front: s.front(ctx, c, h), Name: who.Name, Title: t.Name, Table: t}
	p.Front.Hidden = true
	return p
}

func (s *partners) allCustomers(ctx context.Context, c *fiber.Ctx) error {
	return s.asPartner(ctx, c, func(who tenants.Partner) error {
		q := page.QueryOf(c)
		l, err := s.customerList(ctx, who, q)
		if err != nil {
			return err
		}
		rows, table, err := l.Page(ctx, q)
		if err != nil {
			return err
		}
		p := s.listPage(ctx, c, who, customersHeading, table)
		for _, r := range rows {
			p.Customers = append(p.Customers, r.row)
		}
		return web.Page(c, views.PartnerList(p), fiber.StatusOK)
	})
}

func (s *partners) customersCSV(ctx context.Context, c *fiber.Ctx) error {
	return s.asPartner(ctx, c, func(who tenants.Partner) error {
		q := page.QueryOf(c)
		l, err := s.customerList(ctx, who, q)
		if err != nil {
			return err
		}
		return l.Send(ctx, c, s.Common, q)
	})
}

func (s *partners) ledger(ctx context.Context, c *fiber.Ctx) error {
	return s.asPartner(ctx, c, func(who tenants.Partner) error {
		q := page.QueryOf(c)
		l, err := s.ledgerList(ctx, who, q)
		if err != nil {
			return err
		}
		rows, table, err := l.Page(ctx, q)
		if err != nil {
			return err
		}
		p := s.listPage(ctx, c, who, ledgerHeading, table)
		p.Lines = s.linesOf(rows)
		return web.Page(c, views.PartnerList(p), fiber.StatusOK)
	})
}

// ledgerCSV is the ledger as a file.
func (s *partners) ledgerCSV(ctx context.Context, c *fiber.Ctx) error {
	return s.asPartner(ctx, c, func(who tenants.Partner) error {
		q := page.QueryOf(c)
		l, err := s.ledgerList(ctx, who, q)
		if err != nil {
			return err
		}
		return l.Send(ctx, c, s.Common, q)
	})
}
