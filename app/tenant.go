package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"carillon/app/language"
	"carillon/tenants"
	"carillon/tenants/store"
)

// tenantCmd manages tenants.
type tenantCmd struct {
	Create  tenantCreateCmd  `cmd:"" help:"Make a tenant with its owner; prints an invitation link and an API key once."`
	List    tenantListCmd    `cmd:"" help:"List the tenants, by name."`
	Plan    tenantPlanCmd    `cmd:"" help:"Give a tenant a plan by hand."`
	Suspend tenantSuspendCmd `cmd:"" help:"Stop a tenant: nobody signs in, no key and no phone of it works. Nothing is removed."`
	Resume  tenantResumeCmd  `cmd:"" help:"Let a suspended tenant work again. This also cancels its deletion."`
	Delete  tenantDeleteCmd  `cmd:"" help:"Delete a tenant after 14 days, or undo that."`
}

type tenantCreateCmd struct {
	Name      string `help:"Name as people read it (required)."`
	Slug      string `help:"Short name for addresses, 2 to 40 of a-z, 0-9 and '-' (required)."`
	Industry  string `help:"The line of business (required); 'carillon industry list' prints all."`
	Email     string `help:"Mail address of the owner (required)."`
	TimeZone  string `help:"IANA time zone." default:"UTC"`
	PublicURL string `help:"The https:// address that people use." default:"http://127.0.0.1:8080" env:"CARILLON_PUBLIC_URL"`
	JSON      bool   `help:"Print one JSON line."`
	IndustryFolder
	Database
}

// Help gives an example.
func (t *tenantCreateCmd) Help() string {
	return `carillon tenant create --name "Elm Dental" --slug elm --industry healthcare --email ada@example.com`
}

// createdTenant is what tenant create prints, once.
type createdTenant struct {
	TenantID   tenants.TenantID `json:"tenant_id"`
	Invitation string           `json:"invitation"`
	APIKey     string           `json:"api_key"`
}

// invitationTTL is how long an invitation link works.
const invitationTTL = 7 * 24 * time.Hour

// Run makes the tenant, or reports every fault of the flags together and makes nothing.
func (t *tenantCreateCmd) Run(ctx context.Context, c terminal) (err error) {
	industries, err := t.IndustryFolder.read()
	if err != nil {
		return fmt.Errorf("CARILLON_INDUSTRIES: %w", err)
	}
	o := t.newTenant(industries, c.now())
	wrong := t.check(o)
	if len(wrong) > 0 && !t.databaseExists() {
		return misused{errors.Join(wrong...)}
	}
	s, err := t.Database.open(ctx, c, tenants.Plans{})
	if err != nil && len(wrong) == 0 {
		return err
	}
	if err != nil {
		return misused{errors.Join(append(wrong, err)...)}
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if len(wrong) > 0 {
		if _, err := bySlug(ctx, s, t.Slug); err == nil {
			wrong = append(wrong, t.slugTaken())
		}
		return misused{errors.Join(wrong...)}
	}
	link, secret := tenants.NewSecret(tenants.InvitationPrefix), tenants.NewSecret(tenants.LivePrefix)
	o.Invitation.Hash, o.KeyHash, o.Key.Last4 = link.Hash(), secret.Hash(), string(secret)[len(secret)-4:]
	if err := s.Tenants().Open(ctx, o); tenants.KindOf(err) == tenants.Conflict {
		return t.slugTaken()
	} else if err != nil {
		return err
	}
	return t.print(c, createdTenant{
		TenantID: o.Tenant.ID, Invitation: strings.TrimSuffix(t.PublicURL, "/") + "/invitations/" + string(link), APIKey: string(secret),
	})
}

// databaseExists reports whether a database can be asked for further faults. It makes none.
func (t *tenantCreateCmd) databaseExists() bool {
	if t.URL != "" {
		return t.Database.check() == nil
	}
	_, err := os.Stat(filepath.Join(t.Data, "carillon.db"))
	return err == nil && t.isPrivate() == nil
}

func (t *tenantCreateCmd) slugTaken() error {
	return fmt.Errorf("--slug: another tenant already has %q; choose another one", t.Slug)
}

// check names every flag that is wrong.
func (t *tenantCreateCmd) check(o store.NewTenant) (wrong []error) {
	given := map[string]string{"name": t.Name, "slug": t.Slug, "industry": t.Industry, "email": t.Email, "time_zone": t.TimeZone}
	say := func(field, must string) {
		flag := "--" + strings.ReplaceAll(field, "_", "-")
		if given[field] == "" {
			wrong = append(wrong, fmt.Errorf("%s is missing; give %s", flag, must))
		} else {
			wrong = append(wrong, fmt.Errorf("%s: %q cannot be used; give %s", flag, given[field], must))
		}
	}
	var e *tenants.Error
	if errors.As(o.Tenant.Check(), &e) {
		for _, f := range e.Fields {
			say(f.Name, f.Message)
		}
	}
	if o.Invitation.Email == "" {
		say("email", "the owner's email address, such as ada@example.com")
	}
	var f configFaults
	f.add("CARILLON_PUBLIC_URL", publicURL(t.PublicURL))
	f.add("CARILLON_DATABASE_URL", t.Database.check())
	if t.URL == "" {
		f.add("CARILLON_DATA", folder(t.Data))
	}
	return append(wrong, f...)
}

// newTenant is what the flags ask for, still without secrets.
func (t *tenantCreateCmd) newTenant(in *tenants.Industries, now time.Time) store.NewTenant {
	who := commandLine
	id := tenants.NewID[tenants.TenantID](now)
	email, _ := tenants.ParseEmail(t.Email)
	tenant := in.Of(tenants.Tenant{
		ID: id, Slug: t.Slug, Name: language.Composed(t.Name), Industry: tenants.Industry(t.Industry),
		State: tenants.TenantActive, TimeZone: t.TimeZone, RingTTL: tenants.DefaultTTL, CreatedAt: now,
	})
	return store.NewTenant{
		Tenant: tenant, Agents: tenant.File().NewAgents(tenant, now),
		Invitation: store.Invitation{Tenant: id, Email: email, Role: tenants.Owner, By: who.Actor, CreatedAt: now,
			ExpiresAt: now.Add(invitationTTL)},
		Key: tenants.Key{ID: tenants.NewID[tenants.KeyID](now), Tenant: id, Name: "First key",
			Permissions: tenants.Scopes(), CreatedAt: now},
		Who: who,
	}
}

func (t *tenantCreateCmd) print(c terminal, m createdTenant) error {
	if t.JSON {
		return json.NewEncoder(c.out).Encode(m)
	}
	email, _ := tenants.ParseEmail(t.Email)
	fmt.Fprintf(c.out, "Tenant      %s\nInvitation  %s\n            send it to %s; it works once, for seven days\n"+
		"API key     %s\n            shown once; keep it safe\n",
		m.TenantID, m.Invitation, email, m.APIKey)
	return nil
}
