package console

import (
	"context"
	"fmt"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// consentPages serve the recorded consents of persons to be called.
type consentPages struct{ *Console }

func (k consentPages) list(v *page.Visitor, q *page.Query) page.List[tenants.Agreement] {
	consents, state := v.Scope.Consents(), q.OneOf("state", "holds", "withdrawn")
	ask := func(p store.Page) store.ConsentQuery {
		return store.ConsentQuery{Page: p, Held: state == "holds", Withdrawn: state == "withdrawn"}
	}
	return page.List[tenants.Agreement]{
		Words: consentWords, Keeper: v.Keeper(), MayAdd: v.Role.May(mayGroups),
		Find: func(ctx context.Context, p store.Page) ([]tenants.Agreement, string, error) {
			return consents.List(ctx, ask(p))
		},
		Total: func(ctx context.Context, p store.Page) (store.Total, error) { return consents.Total(ctx, ask(p)) },
		Head:  []string{"id", "person", "kind", "given_at", "by", "evidence", "withdrawn_at", "created_at"},
		Cells: page.Each(func(a tenants.Agreement) []string {
			return []string{string(a.ID), a.Person, string(a.Kind), page.Stamp(a.GivenAt), a.By.Name, a.Evidence, page.Stamp(a.WithdrawnAt),
				page.Stamp(a.CreatedAt)}
		}),
	}
}

func (k consentPages) consents(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	q := page.QueryOf(c)
	all, table, err := k.list(v, q).Page(ctx, q, views.Filter{Name: "state", Label: "State", Choices: q.Chosen("state",
		page.Choice("", "Any state"), page.Choice("holds", "Holds"), page.Choice("withdrawn", "Withdrawn"))})
	if err != nil {
		return err
	}
	s, err := k.shell(ctx, c, v, at("Consents", views.NavConsents))
	if err != nil {
		return err
	}
	p := views.ConsentsPage{Shell: s, Table: table, Lead: consentsLead(v.Tenant.Rules())}
	if v.Role.May(mayGroups) {
		p.Add = consentWords.Add
	}
	for _, a := range all {
		row := views.ConsentListRow{Href: views.ConsentPath(string(a.ID)), Person: a.Person, Evidence: page.Shown(a.Evidence, 120),
			Given: views.OnDay(a.GivenAt, v.Zone), By: orDash(a.By.Name), Added: v.At(a.CreatedAt), Tone: views.ToneGood, Word: "Holds"}
		if !a.WithdrawnAt.IsZero() {
			row.Tone, row.Word, row.Withdrawn = views.ToneNeutral, "Withdrawn", views.OnDay(a.WithdrawnAt, v.Zone)
		}
		p.Rows = append(p.Rows, row)
	}
	return web.Page(c, views.Consents(p), fiber.StatusOK)
}

func (k consentPages) consentsCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	q := page.QueryOf(c)
	return k.list(v, q).Send(ctx, c, k.Common, q)
}

func (k consentPages) consentForm(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	a := tenants.Agreement{Person: web.Query(c, "person")}
	return k.consentEdit(ctx, c, v, a, k.Now().In(v.Zone).Format(time.DateOnly), page.Wrong{Status: fiber.StatusOK})
}

func (k consentPages) consentEdit(ctx context.Context, c *fiber.Ctx, v *page.Visitor, a tenants.Agreement, day string, w page.Wrong) error {
	p := views.DutyForm{Action: views.PathConsentAdd, Title: "Consent", Button: "Record consent", CanEdit: v.Role.May(mayGroups),
		What: "record consents", Error: w.Unseen("person", "given_at", "evidence")}
	p.Fields = []views.Field{
		{Name: "person", Label: "Person", Value: page.Shown(a.Person, 64), Max: 64, Error: w.Fields["person"], Help: consentPersonHelp,
			Placeholder: "ana.ruiz"},
		{Name: "given_at", Label: "Given on", Type: "date", Value: page.Shown(day, 20), Error: w.Fields["given_at"]},
	}
	p.Areas = []views.Field{{Name: "evidence", Label: evidenceLabel, Value: page.Shown(a.Evidence, 500), Max: 500,
		Error: w.Fields["evidence"], Placeholder: evidenceSample}}
	var err error
	if p.Shell, err = k.shell(ctx, c, v, at("Record a consent", views.NavConsents, up("Consents", views.PathConsents))); err != nil {
		return err
	}
	return web.Page(c, views.DutyFormOf(p), w.Status)
}

