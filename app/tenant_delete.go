package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/tenants"
)

type tenantDeleteCmd struct {
	Slug string `help:"Short name of the tenant (required)."`
	Now  bool   `help:"Without the 14 days in which an owner can undo it."`
	Keep bool   `help:"Undo a deletion that has not begun."`
	Database
}

// Help says what happens.
func (t *tenantDeleteCmd) Help() string {
	return `carillon tenant delete --slug elm
carillon tenant delete --slug elm --keep

The tenant is suspended at once. After 14 days a running server removes all its rows and ends its subscription. What remains is its ID, the
dates, a count and the signed end of its audit log.`
}

// Run has the tenant deleted, or undoes that.
func (t *tenantDeleteCmd) Run(ctx context.Context, c terminal) (err error) {
	if t.Slug == "" || t.Now && t.Keep {
		return misused{errors.New("--slug: give the short name of the tenant, and not both --now and --keep")}
	}
	s, err := t.open(ctx, c, tenants.Plans{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	found, err := bySlug(ctx, s, t.Slug)
	if err != nil {
		return err
	}
	scope := s.For(found.ID).By(commandLine)
	if t.Keep {
		if err := scope.KeepTenant(ctx); err != nil {
			return err
		}
		_, err = fmt.Fprintf(c.out, "%s is kept.\n", found.Name)
		return err
	}
	grace := tenants.DeletionGrace
	if t.Now {
		grace = 0
	}
	at, err := scope.AskDeletion(ctx, grace)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "%s is suspended. A running server deletes it after %s.\n", found.Name, at.UTC().Format(time.RFC3339))
	return err
}
