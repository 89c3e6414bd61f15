package operator

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/notify"
	"carillon/app/page"
	"carillon/app/push"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	pages "carillon/views/operator"
)

// How many rows the page of health shows of each of these lists.
const (
	mailsGlanced  = 5
	endingGlanced = 5
	teamsGlanced  = 10
)

// glance is the first rows of a list, and what leads to the others.
func glance[T any](all []T, most int, w page.Words) ([]T, pages.More) {
	if len(all) == 0 {
		return nil, pages.More{}
	}
	return all[:min(most, len(all))], pages.More{Total: firstOf(min(most, len(all)), len(all), w.One, w.Many), Href: w.Path}
}

// failed are the mails that failed, the newest first.
func (k healthPages) failed() []notify.Failed {
	if k.Mails == nil {
		return nil
	}
	return k.Mails.Failed()
}

var mailOrders = map[store.Sort]func(a, b notify.Failed) int{
	"at":    func(a, b notify.Failed) int { return a.At.Compare(b.At) },
	"to":    func(a, b notify.Failed) int { return strings.Compare(strings.ToLower(a.To), strings.ToLower(b.To)) },
	"tries": func(a, b notify.Failed) int { return cmp.Compare(a.Tries, b.Tries) },
}

func (k healthPages) mailList(q *page.Query) page.List[notify.Failed] {
	found := matching(k.failed(), q.Text("q"), func(m notify.Failed) []string { return []string{m.To, m.Subject, m.Why} })
	words := mailWords
	if k.Mails == nil {
		words.Empty.Text = noMail
	}
	return page.List[notify.Failed]{Words: words, Find: page.InMemory(found, mailOrders), Total: totalOf(found),
		Head: []string{"to", "subject", "why", "tries", "last_try_at"},
		Cells: page.Each(func(m notify.Failed) []string {
			return []string{m.To, m.Subject, m.Why, plain(int64(m.Tries)), page.Stamp(m.At)}
		})}
}

func (k healthPages) mails(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	q := page.QueryOf(c)
	rows, table, err := k.mailList(q).Page(ctx, q)
	if err != nil {
		return err
	}
	return web.Page(c, pages.Mails(pages.MailsPage{Table: table, Rows: mailRows(rows),
		Shell: k.shell(c, v, mailWords.Name, pages.NavHealth, up(healthTitle, pages.PathHealth))}), fiber.StatusOK)
}

func (k healthPages) mailsCSV(ctx context.Context, c *fiber.Ctx, _ *visitor) error {
	q := page.QueryOf(c)
	return k.mailList(q).Send(ctx, c, k.Common, q)
}

// certificate is one in use, and whose it is.
type certificate struct {
	tenants.Credential
	of tenants.Tenant
}

// left is how long the certificate still works.
func (x certificate) left(now time.Time) time.Duration { return x.NotAfter.Sub(now) }

// certificates are those in use, the one that ends first in front. Keys (.p8) do not end and are
// not among them.
func (k healthPages) certificates(ctx context.Context) (found []certificate, err error) {
	all, err := k.Store.Tenants().Credentials(ctx)
	if err != nil {
		return nil, err
	}
	of, err := k.Store.Tenants().List(ctx)
	if err != nil {
		return nil, err
	}
	owners := map[tenants.TenantID]tenants.Tenant{}
	for _, t := range of {
		owners[t.ID] = t
	}
	for _, one := range all {
		if one.State == tenants.CredentialActive && !one.NotAfter.IsZero() {
			found = append(found, certificate{one, owners[one.Tenant]})
		}
	}
	slices.SortStableFunc(found, func(a, b certificate) int { return a.NotAfter.Compare(b.NotAfter) })
	return found, nil
}

// within leaves the certificates that end before a moment.
func within(all []certificate, end time.Time) []certificate {
	return slices.DeleteFunc(slices.Clone(all), func(x certificate) bool { return !x.NotAfter.Before(end) })
}

var endingOrders = map[store.Sort]func(a, b certificate) int{
	"ends": func(a, b certificate) int { return a.NotAfter.Compare(b.NotAfter) },
	"name": func(a, b certificate) int {
		return strings.Compare(strings.ToLower(a.of.Name), strings.ToLower(b.of.Name))
	},
}

