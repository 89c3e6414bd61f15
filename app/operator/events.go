package operator

import (
	"context"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
	pages "carillon/views/operator"
)

// eventPages serve the messages of Stripe. They are there where the server takes money.
type eventPages struct{ *Console }

func (k eventPages) list(q *page.Query) page.List[store.StoredEvent] {
	state := store.EventState(q.OneOf("state", string(store.EventDone), string(store.EventFailed), string(store.EventOpen)))
	return page.List[store.StoredEvent]{Words: eventWords,
		Find: func(ctx context.Context, p store.Page) ([]store.StoredEvent, string, error) {
			return k.Store.StripeEvents().List(ctx, state, p)
		},
		Total: func(ctx context.Context, p store.Page) (store.Total, error) {
			return k.Store.StripeEvents().Total(ctx, state, p)
		},
		Head: []string{"id", "type", "object", "state", "tries", "error", "received_at", "done_at"},
		Cells: page.Each(func(e store.StoredEvent) []string {
			return []string{e.ID, e.Type, e.Object, string(e.State()), plain(e.Tries), e.Error, page.Stamp(e.ReceivedAt),
				page.Stamp(e.DoneAt)}
		})}
}

func (k eventPages) events(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	q := page.QueryOf(c)
	states := views.Filter{Name: "state", Label: stateLabel, Choices: q.Chosen("state", eventStates()...)}
	rows, table, err := k.list(q).Page(ctx, q, states)
	if err != nil {
		return err
	}
	p := pages.EventsPage{Shell: k.shell(c, v, eventWords.Name, pages.NavEvents), Table: table}
	for _, e := range rows {
		p.Rows = append(p.Rows, pages.EventRow{ID: e.ID, Type: e.Type, Object: e.Object, At: at(e.ReceivedAt), State: eventState(e),
			Tries: count(e.Tries), Error: e.Error})
	}
	return web.Page(c, pages.Events(p), fiber.StatusOK)
}

func (k eventPages) csv(ctx context.Context, c *fiber.Ctx, _ *visitor) error {
	q := page.QueryOf(c)
	return k.list(q).Send(ctx, c, k.Common, q)
}

func (k eventPages) event(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	e, err := k.Store.StripeEvents().Get(ctx, page.Clip(web.Param(c, "id"), 255))
	if err != nil {
		return err
	}
	p := pages.EventPage{Shell: k.shell(c, v, e.Type, pages.NavEvents, up(eventWords.Name, pages.PathEvents)), ID: e.ID,
		Facts: eventRows(e)}
	p.Payload, err = k.Billing.Payload(ctx, e.ID)
	if err != nil {
		p.Notice = noPayload(err)
	}
	return web.Page(c, pages.Event(p), fiber.StatusOK)
}

// replay has an event processed again. The entry in the record is written first and says that it
// was asked for: how it ended is on the page of the event.
func (k eventPages) replay(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	e, err := k.Store.StripeEvents().Get(ctx, page.Clip(web.Param(c, "id"), 255))
	if err != nil {
		return err
	}
	if err := k.Store.Operators().Record(ctx, v.who, "stripe.replay", e.ID, e.Type, e.Object, false); err != nil {
		return err
	}
	if err := k.Billing.Replay(ctx, e.ID); err != nil {
		return err
	}
	return k.Done(c, page.FlashReplayed, pages.EventPath(e.ID))
}

// partnerPages serve partners and what they are paid.
type partnerPages struct{ *Console }

// earner is a partner with the sums of their ledger.
type earner struct {
	tenants.Partner
	tenants.Balance
	lines []tenants.Entry
}

func (k partnerPages) earner(ctx context.Context, p tenants.Partner, now time.Time) (earner, error) {
	lines, err := k.Store.Ledger().Entries(ctx, p.ID)
	return earner{p, tenants.BalanceOf(lines, now), lines}, err
}

