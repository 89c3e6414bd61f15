package page

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// Words are how a list is called, where it is, and how it can be sorted.
type Words struct {
	Name   string // "Rings"
	Path   string
	CSV    string // address of the file
	File   string // name of the file, without date and ending
	Search string // what can be searched for; empty = no search
	One    string // "ring"
	Many   string // "rings"
	Empty  views.Empty
	Add    views.Button // in an empty list, for those who may add something
	Sorts  []Sort       // the first one is the list's own order

	Columns []Column // that people may show or hide
}

// Sort is an order that can be chosen. Of one column there may be two, one for each direction; a
// click on the column takes the first, and another click the second.
type Sort struct {
	Key  store.Sort // "-created"
	Text string     // "Newest first"
}

// Newest are the orders of a list of things by when they were made.
func Newest(more ...Sort) []Sort {
	return append([]Sort{{"-created", "Newest first"}, {"created", "Oldest first"}}, more...)
}

// newestFirst reports whether the list's own order begins with what came last.
func (w Words) newestFirst() bool {
	return len(w.Sorts) == 0 || slices.Contains([]store.Sort{"-created", "-received", "-at", "-last"}, w.Sorts[0].Key)
}

// List is a list of the console or of a partner: what a page of it and a file of it need. A handler
// declares it, asks it for the rows, and draws them.
type List[T any] struct {
	Words
	MayAdd bool // who looks may add something
	Keeper Keeper
	Bulk   *views.Bulk // what can be done to several rows at once; nil = nothing, or not by who looks
	// Find gives a page of rows, and the cursor that leads on; see store.Page.
	Find func(context.Context, store.Page) ([]T, string, error)
	// Total counts the rows; nil where nobody counts them.
	Total func(context.Context, store.Page) (store.Total, error)
	// Head and Cells are the file. Cells runs after the handler has returned and must not touch the
	// request.
	Head  []string
	Cells func(context.Context, []T) ([][]string, error)
}

// Page reads the page that q asks for, and draws what surrounds its rows.
func (l List[T]) Page(ctx context.Context, q *Query, filters ...views.Filter) ([]T, views.Table, error) {
	ask := l.asked(q)
	if err := q.Err(); err != nil {
		return nil, views.Table{}, err
	}
	rows, next, err := l.Find(ctx, ask)
	if err == nil && ask.Upto != "" && next == "" { // the way back ends at the first page
		q.place, ask.Upto = place{}, ""
		rows, next, err = l.Find(ctx, ask)
	}
	if err != nil {
		return nil, views.Table{}, err
	}
	if ask.Upto != "" { // its address says how many rows are in front of the page behind it
		q.place.row = max(0, q.place.row-len(rows))
	}
	if q.sort = sortOf(ask, l.Sorts); len(rows) == 0 {
		l.Bulk = nil
	}
	t := views.Table{Filters: filters}
	if err := l.dress(ctx, q, &t); err != nil {
		return nil, views.Table{}, err
	}
	t = l.table(t, q, ask, len(rows), next)
	if l.CSV != "" && (len(rows) > 0 || t.Older != "" || t.Newer != "") {
		t.CSV = q.whole(l.CSV)
	}
	if len(rows) > 0 {
		t.Total, err = l.counted(ctx, q, ask, len(rows), t.Older != "")
	}
	return rows, t, err
}

// asked is the page of the store that q asks for.
func (l List[T]) asked(q *Query) store.Page {
	p := store.Page{After: q.place.after, Upto: q.place.upto, Limit: PerPage}
	if l.Search != "" {
		p.Search = q.Text("q")
	}
	for _, s := range l.Sorts {
		if string(s.Key) == q.Raw("sort") {
			p.Sort = s.Key
		}
	}
	return p
}

// sortOf is the order in an address: the list's own one is left out.
func sortOf(p store.Page, all []Sort) store.Sort {
	if len(all) > 0 && p.Sort == all[0].Key {
		return ""
	}
	return p.Sort
}

