package console

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

const (
	paletteMost    = 8                      // of each kind of thing, each found by one query
	paletteInvoice = 800 * time.Millisecond // how long the palette waits for Stripe
)

// palette answers with the entries of the Ctrl-K palette: pages and commands, and things that fit
// what was typed. Without a word it offers the newest things. Who may not see a kind of thing is
// offered none.
func (k *Console) palette(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	q := page.QueryOf(c)
	text := q.Text("q")
	if err := q.Err(); err != nil {
		return err
	}
	tag, links := web.Spoken(c), views.PaletteLinks()
	links = slices.DeleteFunc(links, func(l views.Link) bool {
		return !views.Mentions(l.Text, tag, text) || !k.serves(l.Href) || !k.opens(v.Role, l.Href)
	})
	for _, find := range []func(context.Context, *page.Visitor, string) ([]views.Link, error){
		k.findRings, findDevices, findAgents, findGroups, findSchedules, findConnections,
		findPersons, findMembers, findKeys, k.findInvoices,
	} {
		found, err := find(ctx, v, text)
		if err != nil {
			return err
		}
		for i := range found {
			found[i].Own = found[i].Icon != views.IconCard && found[i].Icon != views.IconSearch // those are in our words
		}
		links = append(links, slices.DeleteFunc(found, func(l views.Link) bool { return !k.opens(v.Role, l.Href) })...)
	}
	return web.Page(c, views.PaletteItems(links, views.PaletteCommands(tag, text)), fiber.StatusOK)
}

// findRings finds rings by what the list finds them by.
func (k *Console) findRings(ctx context.Context, v *page.Visitor, text string) ([]views.Link, error) {
	if text == "" {
		return nil, nil
	}
	rings, next, err := v.Scope.Rings().List(ctx, store.RingQuery{Search: text, Limit: paletteMost})
	if err != nil {
		return nil, err
	}
	if len(rings) == 0 && next != "" { // a part of the rings was looked at
		return []views.Link{{Text: searchRings, Href: views.PathRings + "?q=" + url.QueryEscape(text), Icon: views.IconSearch}}, nil
	}
	n, err := namesOf(ctx, v.Scope, rings...)
	return mapped(rings, func(r *tenants.Ring) views.Link {
		return views.Link{Text: joined(" · ", n.to(r), r.Caller, r.Reference, v.At(r.CreatedAt).Text), Href: views.RingPath(string(r.ID)),
			Hint: "Ring", Icon: views.IconIncoming}
	}), err
}

func findDevices(ctx context.Context, v *page.Visitor, text string) ([]views.Link, error) {
	found, _, err := v.Scope.Devices().List(ctx, store.DeviceQuery{Search: text, Limit: paletteMost})
	return mapped(found, func(d tenants.Device) views.Link {
		return views.Link{Text: deviceName(d), Href: views.DevicePath(string(d.ID)), Hint: "Device", Icon: views.IconDevice}
	}), err
}

func findAgents(ctx context.Context, v *page.Visitor, text string) ([]views.Link, error) {
	found, _, err := v.Scope.Agents().List(ctx, store.Page{Search: text, Limit: paletteMost})
	return mapped(found, func(a tenants.Agent) views.Link {
		return views.Link{Text: a.Name, Href: views.AgentPath(string(a.ID)), Hint: "Agent", Icon: views.IconAgent}
	}), err
}

func findGroups(ctx context.Context, v *page.Visitor, text string) ([]views.Link, error) {
	found, _, err := v.Scope.Groups().List(ctx, store.Page{Search: text, Limit: paletteMost})
	return mapped(found, func(g tenants.Group) views.Link {
		return views.Link{Text: g.Name, Href: views.GroupPath(string(g.ID)), Hint: "Group", Icon: views.IconPeople}
	}), err
}

func findSchedules(ctx context.Context, v *page.Visitor, text string) ([]views.Link, error) {
	found, _, err := v.Scope.Schedules().List(ctx, store.Page{Search: text, Limit: paletteMost})
	return mapped(found, func(s tenants.Schedule) views.Link {
		return views.Link{Text: s.Name, Href: views.SchedulePath(string(s.ID)), Hint: "Schedule", Icon: views.IconClock}
	}), err
}

func findConnections(ctx context.Context, v *page.Visitor, text string) ([]views.Link, error) {
	found, _, err := v.Scope.Connections().List(ctx, store.Page{Search: text, Limit: paletteMost})
	return mapped(found, func(x tenants.Connection) views.Link {
		return views.Link{Text: x.Name, Href: views.ConnectionPath(string(x.ID)), Hint: "Connection", Icon: views.IconPlug}
	}), err
}

// findPersons finds whom devices belong to.
func findPersons(ctx context.Context, v *page.Visitor, text string) ([]views.Link, error) {
	if text == "" {
		return nil, nil
	}
	found, _, err := v.Scope.Devices().People(ctx, store.PersonQuery{Search: text, Limit: paletteMost})
	return mapped(found, func(p store.Person) views.Link {
		return views.Link{Text: p.Name, Href: views.PathDevices + "?person=" + url.QueryEscape(p.Name), Hint: "Person",
			Icon: views.IconPeople}
	}), err
}

// findMembers finds people who sign in here.
func findMembers(ctx context.Context, v *page.Visitor, text string) ([]views.Link, error) {
	if text == "" {
		return nil, nil
	}
	found, _, err := v.Scope.Members().List(ctx, store.Page{Search: text, Limit: paletteMost})
	return mapped(found, func(m tenants.Member) views.Link {
		return views.Link{Text: joined(" · ", m.Name, m.Email), Href: views.PathPeople + "?q=" + url.QueryEscape(m.Email), Hint: "Member",
			Icon: views.IconPeople}
	}), err
}

func findKeys(ctx context.Context, v *page.Visitor, text string) ([]views.Link, error) {
	if text == "" {
		return nil, nil
	}
	found, _, err := v.Scope.Keys().List(ctx, store.Page{Search: text, Limit: paletteMost})
	return mapped(found, func(x tenants.Key) views.Link {
		return views.Link{Text: x.Name + " (" + keyShown(x) + ")", Href: views.KeyPath(string(x.ID)), Hint: "API key",
			Icon: views.IconKey}
	}), err
}

// findInvoices asks Stripe, if what was typed can be the number of an invoice: letters or digits, a
// dash, digits. It finds nothing while Stripe is slow: the other entries do not wait.
func (k *Console) findInvoices(ctx context.Context, v *page.Visitor, text string) ([]views.Link, error) {
	before, after, dash := strings.Cut(text, "-")
	if k.Billing == nil || !dash || len(before) < 3 || strings.Trim(after, "0123456789") != "" || !k.opens(v.Role, views.PathBilling) {
		return nil, nil
	}
	soon, cancel := context.WithTimeout(ctx, paletteInvoice)
	defer cancel()
	bills, _, err := k.Billing.Invoices(soon, buyerOf(v), "", billsPerRead)
	if err != nil {
		return nil, nil // the billing page says that Stripe does not answer
	}
	var out []views.Link
	for _, b := range bills {
		if len(out) < paletteMost && strings.HasPrefix(strings.ToLower(b.Number), strings.ToLower(text)) {
			out = append(out, views.Link{Text: "Invoice " + b.Number + ", " + page.Money(b.Cents, b.Currency),
				Href: views.PathInvoices + "?q=" + url.QueryEscape(b.Number), Hint: "Invoice", Icon: views.IconCard})
		}
	}
	return out, nil
}