func (k partnerPages) all(ctx context.Context) (out []earner, err error) {
	found, err := k.Store.Partners().List(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range found {
		e, err := k.earner(ctx, p, k.Now())
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	slices.SortStableFunc(out, partnerOrders["name"])
	return out, nil
}

func (k partnerPages) list(all []earner, q *page.Query) page.List[earner] {
	found := []earner{}
	words := func(e earner) []string { return []string{e.Name, e.Email, e.Code, e.Payee.Name} }
	for _, e := range matching(all, q.Text("q"), words) {
		if q.OneOf("state", "payable") == "" || e.Payable > 0 {
			found = append(found, e)
		}
	}
	currency := k.Store.Plans().Currency
	return page.List[earner]{Words: partnerWords, Find: page.InMemory(found, partnerOrders), Total: totalOf(found),
		Head: []string{"code", "partner", "mail", "payee", "by", "account", "held", "payable", "paid", "currency", "created_at",
			"stopped_at"},
		Cells: page.Each(func(e earner) []string {
			return []string{e.Code, e.Name, e.Email, e.Payee.Name, string(e.Payee.By), e.Payee.Account, tenants.FormatCents(e.Held),
				tenants.FormatCents(e.Payable), tenants.FormatCents(e.Paid), currency, page.Stamp(e.CreatedAt), page.Stamp(e.StoppedAt)}
		})}
}

func (k partnerPages) partners(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	q := page.QueryOf(c)
	all, err := k.all(ctx)
	if err != nil {
		return err
	}
	rows, table, err := k.list(all, q).Page(ctx, q, filtered(all, "state", stateLabel, q.Chosen("state", partnerStates()...))...)
	if err != nil {
		return err
	}
	p := pages.PartnersPage{Shell: k.shell(c, v, partnerWords.Name, pages.NavPartners), Table: table, Stats: k.sums(all)}
	for _, e := range rows {
		p.Rows = append(p.Rows, pages.PartnerRow{ID: string(e.ID), Name: e.Name, Email: e.Email, Code: e.Code,
			Stopped: !e.StoppedAt.IsZero(), Held: k.cash(e.Held), Payable: k.cash(e.Payable), Paid: k.cash(e.Paid),
			Owed: e.Payable > 0, Since: at(e.CreatedAt)})
	}
	return web.Page(c, pages.Partners(p), fiber.StatusOK)
}

func (k partnerPages) cash(cents int64) string { return page.Cents2(cents, k.Store.Plans().Currency) }

func (k partnerPages) csv(ctx context.Context, c *fiber.Ctx, _ *visitor) error {
	q := page.QueryOf(c)
	all, err := k.all(ctx)
	if err != nil {
		return err
	}
	return k.list(all, q).Send(ctx, c, k.Common, q)
}

func (k partnerPages) one(ctx context.Context, c *fiber.Ctx) (earner, error) {
	id, err := web.ID[tenants.PartnerID](c, "partner")
	if err != nil {
		return earner{}, err
	}
	p, err := k.Store.Partners().Get(ctx, id)
	if err != nil {
		return earner{}, err
	}
	return k.earner(ctx, p, k.Now())
}

func (k partnerPages) partner(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	return k.show(ctx, c, v, "", "", fiber.StatusOK)
}

func (k partnerPages) show(ctx context.Context, c *fiber.Ctx, v *visitor, reference, fault string, status int) error {
	e, err := k.one(ctx, c)
	if err != nil {
		return err
	}
	paid, err := k.Store.Ledger().Payouts(ctx, e.ID)
	if err != nil {
		return err
	}
	brought, err := k.Store.Ledger().Referrals(ctx, e.ID)
	if err != nil {
		return err
	}
	p := pages.PartnerPage{Shell: k.shell(c, v, e.Name, pages.NavPartners, up(partnerWords.Name, pages.PathPartners)), ID: string(e.ID),
		Stats: k.balance(e), Facts: partnerRows(e, len(brought)), Payee: payeeRows(e.Payee), Error: fault,
		Reference: views.Field{Name: "reference", Label: referenceLabel, Help: referenceHelp, Value: reference, Max: 100}}
	if e.Payable > 0 {
		p.Payable, p.Amount = k.cash(e.Payable), tenants.FormatCents(e.Payable)
	}
	var sum int64
	for _, o := range paid {
		sum += o.Cents
		p.Payouts = append(p.Payouts, pages.PayoutRow{At: at(o.CreatedAt), Reference: o.Reference, Amount: k.cash(o.Cents)})
	}
	p.Paid = k.cash(sum)
	return web.Page(c, pages.Partner(p), status)
}

// payoutsCSV is the payouts of a partner as a file, the newest first.
func (k partnerPages) payoutsCSV(ctx context.Context, c *fiber.Ctx, _ *visitor) error {
	e, err := k.one(ctx, c)
	if err != nil {
		return err
	}
	paid, err := k.Store.Ledger().Payouts(ctx, e.ID)
	if err != nil {
		return err
	}
	currency := k.Store.Plans().Currency
	l := page.List[tenants.Payout]{Words: payoutWords(e.Code), Find: page.InMemory(paid, nil),
		Head: []string{"id", "partner", "code", "reference", "amount", "currency", "paid_at"},
		Cells: page.Each(func(o tenants.Payout) []string {
			return []string{string(o.ID), e.Name, e.Code, o.Reference, tenants.FormatCents(o.Cents), currency, page.Stamp(o.CreatedAt)}
		})}
	return l.Send(ctx, c, k.Common, page.QueryOf(c))
}

// paid records a payout of what the page showed. Where another sum is payable now, nothing is
// recorded.
func (k partnerPages) paid(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	e, err := k.one(ctx, c)
	if err != nil {
		return err
	}
	f := page.FormOf(c)
	reference := f.Text("reference")
	again := func(fault string, status int) error {
		return k.show(ctx, c, v, page.Shown(reference, 100), fault, status)
	}
	if !tenants.ValidText(reference, 1, 100) {
		return again(wrongReference, fiber.StatusUnprocessableEntity)
	}
	cents, err := tenants.ParseCents(f.Text("amount"))
	if err != nil {
		return again(wrongAmount, fiber.StatusUnprocessableEntity)
	}
	_, repeated, err := k.Store.Ledger().By(v.who).PayOut(ctx, e.ID, cents, reference)
	if w, ok := page.WrongOf(err); ok {
		return again(w.Msg, w.Status)
	}
	if err != nil {
		return err
	}
	if repeated {
		return again(paidAlready, fiber.StatusConflict)
	}
	return k.Done(c, page.FlashPaidOut, pages.PartnerPath(string(e.ID)))
}
