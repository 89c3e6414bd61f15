package console

import (
	"carillon/app/page"

	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// perPage is how many rows a list shows.
const perPage = 50

// query is a list's search, filters and place, as they stand in its address.
type query struct {
	c      *fiber.Ctx
	set    url.Values // what the address held and was understood, without after
	faults []tenants.Field

	after   string  // behind which row the page begins; empty = the first page
	earlier cursors // of the pages before this one
}

func queryOf(c *fiber.Ctx) *query {
	q := &query{c: c, set: url.Values{}}
	q.earlier, q.after = cursorsOf(web.Query(c, "after"))
	if len(q.after) > 400 || len(q.earlier) > cursorsMost {
		q.faults = append(q.faults, tenants.Field{Name: "after", Message: "the next of the page before"})
	}
	return q
}

// cursors are those of the pages that a person came through, the first one first, joined by dots. A
// cursor leads only forward, so an address keeps those before its own: that is the way back.
type cursors string

// cursorsMost is how many bytes of them an address keeps: about 25 pages. From the earliest page
// that it still knows, the way back leads to the first page.
const cursorsMost = 1200

// cursorsOf parts the cursor of a page from those before it.
func cursorsOf(s string) (earlier cursors, after string) {
	if i := strings.LastIndexByte(s, '.'); i >= 0 {
		return cursors(s[:i]), s[i+1:]
	}
	return "", s
}

// then is the cursors with one page more.
func (c cursors) then(after string) cursors {
	if after == "" {
		return c
	}
	for c != "" && len(c)+len(after) >= cursorsMost {
		_, rest, _ := strings.Cut(string(c), ".")
		c = cursors(rest)
	}
	if c == "" {
		return cursors(after)
	}
	return c + "." + cursors(after)
}

// text is what was typed into the search.
func (q *query) text(name string) string {
	s := strings.TrimSpace(web.Query(q.c, name))
	if !tenants.ValidText(s, 0, 100) {
		q.faults = append(q.faults, tenants.Field{Name: name, Message: "at most 100 characters, no control characters"})
		return ""
	}
	return q.keep(name, s)
}

// oneOf is a chosen word; one that is not on the list counts as none.
func (q *query) oneOf(name string, words ...string) string {
	s := web.Query(q.c, name)
	if !slices.Contains(words, s) {
		return ""
	}
	return q.keep(name, s)
}

// id is a chosen thing; what is no id counts as none.
func (q *query) id(name string) string {
	id, _ := tenants.ParseID[string](web.Query(q.c, name))
	return q.keep(name, id)
}

func (q *query) keep(name, s string) string {
	if s != "" {
		q.set.Set(name, s)
	}
	return s
}

// since is the beginning of a period; zero for all time.
func (q *query) since(now time.Time) time.Time {
	switch q.oneOf("period", "day", "week", "month") {
	case "day":
		return now.Add(-24 * time.Hour)
	case "week":
		return now.AddDate(0, 0, -7)
	case "month":
		return now.AddDate(0, 0, -30)
	}
	return time.Time{}
}

// offset is how many rows are before this page, in a list that is all in memory.
func (q *query) offset() int {
	if q.after == "" {
		return 0
	}
	n, err := strconv.Atoi(q.after)
	if err != nil || n < 1 {
		q.faults = append(q.faults, tenants.Field{Name: "after", Message: "the next of the page before"})
		return 0
	}
	return n
}

// paged is a page out of a list that is all here, and where the next one begins.
func paged[T any](all []T, from int) (page []T, next string) {
	all = all[min(from, len(all)):]
	if len(all) > perPage {
		return all[:perPage], strconv.Itoa(from + perPage)
	}
	return all, ""
}

func (q *query) err() error {
	if len(q.faults) == 0 {
		return nil
	}
	return &tenants.Error{Kind: tenants.Invalid, Code: "invalid",
		Msg: "The search contains something that is not allowed. Clear the search and try again.", Fields: q.faults}
}

// at is an address with the same search and filters; after leads to a later page.
func (q *query) at(path, after string) string {
	v := url.Values{}
	for name, words := range q.set {
		v[name] = words
	}
	if after != "" {
		v.Set("after", after)
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

// chosen marks what the filter is set to.
func (q *query) chosen(name string, all ...views.Choice) []views.Choice {
	return page.Choose(q.set.Get(name), all...)
}

func (q *query) periods() views.Filter {
	return views.Filter{Name: "period", Label: "Period", Choices: q.chosen("period",
		page.Choice("", "Any time"), page.Choice("day", "Last 24 hours"), page.Choice("week", "Last 7 days"),
		page.Choice("month", "Last 30 days"))}
}

// list is what differs between lists.
type list struct {
	name   string // "Rings"
	path   string
	csv    string // address of the file
	search string // what can be searched for
	one    string // "ring"
	many   string // "rings"
	empty  views.Empty
	add    views.Button // stands in an empty list for those who may add something
}

// table surrounds n rows; next is the cursor of the page behind.
func (q *query) table(l list, n int, next string, filters ...views.Filter) views.Table {
	t := views.Table{
		Name: l.name, Action: l.path, Query: q.set.Get("q"), Search: l.search, Filters: filters, Rows: n,
		Empty: l.empty, Filtered: len(q.set) > 0 || q.after != "",
	}
	if v, ok := visitorOf(q.c); ok && v.Role.May() && l.add.Text != "" {
		t.Empty.Action = l.add
	}
	if n > 0 {
		t.Total = views.Plural(n, l.one, l.many) + " on this page"
		t.CSV = q.at(l.csv, "")
	}
	if q.after != "" {
		t.Newer = q.at(l.path, string(q.earlier))
	}
	if next != "" {
		t.Older = q.at(l.path, string(q.earlier.then(q.after).then(next)))
	}
	return t
}
