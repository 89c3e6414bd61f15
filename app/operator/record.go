package operator

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
	pages "carillon/views/operator"
)

// recordPages serve the operators and what they did.
type recordPages struct{ *Console }

var operatorOrders = map[store.Sort]func(a, b tenants.Operator) int{
	"name": func(a, b tenants.Operator) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	},
	"created": func(a, b tenants.Operator) int { return a.CreatedAt.Compare(b.CreatedAt) },
	"seen":    func(a, b tenants.Operator) int { return a.SeenAt.Compare(b.SeenAt) },
}

// people is the list of operators that the search and filters of q leave.
func (k recordPages) people(ctx context.Context, q *page.Query) (page.List[tenants.Operator], error) {
	all, err := k.Store.Operators().List(ctx)
	if err != nil {
		return page.List[tenants.Operator]{}, err
	}
	state := q.OneOf("state", operatorActive, operatorInvited, operatorDisabled)
	found := matching(all, q.Text("q"), func(o tenants.Operator) []string { return []string{o.Name, o.Email} })
	found = slices.DeleteFunc(found, func(o tenants.Operator) bool { return state != "" && stateCode(o) != state })
	return page.List[tenants.Operator]{Words: operatorWords, Find: page.InMemory(found, operatorOrders), Total: totalOf(found),
		Head: []string{"id", "name", "email", "state", "app", "passkeys", "last_sign_in_at", "created_at", "disabled_at"},
		Cells: page.Each(func(o tenants.Operator) []string {
			return []string{string(o.ID), o.Name, o.Email, stateCode(o), strconv.FormatBool(o.App), plain(int64(o.Passkeys)),
				page.Stamp(o.SeenAt), page.Stamp(o.CreatedAt), page.Stamp(o.DisabledAt)}
		})}, nil
}

func (k recordPages) operators(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	q := page.QueryOf(c)
	l, err := k.people(ctx, q)
	if err != nil {
		return err
	}
	rows, table, err := l.Page(ctx, q, views.Filter{Name: "state", Label: stateLabel, Choices: q.Chosen("state", operatorStates()...)})
	if err != nil {
		return err
	}
	p := pages.OperatorsPage{Shell: k.shell(c, v, operatorWords.Name, pages.NavOperators), Table: table}
	for _, o := range rows {
		r := pages.OperatorRow{Name: o.Name, Email: o.Email, Seen: at(o.SeenAt), Since: at(o.CreatedAt), Steps: stepsOf(o),
			Self: o.ID == v.operator.ID}
		r.State, r.Tone, r.Icon = stateOf(o)
		p.Rows = append(p.Rows, r)
	}
	return web.Page(c, pages.Operators(p), fiber.StatusOK)
}

func (k recordPages) operatorsCSV(ctx context.Context, c *fiber.Ctx, _ *visitor) error {
	q := page.QueryOf(c)
	l, err := k.people(ctx, q)
	if err != nil {
		return err
	}
	return l.Send(ctx, c, k.Common, q)
}

func (k recordPages) list(q *page.Query) page.List[tenants.Audit] {
	target, refused := q.ID("target"), q.OneOf("result", tenants.AuditRefused) != ""
	asked := func(p store.Page) store.OperatorAuditQuery {
		return store.OperatorAuditQuery{Page: p, Target: target, Refused: refused, Meant: actionsSaying}
	}
	return page.List[tenants.Audit]{Words: auditListWords,
		Find: func(ctx context.Context, p store.Page) ([]tenants.Audit, string, error) {
			return k.Store.Operators().Audits(ctx, asked(p))
		},
		Total: func(ctx context.Context, p store.Page) (store.Total, error) {
			return k.Store.Operators().AuditsTotal(ctx, asked(p))
		},
		Head: []string{"seq", "at", "operator", "action", "target", "target_name", "detail", "changes", "result", "ip",
			"request_id", "hash"},
		Cells: page.Each(func(a tenants.Audit) []string {
			return []string{views.Plain(int(a.Seq)), page.Stamp(a.At), a.Actor.Name, a.Action, a.Target, a.TargetName, a.Detail,
				changesCell(a.Changes), resultOf(a), a.IP, a.RequestID, a.Hash.String()}
		})}
}

