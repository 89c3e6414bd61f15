package page

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// PerPage is how many rows a list shows at once.
const PerPage = 50

// cursorMost bounds a cursor in an address; see store.Page.
const cursorMost = 1000

// columnsMost bounds the columns in an address.
const columnsMost = 400

// Query is what the address of a list asks for: search, filters, order, and which page. Words that
// it does not understand count as not given; a text that is not allowed is a fault, and Err refuses
// the whole.
type Query struct {
	c      *fiber.Ctx
	set    url.Values // search and filters that were understood
	place  place
	sort   store.Sort // the order in addresses that lead on; empty = the list's own
	faults []tenants.Field

	dates   *views.Dates // where days are asked for
	columns string       // of the address: keys of columns, joined by commas; empty = what was kept
	shown   string       // the columns that are shown; empty = the list's own
}

// place is a page of a list: at most one of the cursors is set. row is how many rows are in front,
// with upto those of the page too.
type place struct {
	after, upto string
	row         int
	second      bool // the page in front is the first: pages of a search may be short, so row does not tell
}

// QueryOf reads where the address of c is in a list.
func QueryOf(c *fiber.Ctx) *Query {
	q := &Query{c: c, set: url.Values{}, place: place{after: web.Query(c, "after"), upto: web.Query(c, "upto")}}
	if len(q.place.after)+len(q.place.upto) > cursorMost || q.place.after != "" && q.place.upto != "" {
		q.Fault("after", "leave it out to start from the beginning")
	}
	if s := web.Query(c, "cols"); len(s) < columnsMost && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_,") == "" {
		q.columns = s
	}
	if n, err := strconv.Atoi(web.Query(c, "row")); err == nil && n > 0 && !q.First() {
		q.place.row = n
	}
	q.place.second = q.place.after != "" && web.Query(c, "second") == "1"
	return q
}

// Fault notes that a part of the address is not allowed.
func (q *Query) Fault(name, message string) {
	q.faults = append(q.faults, tenants.Field{Name: name, Message: message})
}

// Err refuses an address with faults.
func (q *Query) Err() error {
	if len(q.faults) == 0 {
		return nil
	}
	return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Fields: q.faults,
		Msg: "The search contains something that is not allowed. Clear the search and try again."}
}

// First reports that this is the first page.
func (q *Query) First() bool { return q.place.after == "" && q.place.upto == "" }

// Raw is a word of the address as it is.
func (q *Query) Raw(name string) string { return web.Query(q.c, name) }

// Text is what was typed into a search.
func (q *Query) Text(name string) string {
	s := strings.TrimSpace(q.Raw(name))
	if !tenants.ValidText(s, 0, 100) {
		q.Fault(name, "at most 100 characters, no control characters")
		return ""
	}
	return q.Keep(name, s)
}

// OneOf is a chosen word; one that is not on the list counts as none.
func (q *Query) OneOf(name string, words ...string) string {
	s := q.Raw(name)
	if !slices.Contains(words, s) {
		return ""
	}
	return q.Keep(name, s)
}

// ID is a chosen thing; what is no id counts as none.
func (q *Query) ID(name string) string {
	id, _ := tenants.ParseID[string](q.Raw(name))
	return q.Keep(name, id)
}

// Keep makes a word a part of the addresses that lead on from here; an empty one takes it out.
func (q *Query) Keep(name, s string) string {
	q.set.Del(name)
	if s != "" {
		q.set.Set(name, s)
	}
	return s
}

// Chosen marks what the filter is set to.
func (q *Query) Chosen(name string, all ...views.Choice) []views.Choice {
	return Choose(q.set.Get(name), all...)
}

// With is the address of path with the same search and filters, and one word changed; an empty one
// is left out.
func (q *Query) With(path, name, value string) string {
	v := url.Values{}
	for word, values := range q.set {
		v[word] = values
	}
	if v.Del(name); value != "" {
		v.Set(name, value)
	}
	if q.columns != "" {
		v.Set("cols", q.columns)
	}
	return address(path, v)
}

func address(path string, v url.Values) string {
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

// whole is the address of path with all that is seen: search, filters, order and columns.
func (q *Query) whole(path string) string {
	seen := *q
	seen.columns = q.shown
	return seen.at(path, q.sort, place{})
}

// at is the address of another page of the list.
func (q *Query) at(path string, sort store.Sort, p place) string {
	v := url.Values{}
	for word, values := range q.set {
		v[word] = values
	}
	for name, value := range map[string]string{"sort": string(sort), "after": p.after, "upto": p.upto, "cols": q.columns} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if p.row > 0 {
		v.Set("row", strconv.Itoa(p.row))
	}
	if p.second {
		v.Set("second", "1")
	}
	return address(path, v)
}
