package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"carillon/tenants"
)

// Providers is the tenant's own OpenID provider.
type Providers struct{ *scope }

// Providers returns the tenant's Providers.
func (s *Scope) Providers() Providers { return Providers{&s.scope} }

func (s Providers) sealedAs() []string { return []string{string(s.id), "oidc_providers"} }

// Get is the provider with its secret; Unknown when the tenant has none.
func (s Providers) Get(ctx context.Context) (tenants.Provider, error) {
	type row struct {
		issuer, client, role string
		sealed               []byte
		only                 bool
		at                   int64
	}
	rows, err := s.reads().query(ctx, "SELECT issuer, client_id, sealed, role, only_way, updated_at FROM oidc_providers "+
		"WHERE tenant_id = ?", uuid(s.id))
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.issuer, &r.client, &r.sealed, &r.role, &r.only, &r.at} })
	if err != nil {
		return tenants.Provider{}, translate(err)
	}
	if len(found) == 0 {
		return tenants.Provider{}, tenants.NoSuch("provider")
	}
	r := found[0]
	secret, err := s.s.seal.Open(r.sealed, s.sealedAs()...)
	if err != nil {
		return tenants.Provider{}, fmt.Errorf("store: provider of %s: %w", s.id, err)
	}
	p := tenants.Provider{Issuer: r.issuer, ClientID: r.client, Secret: tenants.Secret(secret), Role: tenants.Role(r.role), OnlyWay: r.only,
		UpdatedAt: moment(r.at)}
	rows, err = s.reads().query(ctx, "SELECT domain FROM oidc_domains WHERE tenant_id = ? ORDER BY domain", uuid(s.id))
	p.Domains, err = collect(rows, err, func(d *string) []any { return []any{d} })
	return p, translate(err)
}

// OnlyWay reports whether nobody but owners may sign in to the tenant with a password.
func (s Providers) OnlyWay(ctx context.Context) (bool, error) {
	n, err := one(s.reads().query(ctx, "SELECT COUNT(*) FROM oidc_providers WHERE tenant_id = ? AND only_way = ?", uuid(s.id), true))
	return n > 0, err
}

// Set sets the provider. A domain that another tenant has is a Conflict. With OnlyWay, sign-ins
// with a password end, but not those of owners.
func (s Providers) Set(ctx context.Context, p tenants.Provider) error {
	blob, err := s.s.seal.Seal([]byte(p.Secret), s.sealedAs()...)
	if err != nil {
		return fmt.Errorf("store: provider of %s: %w", s.id, err)
	}
	return s.s.w.do(ctx, allTenants, func(t *tx) error { // domains are unique over all tenants
		_, err := t.exec("INSERT INTO oidc_providers (tenant_id, issuer, client_id, sealed, role, only_way, updated_at) "+
			"VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_id) DO UPDATE SET "+
			replaced("issuer, client_id, sealed, role, only_way, updated_at"),
			uuid(s.id), p.Issuer, p.ClientID, blob, string(p.Role), p.OnlyWay, micros(s.s.now()))
		if err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM oidc_domains WHERE tenant_id = ?", uuid(s.id)); err != nil {
			return err
		}
		for _, d := range p.Domains {
			if _, err := t.exec("INSERT INTO oidc_domains (domain, tenant_id) VALUES (?, ?)", d, uuid(s.id)); err != nil {
				return taken(err, "Another organisation signs in with addresses of "+d+".")
			}
		}
		if p.OnlyWay {
			if _, err := t.exec("DELETE FROM sign_ins WHERE tenant_id = ? AND provider = ? AND user_id NOT IN "+
				"(SELECT user_id FROM members WHERE tenant_id = ? AND role = ?)", uuid(s.id), false, uuid(s.id),
				string(tenants.Owner)); err != nil {
				return err
			}
		}
		return t.audit(s.scope, "provider.set", p.Issuer, strings.Join(p.Domains, ", "))
	})
}

// Remove removes the provider, and ends the sign-ins that it vouched for.
func (s Providers) Remove(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.change("DELETE FROM oidc_providers WHERE tenant_id = ?", uuid(s.id))
		if err != nil {
			return err
		}
		if n == 0 {
			return tenants.NoSuch("provider")
		}
		if _, err := t.exec("DELETE FROM oidc_subjects WHERE tenant_id = ?", uuid(s.id)); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM sign_ins WHERE tenant_id = ? AND provider = ?", uuid(s.id), true); err != nil {
			return err
		}
		return t.audit(s.scope, "provider.remove", string(s.id), "")
	})
}

