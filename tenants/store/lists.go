package store

import (
	"context"
	"strings"

	"carillon/tenants"
)

// Lists is how the tenant's people look at lists: the columns that each of them chose, and the
// views that they saved.
type Lists struct{ *scope }

// Lists returns the tenant's Lists.
func (s *Scope) Lists() Lists { return Lists{&s.scope} }

// KeptList is what one person keeps of a list.
type KeptList struct {
	Columns string // keys, joined by commas; empty = the list's own
	Views   []tenants.SavedView
}

type viewRow struct {
	id, user          uuid
	list, name, query string
	shared            bool
	created           int64
}

const viewColumns = "id, user_id, list, name, query, shared, created_at"

func (r *viewRow) fields() []any {
	return []any{&r.id, &r.user, &r.list, &r.name, &r.query, &r.shared, &r.created}
}

func (r viewRow) noun() tenants.SavedView {
	return tenants.SavedView{ID: tenants.ViewID(r.id), User: tenants.UserID(r.user), List: r.list, Name: r.name, Query: r.query,
		Shared: r.shared, CreatedAt: moment(r.created)}
}

// Kept reads what a person keeps of a list: their own views and those that are shared, by name.
func (s Lists) Kept(ctx context.Context, user tenants.UserID, list string) (k KeptList, err error) {
	rows, err := s.reads().query(ctx, "SELECT columns FROM list_columns WHERE tenant_id = ? AND user_id = ? AND list = ?",
		uuid(s.id), uuid(user), list)
	columns, err := collect(rows, err, func(c *string) []any { return []any{c} })
	if err != nil {
		return k, translate(err)
	}
	k.Columns = strings.Join(columns, "")
	rows, err = s.reads().query(ctx, "SELECT "+viewColumns+" FROM saved_views WHERE tenant_id = ? AND list = ? AND "+
		"(shared OR user_id = ?) ORDER BY shared, LOWER(name), id", uuid(s.id), list, uuid(user))
	views, err := collect(rows, err, (*viewRow).fields)
	k.Views = nouns(views, viewRow.noun)
	return k, translate(err)
}

// SetColumns keeps the columns that a person chose for a list; none of them brings the list's own
// back. It leaves no audit row: nobody else sees it.
func (s Lists) SetColumns(ctx context.Context, user tenants.UserID, list string, columns []string) error {
	return s.s.w.do(ctx, s.access(), func(t *tx) error {
		if len(columns) == 0 {
			_, err := t.exec("DELETE FROM list_columns WHERE tenant_id = ? AND user_id = ? AND list = ?", uuid(s.id), uuid(user), list)
			return err
		}
		_, err := t.exec("INSERT INTO list_columns (tenant_id, user_id, list, columns) VALUES (?, ?, ?, ?) "+
			"ON CONFLICT (tenant_id, user_id, list) DO UPDATE SET columns = excluded.columns",
			uuid(s.id), uuid(user), list, strings.Join(columns, ","))
		return err
	})
}

// AddView saves a view.
func (s Lists) AddView(ctx context.Context, v tenants.SavedView) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.room(s.scope, tenants.CapViews, "saved_views", "shared = ? AND (shared OR user_id = ?)", v.Shared,
			uuid(v.User)); err != nil {
			return err
		}
		_, err := t.exec("INSERT INTO saved_views (tenant_id, "+viewColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			uuid(s.id), uuid(v.ID), uuid(v.User), v.List, v.Name, v.Query, v.Shared, micros(v.CreatedAt))
		if err != nil {
			return err
		}
		return t.audit(s.scope, "view.add", string(v.ID), v.Name)
	})
}

// View is a saved view that a person sees.
func (s Lists) View(ctx context.Context, user tenants.UserID, id tenants.ViewID) (tenants.SavedView, error) {
	rows, err := s.reads().query(ctx, "SELECT "+viewColumns+" FROM saved_views WHERE tenant_id = ? AND id = ? AND (shared OR user_id = ?)",
		uuid(s.id), uuid(id), uuid(user))
	found, err := collect(rows, err, (*viewRow).fields)
	if err != nil {
		return tenants.SavedView{}, translate(err)
	}
	if len(found) == 0 {
		return tenants.SavedView{}, tenants.NoSuch("view")
	}
	return found[0].noun(), nil
}

// RemoveView removes a saved view.
func (s Lists) RemoveView(ctx context.Context, v tenants.SavedView) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.change("DELETE FROM saved_views WHERE tenant_id = ? AND id = ?", uuid(s.id), uuid(v.ID))
		if err != nil {
			return err
		}
		if n == 0 {
			return tenants.NoSuch("view")
		}
		return t.audit(s.scope, "view.remove", string(v.ID), v.Name)
	})
}
