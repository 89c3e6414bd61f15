package page

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// Column is a column of a list that people may show or hide.
type Column struct {
	Key, Text string
	Off       bool     // hidden until somebody chooses it
	File      []string // the columns of the file that go with it
}

// Keeper is who looks at a list: it keeps the columns that they chose, and their saved views. The
// zero Keeper keeps nothing, and the list then offers neither.
type Keeper struct {
	lists store.Lists
	user  tenants.UserID
	share bool // may save views for everybody of the tenant
}

// Keeper is the visitor as the Keeper of lists.
func (v *Visitor) Keeper() Keeper {
	return Keeper{v.Scope.Lists(), v.User.ID, v.MayShare()}
}

// MayShare reports whether the visitor may save views for everybody of the tenant, and remove them.
func (v *Visitor) MayShare() bool { return v.Role.May(tenants.SettingsWrite) }

// columnKeys reads keys joined by commas; what the list does not have is left out. ok is false
// where none is left.
func (w Words) columnKeys(s string) (keys []string, ok bool) {
	for _, c := range w.Columns {
		if slices.Contains(strings.Split(s, ","), c.Key) {
			keys = append(keys, c.Key)
		}
	}
	return keys, len(keys) > 0
}

// standard are the columns that the list shows of itself.
func (w Words) standard() (keys []string) {
	for _, c := range w.Columns {
		if !c.Off {
			keys = append(keys, c.Key)
		}
	}
	return keys
}

// Chosen are those of the keys that the list has, in its order. It is empty for the list's own
// columns: nothing then needs to be kept.
func (w Words) Chosen(keys []string) []string {
	chosen, _ := w.columnKeys(strings.Join(keys, ","))
	if slices.Equal(chosen, w.standard()) {
		return nil
	}
	return chosen
}

// dress adds to a table which columns are shown, what else can be, and the saved views.
func (l List[T]) dress(ctx context.Context, q *Query, t *views.Table) error {
	if l.Keeper.user == "" {
		return nil
	}
	kept, err := l.Keeper.lists.Kept(ctx, l.Keeper.user, l.File)
	if err != nil {
		return err
	}
	t.List, t.MayShare, t.Asked = l.File, l.Keeper.share, q.columns
	shown := l.standard()
	for _, s := range []string{kept.Columns, q.columns} { // an address says more than what is kept
		if chosen, ok := l.columnKeys(s); ok {
			shown = chosen
		}
	}
	q.shown = strings.Join(l.Chosen(shown), ",")
	t.Chosen, t.Place = q.shown != "", q.whole("")
	t.Hidden = map[string]bool{}
	for _, c := range l.Columns {
		on := slices.Contains(shown, c.Key)
		t.Hidden[c.Key] = !on
		t.Choose = append(t.Choose, views.Tick{Name: "column", Value: c.Key, Label: c.Text, Checked: on, Prefix: "columns-"})
	}
	for _, v := range kept.Views {
		row := views.SavedView{Name: v.Name, Href: l.Path, Shared: v.Shared, Current: strings.TrimPrefix(t.Place, "?") == v.Query}
		if v.Query != "" {
			row.Href += "?" + v.Query
		}
		if v.User == l.Keeper.user || l.Keeper.share {
			row.Remove = views.ViewRemovePath(string(v.ID))
		}
		t.Views = append(t.Views, row)
	}
	return nil
}

// fileColumns are the places of Head that the file has: all of them, without those of columns that
// the address leaves out.
func (l List[T]) fileColumns(q *Query) (at []int) {
	shown, ok := l.columnKeys(q.columns)
	out := map[string]bool{}
	for _, c := range l.Columns {
		for _, name := range c.File {
			out[name] = ok && !slices.Contains(shown, c.Key)
		}
	}
	for i, name := range l.Head {
		if !out[name] {
			at = append(at, i)
		}
	}
	return at
}

func pick(row []string, at []int) []string {
	out := make([]string, len(at))
	for i, n := range at {
		out[i] = row[n]
	}
	return out
}

// ViewQuery is the query of an address as a saved view keeps it: without the page of the list.
func ViewQuery(query string) (string, error) {
	v, err := url.ParseQuery(strings.TrimPrefix(query, "?"))
	if err != nil || len(query) > 2000 {
		return "", tenants.Refuse(tenants.Invalid, "invalid", "This search cannot be saved. Set it again and try once more.")
	}
	for _, name := range []string{"after", "upto", "row", "second"} {
		v.Del(name)
	}
	for name, values := range v {
		if strings.Join(values, "") == "" {
			v.Del(name)
		}
	}
	return v.Encode(), nil
}
