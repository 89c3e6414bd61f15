package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// tenantCmd manages tenants.
type tenantCmd struct {
	Create tenantCreateCmd `cmd:"" help:"Make a tenant with its owner; prints an invitation link and an API key once."`
	Plan   tenantPlanCmd   `cmd:"" help:"Give a tenant a plan by hand."`
}

type tenantCreateCmd struct {
	Name      string `required:"" help:"Name as people read it."`
	Slug      string `required:"" help:"Short name for addresses: a-z, 0-9 and '-'."`
	Industry  string `required:"" help:"real-estate, healthcare, behavioral-health, legal, salon or insurance."`
	Email     string `required:"" help:"Mail address of the owner."`
	TimeZone  string `help:"IANA time zone." default:"UTC"`
	PublicURL string `help:"The https:// address that people use." default:"http://127.0.0.1:8080" env:"CARILLON_PUBLIC_URL"`
	JSON      bool   `help:"Print one JSON line."`
	Database
}

// made is what tenant create prints, once.
type made struct {
	TenantID   tenants.TenantID `json:"tenant_id"`
	Invitation string           `json:"invitation"`
	APIKey     string           `json:"api_key"`
}

// invitationTTL is how long an invitation link works.
const invitationTTL = 7 * 24 * time.Hour

// Run makes the tenant. Nothing is made when any part is refused.
func (t *tenantCreateCmd) Run(ctx context.Context, c terminal) error {
	email, ok := tenants.Email(t.Email)
	if !ok {
		return errors.New("--email is no mail address")
	}
	s, err := store.Open(ctx, store.Config{URL: t.URL, Dir: t.Data, Now: time.Now, Log: slog.New(slog.NewTextHandler(c.err, nil))})
	if err != nil {
		return err
	}
	out, err := t.create(ctx, s, email)
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	if t.JSON {
		return json.NewEncoder(c.out).Encode(out)
	}
	fmt.Fprintf(c.out, "Tenant      %s\nInvitation  %s\n            send it to %s; it works once, for seven days\nAPI key     %s\n            shown once; keep it safe\n",
		out.TenantID, out.Invitation, email, out.APIKey)
	return nil
}

func (t *tenantCreateCmd) create(ctx context.Context, s *store.Store, email string) (made, error) {
	now := time.Now()
	tenant := tenants.Tenant{
		ID: tenants.NewID[tenants.TenantID](now), Slug: t.Slug, Name: t.Name, Industry: tenants.Industry(t.Industry),
		State: tenants.TenantActive, TimeZone: t.TimeZone, RingTTL: tenants.DefaultTTL, CreatedAt: now,
	}
	if err := tenant.Check(); err != nil {
		return made{}, err
	}
	who := store.Who{Actor: tenants.Actor{Kind: "system", Name: "command line"}}
	if err := s.AddTenant(ctx, who, tenant); err != nil {
		return made{}, err
	}
	scope := s.For(tenant.ID).By(who)
	link, secret := tenants.NewSecret(tenants.InvitationPrefix), tenants.NewSecret(tenants.LivePrefix)
	err := scope.AddInvitation(ctx, store.Invitation{
		Hash: link.Hash(), Tenant: tenant.ID, Email: email, Role: tenants.Owner, By: who.Actor, CreatedAt: now, ExpiresAt: now.Add(invitationTTL),
	})
	if err != nil {
		return made{}, err
	}
	key := tenants.Key{
		ID: tenants.NewID[tenants.KeyID](now), Tenant: tenant.ID, Name: "First key", Last4: string(secret)[len(secret)-4:],
		Permissions: tenants.Permissions, CreatedAt: now,
	}
	if err := scope.AddKey(ctx, key, secret.Hash()); err != nil {
		return made{}, err
	}
	return made{
		TenantID: tenant.ID, Invitation: strings.TrimSuffix(t.PublicURL, "/") + "/invitations/" + string(link), APIKey: string(secret),
	}, nil
}