// ProviderOf finds the tenant whose provider signs in addresses of a domain; Unknown when there is
// none.
func (s *Store) ProviderOf(ctx context.Context, domain string) (tenants.TenantID, error) {
	return s.providerBy(ctx, "SELECT tenant_id FROM oidc_domains WHERE domain = ?", domain)
}

// ProviderAt finds the tenant with a provider by its short name; Unknown when there is none.
func (s *Store) ProviderAt(ctx context.Context, slug string) (tenants.TenantID, error) {
	return s.providerBy(ctx, "SELECT p.tenant_id FROM oidc_providers p JOIN tenants ON tenants.id = p.tenant_id "+
		"WHERE tenants.slug = ?", slug)
}

func (s *Store) providerBy(ctx context.Context, query, name string) (tenants.TenantID, error) {
	rows, err := s.db.through(allTenants).query(ctx, query, name)
	found, err := collect(rows, err, func(id *uuid) []any { return []any{id} })
	if err == nil && len(found) == 0 {
		return "", tenants.NoSuch("provider")
	}
	if err != nil {
		return "", translate(err)
	}
	return tenants.TenantID(found[0]), nil
}

// ProviderStart is a sign-in that was sent to a provider.
type ProviderStart struct {
	Hash    tenants.Hash // of the secret that the browser holds
	Tenant  tenants.TenantID
	Next    string    // own path to go to afterwards
	Fresh   time.Time // see oidc.Flow; zero = any sign-in will do
	Expires time.Time
}

// mostStarts bounds the sign-ins under way at providers, of all tenants.
const mostStarts = 20_000

// StartAtProvider notes a sign-in that is sent to a provider.
func (s *Store) StartAtProvider(ctx context.Context, x ProviderStart) error {
	return s.w.do(ctx, allTenants, func(t *tx) error {
		if _, err := t.exec("DELETE FROM oidc_starts WHERE expires_at <= ?", micros(s.now())); err != nil {
			return err
		}
		n, err := t.tally("SELECT COUNT(*) FROM oidc_starts")
		if err != nil {
			return err
		}
		if n >= mostStarts {
			return tenants.Refuse(tenants.Unavailable, "too_many_tries", "Too many people are signing in. Try again in a minute.")
		}
		_, err = t.exec("INSERT INTO oidc_starts (hash, tenant, next, fresh_at, expires_at) VALUES (?, ?, ?, ?, ?)", x.Hash[:],
			uuid(x.Tenant), x.Next, micros(x.Fresh), micros(x.Expires))
		return err
	})
}

// FinishAtProvider takes the note out again: it works once. One that is unknown, used or too old is
// Gone.
func (s *Store) FinishAtProvider(ctx context.Context, h tenants.Hash) (x ProviderStart, err error) {
	type row struct {
		tenant      uuid
		next        string
		fresh, ends int64
	}
	err = s.w.do(ctx, allTenants, func(t *tx) error {
		var r row
		rows, err := t.query(ctx, "DELETE FROM oidc_starts WHERE hash = ? RETURNING tenant, next, fresh_at, expires_at", h[:])
		found, err := collect(rows, err, func(r *row) []any { return []any{&r.tenant, &r.next, &r.fresh, &r.ends} })
		if err != nil {
			return err
		}
		if len(found) > 0 {
			r = found[0]
		}
		if len(found) == 0 || micros(s.now()) >= r.ends {
			return tenants.Refuse(tenants.Gone, "sign_in_gone", "This sign-in was used already, or it took too long. Begin again.")
		}
		x = ProviderStart{Hash: h, Tenant: tenants.TenantID(r.tenant), Next: r.next, Fresh: moment(r.fresh), Expires: moment(r.ends)}
		return nil
	})
	return x, err
}

// Welcome finds or makes the person that a provider vouches for. Somebody is known by issuer and
// subject. The first time the address decides, and only among members, invited people and addresses
// without an account: a provider must not open the account of anybody else. Owners are never signed
// in so, because an administrator chooses the provider.
func (s Providers) Welcome(ctx context.Context, p tenants.Provider, who tenants.Identity) (user tenants.User, err error) {
	err = s.s.w.do(ctx, allTenants, func(t *tx) error {
		user, err = t.people().welcome(s.scope, p, who, s.s.now())
		return err
	})
	return user, err
}