func (k recordPages) audit(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	return k.show(ctx, c, v, nil)
}

func (k recordPages) show(ctx context.Context, c *fiber.Ctx, v *visitor, verdict *views.Callout) error {
	q := page.QueryOf(c)
	list := k.list(q)
	filters := []views.Filter{{Name: "result", Label: resultLabel, Choices: q.Chosen("result", resultChoices()...)}}
	if target := q.ID("target"); target != "" {
		t, err := k.Store.For(tenants.TenantID(target)).Tenant(ctx)
		if tenants.KindOf(err) == tenants.Unknown { // its entries stay when it is gone
			t.Name, err = target, nil
		}
		if err != nil {
			return err
		}
		filters = append(filters, views.Filter{Name: "target", Label: targetLabel,
			Choices: q.Chosen("target", targetChoices(target, t.Name)...)})
	}
	rows, table, err := list.Page(ctx, q, filters...)
	if err != nil {
		return err
	}
	return web.Page(c, pages.Audit(pages.AuditPage{Shell: k.shell(c, v, auditListWords.Name, pages.NavAudit), Table: table,
		Rows: auditRows(rows), Verdict: verdict}), fiber.StatusOK)
}

// auditRows are entries as pages show them.
func auditRows(all []tenants.Audit) []pages.AuditRow {
	rows := make([]pages.AuditRow, len(all))
	for i, a := range all {
		r := pages.AuditRow{At: at(a.At), Actor: a.Actor.Name, Action: said(a.Action), Target: a.TargetName, Detail: a.Detail, IP: a.IP,
			Failed: a.Refused}
		if r.Target == "" && !tenants.ValidID(a.Target) {
			r.Target = a.Target
		}
		if noun, _, _ := strings.Cut(a.Action, "."); noun != "operator" && noun != "partner" && tenants.ValidID(a.Target) {
			r.Href = pages.TenantPath(a.Target)
		}
		for _, f := range a.Changes {
			r.Fields = append(r.Fields, views.AuditChange{Field: f.Field, Before: orNothing(f.Before), After: orNothing(f.After)})
		}
		rows[i] = r
	}
	return rows
}

func (k recordPages) auditCSV(ctx context.Context, c *fiber.Ctx, _ *visitor) error {
	q := page.QueryOf(c)
	return k.list(q).Send(ctx, c, k.Common, q)
}

// verify checks the chain of the record, from its first entry.
func (k recordPages) verify(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	entries, fault, err := k.Store.Operators().VerifyAudits(ctx)
	if err != nil {
		return err
	}
	verdict := verdictOf(entries, fault)
	return k.show(ctx, c, v, &verdict)
}

// matching leaves the rows that have each word that was typed, whatever its case and accents.
func matching[T any](all []T, search string, words func(T) []string) []T {
	typed, found := typedWords(search), []T{}
	for _, x := range all {
		if hasAll(words(x), typed) {
			found = append(found, x)
		}
	}
	return found
}

// typedWords are the words of a search as they are compared.
func typedWords(search string) []string { return strings.Fields(tenants.Unaccented(search)) }

// hasAll reports whether the texts have each of the words between them.
func hasAll(texts, typed []string) bool {
	text := tenants.Unaccented(strings.Join(texts, "\n"))
	return !slices.ContainsFunc(typed, func(word string) bool { return !strings.Contains(text, word) })
}

// filtered is a filter over rows; nothing is filtered where there are none.
func filtered[T any](all []T, name, label string, choices []views.Choice) []views.Filter {
	if len(all) == 0 {
		return nil
	}
	return []views.Filter{{Name: name, Label: label, Choices: choices}}
}

// totalOf counts rows that are all here.
func totalOf[T any](all []T) func(context.Context, store.Page) (store.Total, error) {
	return func(context.Context, store.Page) (store.Total, error) { return store.Total{N: int64(len(all))}, nil }
}