func (k healthPages) endingList(all []certificate, q *page.Query) page.List[certificate] {
	now := k.Now()
	switch q.OneOf("ends", endedOnly, endsIn30, endsEver) {
	case endedOnly:
		all = within(all, now)
	case endsIn30:
		all = within(all, now.Add(endsSoon))
	case "":
		all = within(all, now.Add(endsShown))
	}
	found := matching(all, q.Text("q"), func(x certificate) []string {
		return []string{x.of.Name, x.of.Slug, string(x.Tenant), string(x.Environment)}
	})
	return page.List[certificate]{Words: endingWords, Find: page.InMemory(found, endingOrders), Total: totalOf(found),
		Head: []string{"tenant_id", "tenant", "credential_id", "environment", "ends_at", "days_left"},
		Cells: page.Each(func(x certificate) []string {
			return []string{string(x.Tenant), x.of.Name, string(x.ID), string(x.Environment), page.Stamp(x.NotAfter),
				plain(daysOf(x.left(now)))}
		})}
}

func (k healthPages) ending(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	q := page.QueryOf(c)
	all, err := k.certificates(ctx)
	if err != nil {
		return err
	}
	rows, table, err := k.endingList(all, q).Page(ctx, q, filtered(all, "ends", endsLabel, q.Chosen("ends", endsChoices()...))...)
	if err != nil {
		return err
	}
	p := pages.EndingPage{Table: table, Stats: endingStats(all, k.Now()),
		Shell: k.shell(c, v, endingWords.Name, pages.NavHealth, up(healthTitle, pages.PathHealth))}
	for _, x := range rows {
		p.Rows = append(p.Rows, pages.EndingRow{Tenant: x.of.Name, Href: pages.TenantPath(string(x.Tenant)),
			Environment: environments[x.Environment], Ends: at(x.NotAfter), Left: leftShown(x.left(k.Now())),
			Soon: x.left(k.Now()) < endsSoon})
	}
	return web.Page(c, pages.Ending(p), fiber.StatusOK)
}

func (k healthPages) endingCSV(ctx context.Context, c *fiber.Ctx, _ *visitor) error {
	q := page.QueryOf(c)
	all, err := k.certificates(ctx)
	if err != nil {
		return err
	}
	return k.endingList(all, q).Send(ctx, c, k.Common, q)
}

// errorsOf are the pushes that Apple did not accept.
func errorsOf(a push.Answers) int64 { return a.Sum() - a.Accepted }

var teamOrders = map[store.Sort]func(a, b push.TeamAnswers) int{
	"hour":   func(a, b push.TeamAnswers) int { return cmp.Compare(errorsOf(a.Hour), errorsOf(b.Hour)) },
	"day":    func(a, b push.TeamAnswers) int { return cmp.Compare(errorsOf(a.Day), errorsOf(b.Day)) },
	"pushes": func(a, b push.TeamAnswers) int { return cmp.Compare(a.Day.Sum(), b.Day.Sum()) },
	"budget": func(a, b push.TeamAnswers) int { return cmp.Compare(budgetUsed(a.Day), budgetUsed(b.Day)) },
	"team":   func(a, b push.TeamAnswers) int { return strings.Compare(teamName(a), teamName(b)) },
}

func (k healthPages) teamList(q *page.Query) page.List[push.TeamAnswers] {
	found := matching(k.Teams(), q.Text("q"), func(t push.TeamAnswers) []string { return []string{teamName(t)} })
	counts := func(a push.Answers) []string {
		return []string{plain(a.Accepted), plain(a.Limited), plain(a.Refused), plain(a.Failed), plain(a.None)}
	}
	return page.List[push.TeamAnswers]{Words: teamWords, Find: page.InMemory(found, teamOrders), Total: totalOf(found),
		Head: []string{"team", "hour_accepted", "hour_429", "hour_other_4xx", "hour_5xx", "hour_no_answer", "day_accepted", "day_429",
			"day_other_4xx", "day_5xx", "day_no_answer", "budget_used"},
		Cells: page.Each(func(t push.TeamAnswers) []string {
			return slices.Concat([]string{teamName(t)}, counts(t.Hour), counts(t.Day), []string{budgetCell(budgetUsed(t.Day))})
		})}
}

func (k healthPages) teams(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	q := page.QueryOf(c)
	rows, table, err := k.teamList(q).Page(ctx, q)
	if err != nil {
		return err
	}
	return web.Page(c, pages.Teams(pages.TeamsPage{Table: table, Rows: teamRows(rows),
		Shell: k.shell(c, v, teamWords.Name, pages.NavHealth, up(healthTitle, pages.PathHealth))}), fiber.StatusOK)
}

func (k healthPages) teamsCSV(ctx context.Context, c *fiber.Ctx, _ *visitor) error {
	q := page.QueryOf(c)
	return k.teamList(q).Send(ctx, c, k.Common, q)
}