// table draws into t what surrounds the n rows of a page.
func (l List[T]) table(t views.Table, q *Query, ask store.Page, n int, next string) views.Table {
	sort := q.sort
	t.Name, t.Action, t.Query, t.Search, t.Rows = l.Name, l.Path, q.set.Get("q"), l.Search, n
	t.Empty, t.Filtered, t.Columns = l.Empty, len(q.set) > 0 || !q.First(), map[string]views.Column{}
	t.Newest = sort == "" && l.newestFirst()
	t.Bulk, t.Dates = l.Bulk, q.dates
	if l.MayAdd && l.Add.Text != "" {
		t.Empty.Action = l.Add
	}
	here, before := q.place, place{upto: q.place.after, row: q.place.row}
	if here.upto != "" {
		before.upto = next
	}
	if here.second {
		before = place{}
	}
	if here.after != "" || here.upto != "" && next != "" {
		t.Newer = q.at(l.Path, sort, before)
	}
	switch {
	case here.upto != "":
		t.Older = q.at(l.Path, sort, place{after: here.upto, row: here.row + n})
	case next != "":
		t.Older = q.at(l.Path, sort, place{after: next, row: here.row + n, second: q.First()})
	}
	for i, s := range l.Sorts {
		t.Sorts = append(t.Sorts, views.Choice{Value: string(s.Key), Text: s.Text, Selected: s.Key == ask.Sort || i == 0 && sort == ""})
		key, down := strings.CutPrefix(string(s.Key), "-")
		column, there := t.Columns[key]
		if chosen := t.Sorts[i].Selected; chosen {
			column.Now = "ascending"
			if down {
				column.Now = "descending"
			}
		} else if !there || column.Href == "" {
			column.Href = q.at(l.Path, sortOf(store.Page{Sort: s.Key}, l.Sorts), place{})
		}
		t.Columns[key] = column
	}
	return t
}

// counted is which rows these are, and of how many: "1–50 of 2,913 rings".
func (l List[T]) counted(ctx context.Context, q *Query, ask store.Page, n int, more bool) (string, error) {
	first, last := q.place.row+1, q.place.row+n
	if !more && q.First() {
		return views.Plural(n, l.One, l.Many), nil
	}
	total := store.Total{N: int64(last), More: more}
	if more && l.Total != nil {
		ask.After, ask.Upto = "", ""
		var err error
		if total, err = l.Total(ctx, ask); err != nil {
			return "", err
		}
		total.N = max(total.N, int64(last))
	}
	plus := ""
	if total.More {
		plus = "+"
	}
	rows := views.Count(last)
	if first < last {
		rows = views.Count(first) + "–" + rows
	}
	return rows + " of " + views.Count(int(total.N)) + plus + " " + l.Many, nil
}

// Send streams the list that q asks for as CSV, from its beginning.
func (l List[T]) Send(ctx context.Context, c *fiber.Ctx, m *Common, q *Query) error {
	ask := l.asked(q)
	if err := q.Err(); err != nil {
		return err
	}
	ask.Limit, ask.Upto = SheetPage, ""
	at := l.fileColumns(q)
	more := func(ctx context.Context, after string) ([][]string, string, error) {
		ask.After = after
		rows, next, err := l.Find(ctx, ask)
		if err != nil {
			return nil, "", err
		}
		cells, err := l.Cells(ctx, rows)
		for i := range cells {
			cells[i] = pick(cells[i], at)
		}
		return cells, next, err
	}
	return m.SendSheet(ctx, c, Sheet{Name: l.File, Head: pick(l.Head, at), More: more})
}

// Each makes the Cells of a List out of the cells of one row.
func Each[T any](cells func(T) []string) func(context.Context, []T) ([][]string, error) {
	return func(_ context.Context, rows []T) ([][]string, error) {
		out := make([][]string, len(rows))
		for i, r := range rows {
			out[i] = cells(r)
		}
		return out, nil
	}
}

// InMemory makes the Find of a List out of rows that are all here, in the list's own order. by
// compares two rows by a sort key. Its cursors are numbers of rows.
func InMemory[T any](all []T, by map[store.Sort]func(a, b T) int) func(context.Context, store.Page) ([]T, string, error) {
	return func(_ context.Context, p store.Page) ([]T, string, error) {
		rows := slices.Clone(all)
		key, down := strings.CutPrefix(string(p.Sort), "-")
		if less := by[store.Sort(key)]; less != nil {
			slices.SortStableFunc(rows, func(a, b T) int {
				if down {
					a, b = b, a
				}
				return less(a, b)
			})
		}
		at, limit := 0, cmp.Or(p.Limit, PerPage)
		if cursor := p.After + p.Upto; cursor != "" {
			var err error
			if at, err = strconv.Atoi(cursor); err != nil || at < 1 {
				return nil, "", tenants.Refuse(tenants.Invalid, "invalid_cursor",
					"This page of the list does not exist. Leave out “after” to start from the beginning.")
			}
		}
		at = min(at, len(rows))
		if p.Upto != "" {
			return rows[max(0, at-limit):at], cursorAt(at-limit, at), nil
		}
		end := min(at+limit, len(rows))
		return rows[at:end], cursorAt(end, len(rows)), nil
	}
}

// cursorAt is the cursor of the row before n; empty where n is an end of the list.
func cursorAt(n, end int) string {
	if n <= 0 || n >= end {
		return ""
	}
	return strconv.Itoa(n)
}