func (t peopleTx) welcome(s *scope, p tenants.Provider, who tenants.Identity, now time.Time) (tenants.User, error) {
	var row userRow
	known := t.db().Table("users").Where("id IN (SELECT user_id FROM oidc_subjects WHERE tenant_id = ? AND issuer = ? AND subject = ?)",
		uuid(s.id), who.Issuer, who.Subject).Take(&row).Error
	if known != nil && !absent(known) {
		return tenants.User{}, known
	}
	fresh := false
	if absent(known) {
		err := t.db().Where("email = ?", who.Email).Take(&row).Error
		if err != nil && !absent(err) {
			return tenants.User{}, err
		}
		if fresh = absent(err); fresh {
			row = rowOfUser(tenants.User{ID: tenants.NewID[tenants.UserID](now), Email: who.Email, Name: who.Name, Theme: "auto",
				CreatedAt: now, Unproven: true})
		}
	}
	if row.DisabledAt != 0 {
		return tenants.User{}, tenants.Refuse(tenants.Forbidden, "account_disabled", "This account is disabled.")
	}
	role, err := t.role(s, tenants.UserID(row.ID))
	if tenants.KindOf(err) == tenants.Unknown && err != nil {
		if known == nil {
			return tenants.User{}, tenants.Refuse(tenants.Forbidden, "no_member", "You are no longer a member of this organisation.")
		}
		role, err = t.admit(s, p, who, row, fresh, now)
	}
	if err == nil && role == tenants.Owner {
		err = tenants.Refuse(tenants.Forbidden, "owner_password", "Owners sign in with their password.")
	}
	if err != nil || known == nil {
		return row.noun(), err
	}
	_, err = t.exec("INSERT INTO oidc_subjects (tenant_id, issuer, subject, user_id, created_at) VALUES (?, ?, ?, ?, ?)", uuid(s.id),
		who.Issuer, who.Subject, row.ID, micros(now))
	return row.noun(), err
}

// admit joins somebody who is no member: with the role of their invitation, or, if there is no
// account with the address, with the provider's.
func (t peopleTx) admit(s *scope, p tenants.Provider, who tenants.Identity, row userRow, fresh bool, now time.Time) (tenants.Role, error) {
	role := p.Role
	var i invitationRow
	err := s.in(t.db(), "invitations").Where("email = ? AND expires_at > ?", who.Email, micros(now)).Take(&i).Error
	switch {
	case err == nil:
		role = tenants.Role(i.Role)
	case !absent(err):
		return "", err
	case !fresh:
		return "", tenants.Refuse(tenants.Forbidden, "not_invited",
			"There is an account with this address that is no member of the organisation. Ask an administrator to invite it.")
	}
	if role == tenants.Owner {
		return role, nil // refused by welcome
	}
	if err := t.mayAddPerson(s, who.Email); err != nil {
		return "", err
	}
	if fresh {
		if err := t.db().Create(&row).Error; err != nil {
			return "", err
		}
	}
	if _, err := t.exec("DELETE FROM invitations WHERE tenant_id = ? AND email = ?", uuid(s.id), who.Email); err != nil {
		return "", err
	}
	by := s.by(Who{Actor: tenants.Actor{Kind: tenants.ActorUser, ID: string(row.ID), Name: row.Name}, IP: s.who.IP,
		RequestID: s.who.RequestID})
	return role, t.join(by, tenants.Member{Tenant: s.id, User: tenants.UserID(row.ID), Role: role, CreatedAt: now})
}

// OwnersDomains are the domains of the proven addresses of the tenant's owners.
func (s Providers) OwnersDomains(ctx context.Context) ([]string, error) {
	rows, err := s.reads().query(ctx, "SELECT users.email FROM members JOIN users ON users.id = members.user_id WHERE "+
		"members.tenant_id = ? AND members.role = ? AND users.unproven = ? AND users.disabled_at = 0", uuid(s.id),
		string(tenants.Owner), false)
	found, err := collect(rows, err, func(email *string) []any { return []any{email} })
	for i := range found {
		found[i] = tenants.DomainOf(found[i])
	}
	return found, translate(err)
}