func (k consentPages) addConsent(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f, now := page.FormOf(c), k.Now()
	a := tenants.Agreement{ID: tenants.NewID[tenants.ConsentID](now), Person: f.Text("person"), Kind: tenants.AgreedCalls,
		Evidence: f.Text("evidence"), CreatedAt: now}
	day := f.Text("given_at")
	if given, err := time.ParseInLocation(time.DateOnly, day, v.Zone); err == nil {
		if a.GivenAt = given; day == now.In(v.Zone).Format(time.DateOnly) {
			a.GivenAt = now
		}
	}
	err := a.Check(now)
	if err == nil {
		err = v.Scope.Consents().Add(ctx, a)
	}
	if w, ok := page.WrongOf(err); ok {
		return k.consentEdit(ctx, c, v, a, day, w)
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashAdded, views.ConsentPath(string(a.ID)))
}

func oneConsent(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (tenants.Agreement, error) {
	id, err := web.ID[tenants.ConsentID](c, "consent")
	if err != nil {
		return tenants.Agreement{}, err
	}
	return v.Scope.Consents().Get(ctx, id)
}

func (k consentPages) consent(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	a, err := oneConsent(ctx, c, v)
	if err != nil {
		return err
	}
	all, err := v.Scope.Consents().Of(ctx, a.Person)
	if err != nil {
		return err
	}
	p := views.ConsentPage{Tone: views.ToneGood, Word: "Holds", Facts: []views.Row{
		{Name: "Person", Text: a.Person, Own: true, Href: views.PathDevices + "?person=" + a.Person},
		{Name: "Agreed to", Text: "Calls"}, {Name: "Given", When: v.At(a.GivenAt)}, {Name: "Recorded", When: v.At(a.CreatedAt)},
		{Name: "Recorded by", Text: orDash(a.By.Name), Own: true}, {Name: evidenceLabel, Text: a.Evidence, Own: true}}}
	if !a.WithdrawnAt.IsZero() {
		p.Tone, p.Word = views.ToneNeutral, "Withdrawn"
		p.Facts = append(p.Facts, views.Row{Name: "Withdrawn", When: v.At(a.WithdrawnAt)})
	} else if v.Role.May(mayGroups) {
		p.Withdraw = views.ConsentWithdrawPath(string(a.ID))
	}
	for _, one := range all {
		p.History = append(p.History, views.Row{Name: v.At(one.CreatedAt).Text, Text: consentText(one, v.Zone),
			Href: views.ConsentPath(string(one.ID))})
	}
	if p.Shell, err = k.shell(ctx, c, v, at("Consent of "+a.Person, views.NavConsents, up("Consents", views.PathConsents))); err != nil {
		return err
	}
	return web.Page(c, views.Consent(p), fiber.StatusOK)
}

func (k consentPages) withdrawal(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	a, err := oneConsent(ctx, c, v)
	return confirmation{
		ask: views.Confirm{ID: "withdraw-consent", Title: fmt.Sprintf(withdrawTitle, a.Person), Button: "Withdraw consent",
			Action: views.ConsentWithdrawPath(string(a.ID)), Back: views.ConsentPath(string(a.ID)),
			Consequence: consentGoes(v.Tenant.Rules())},
		title: "Withdraw a consent", nav: views.NavConsents, up: up("Consents", views.PathConsents),
		do:   func(ctx context.Context) error { return v.Scope.Consents().Withdraw(ctx, a.ID) },
		said: page.FlashWithdrawn, next: views.ConsentPath(string(a.ID)),
	}, err
}

// consentRows say of the persons of a ring which consent was on record when it was placed; none
// where the rules ask for no consent, and for a test key, which rings phones of developers.
func consentRows(ctx context.Context, v *page.Visitor, r *tenants.Ring, n names) (rows []views.Row, err error) {
	if v.Tenant.Rules().Consent != tenants.ConsentRecorded || r.Test && r.By.Kind == tenants.ActorKey {
		return nil, nil
	}
	seen := map[string]bool{}
	for i := range r.Attempts {
		person := n.devices[r.Attempts[i].Device].Person
		if person == "" || seen[person] || len(seen) == consentsShown {
			continue
		}
		seen[person] = true
		all, err := v.Scope.Consents().Of(ctx, person)
		if err != nil {
			return nil, err
		}
		rows = append(rows, consentRow(person, all, r, v))
	}
	return rows, nil
}
