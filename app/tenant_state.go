package app

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

type tenantListCmd struct {
	JSON bool `help:"Print one JSON line for each tenant."`
	Database
}

// Run lists the tenants.
func (l *tenantListCmd) Run(ctx context.Context, c terminal) error {
	return l.with(ctx, c, tenants.Plans{}, func(s *store.Store) error {
		all, err := s.Tenants().List(ctx)
		if err != nil {
			return err
		}
		if l.JSON {
			return jsonLines(c, all, func(t tenants.Tenant) any {
				return map[string]any{"id": t.ID, "slug": t.Slug, "name": t.Name, "industry": t.Industry, "state": t.State,
					"time_zone": t.TimeZone, "created_at": t.CreatedAt.UTC().Format(time.RFC3339), "delete_at": momentOf(t.DeleteAt)}
			})
		}
		w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "SLUG\tNAME\tINDUSTRY\tSTATE\tSINCE\tDELETED ON")
		for _, t := range all {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", t.Slug, printable(t.Name), t.Industry, t.State, t.CreatedAt.Format(time.DateOnly),
				deletionDay(t))
		}
		return w.Flush()
	})
}

type tenantSuspendCmd struct {
	Slug string `required:"" help:"Short name of the tenant."`
	Why  string `required:"" help:"Why, for the tenant's people and the audit log."`
	Database
}

// Validate refuses a reason that nobody could read.
func (t *tenantSuspendCmd) Validate() error {
	if !tenants.ValidText(t.Why, 1, tenants.SuspendedWhyMost) {
		return fmt.Errorf("--why: 1 to %d characters; the tenant's people read it", tenants.SuspendedWhyMost)
	}
	return nil
}

// Run suspends the tenant. Servers learn of it within a second.
func (t *tenantSuspendCmd) Run(ctx context.Context, c terminal) error {
	return t.with(ctx, c, tenants.Plans{}, func(s *store.Store) error {
		found, err := bySlug(ctx, s, t.Slug)
		if err != nil {
			return err
		}
		if err := s.For(found.ID).By(commandLine).Suspend(ctx, t.Why); err != nil {
			return err
		}
		later := ""
		if !found.DeleteAt.IsZero() {
			later = ", which also cancels its deletion on " + deletionDay(found)
		}
		_, err = fmt.Fprintf(c.out, "%s is suspended. Undo it with: carillon tenant resume --slug %s%s\n", found.Name, found.Slug, later)
		return err
	})
}

type tenantResumeCmd struct {
	Slug string `required:"" help:"Short name of the tenant."`
	Database
}

// Run lets the tenant work again. A deletion that was planned is cancelled, and it says so.
func (t *tenantResumeCmd) Run(ctx context.Context, c terminal) error {
	return t.with(ctx, c, tenants.Plans{}, func(s *store.Store) error {
		found, err := bySlug(ctx, s, t.Slug)
		if err != nil {
			return err
		}
		if err := s.For(found.ID).By(commandLine).Resume(ctx); err != nil {
			return err
		}
		said := fmt.Sprintf("%s works again.", found.Name)
		if !found.DeleteAt.IsZero() {
			said += fmt.Sprintf(" Its deletion on %s is cancelled.", deletionDay(found))
		}
		_, err = fmt.Fprintln(c.out, said)
		return err
	})
}

// deletionDay is when the tenant is deleted, "-" for never.
func deletionDay(t tenants.Tenant) string {
	if t.DeleteAt.IsZero() {
		return "-"
	}
	return t.DeleteAt.UTC().Format(time.DateOnly)
}

// jsonLines prints a list as one line of JSON for each entry.
func jsonLines[T any](c terminal, all []T, line func(T) any) error {
	e := json.NewEncoder(c.out)
	e.SetEscapeHTML(false)
	for _, one := range all {
		if err := e.Encode(line(one)); err != nil {
			return err
		}
	}
	return nil
}

// momentOf is a time in JSON, null for none.
func momentOf(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}
