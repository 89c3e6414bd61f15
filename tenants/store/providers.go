package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
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
	if p.Claims, err = s.claims(s.reads().query(ctx, claimsOf, uuid(s.id))); err != nil {
		return p, translate(err)
	}
	for _, d := range p.Claims {
		p.Domains = append(p.Domains, d.Domain)
	}
	return p, nil
}

const claimsOf = "SELECT domain, token, verified_at, lost_at FROM oidc_domains WHERE tenant_id = ? ORDER BY domain"

// claims reads the rows of claimsOf.
func (s Providers) claims(rows *sql.Rows, err error) ([]tenants.DomainClaim, error) {
	type row struct {
		domain, token string
		at, lost      int64
	}
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.domain, &r.token, &r.at, &r.lost} })
	return nouns(found, func(r row) tenants.DomainClaim {
		return tenants.DomainClaim{Domain: r.domain, Token: r.token, VerifiedAt: moment(r.at), LostAt: moment(r.lost)}
	}), err
}

// OnlyWay reports whether nobody but owners may sign in to the tenant with a password. Without a
// verified domain the provider admits nobody new, so that it is not the only way in.
func (s Providers) OnlyWay(ctx context.Context) (bool, error) {
	n, err := one(s.reads().query(ctx, "SELECT COUNT(*) FROM oidc_providers WHERE tenant_id = ? AND only_way = ? "+
		"AND EXISTS (SELECT 1 FROM oidc_domains d WHERE d.tenant_id = oidc_providers.tenant_id AND d.verified_at > 0)", uuid(s.id), true))
	return n > 0, err
}

// Set sets the provider; p.Claims is not read. A domain that is new is not verified. With another
// issuer, client or domains, the sign-ins that it vouched for end. With OnlyWay, sign-ins with a
// password end, but not those of owners; while no domain is verified, it is refused as
// Unprocessable.
func (s Providers) Set(ctx context.Context, p tenants.Provider) error {
	blob, err := s.s.seal.Seal([]byte(p.Secret), s.sealedAs()...)
	if err != nil {
		return fmt.Errorf("store: provider of %s: %w", s.id, err)
	}
	return s.write(ctx, func(t *tx) error {
		was, had, err := s.source(t)
		if err != nil {
			return err
		}
		same := was.Issuer == p.Issuer && was.ClientID == p.ClientID
		_, err = t.exec("INSERT INTO oidc_providers (tenant_id, issuer, client_id, sealed, role, only_way, updated_at) "+
			"VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_id) DO UPDATE SET "+
			replaced("issuer, client_id, sealed, role, only_way, updated_at"),
			uuid(s.id), p.Issuer, p.ClientID, blob, string(p.Role), p.OnlyWay, micros(s.s.now()))
		if err != nil {
			return err
		}
		changed, err := s.setDomains(t, p.Domains)
		if err != nil {
			return err
		}
		if !same || changed {
			if _, err := t.exec("DELETE FROM sign_ins WHERE tenant_id = ? AND provider = ?", uuid(s.id), true); err != nil {
				return err
			}
		}
		if p.OnlyWay {
			if err := s.proved(t); err != nil {
				return err
			}
			if _, err := t.exec("DELETE FROM sign_ins WHERE tenant_id = ? AND provider = ? AND user_id NOT IN "+
				"(SELECT user_id FROM members WHERE tenant_id = ? AND role = ?)", uuid(s.id), false, uuid(s.id),
				string(tenants.Owner)); err != nil {
				return err
			}
		}
		c := changes{}
		c.set("issuer", was.Issuer, p.Issuer)
		c.set("client_id", was.ClientID, p.ClientID)
		c.set("domains", strings.Join(had, ", "), strings.Join(slices.Sorted(slices.Values(p.Domains)), ", "))
		c.set("first_role", string(was.Role), string(p.Role))
		c.set("only_way", onOff(was.OnlyWay), onOff(p.OnlyWay))
		return t.auditSet(s.scope, "provider.set", p.Issuer, strings.Join(p.Domains, ", "), c...)
	})
}

// proved refuses a tenant that has verified none of its domains.
func (s Providers) proved(t *tx) error {
	n, err := t.tally("SELECT COUNT(*) FROM oidc_domains WHERE tenant_id = ? AND verified_at > 0", uuid(s.id))
	if err == nil && n == 0 {
		err = tenants.Refuse(tenants.Unprocessable, "domain_unverified", "Prove a domain first: until then the provider admits nobody "+
			"new, and everybody but owners would be locked out. Save without this choice, verify a domain, then choose it.")
	}
	return err
}

// source is the stored provider without its secret, and its domains.
func (s Providers) source(t *tx) (was tenants.Provider, domains []string, err error) {
	err = t.row("SELECT issuer, client_id, role, only_way FROM oidc_providers WHERE tenant_id = ?", []any{uuid(s.id)}, &was.Issuer,
		&was.ClientID, (*string)(&was.Role), &was.OnlyWay)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return was, nil, err
	}
	claims, err := s.claims(t.query(context.Background(), claimsOf, uuid(s.id)))
	for _, d := range claims {
		domains = append(domains, d.Domain)
	}
	return was, domains, err
}

// setDomains keeps the claims of domains that stay, with their proof. It reports whether any came
// or went. A claim without a token could never be proved and begins again: a node of an older
// version saved it during an upgrade.
func (s Providers) setDomains(t *tx, domains []string) (changed bool, err error) {
	old, err := s.claims(t.query(context.Background(), claimsOf, uuid(s.id)))
	if err != nil {
		return false, err
	}
	var had []string
	for _, d := range old {
		if d.Token != "" && slices.Contains(domains, d.Domain) {
			had = append(had, d.Domain)
			continue
		}
		changed = true
		if _, err := t.exec("DELETE FROM oidc_domains WHERE tenant_id = ? AND domain = ?", uuid(s.id), d.Domain); err != nil {
			return false, err
		}
		if err := t.alerts().settle(s.scope, d.Domain); err != nil {
			return false, err
		}
	}
	for _, d := range domains {
		if slices.Contains(had, d) {
			continue
		}
		changed = true
		if _, err := t.exec("INSERT INTO oidc_domains (domain, tenant_id, token, verified_at) VALUES (?, ?, ?, 0)", d, uuid(s.id),
			tenants.NewRandomID()); err != nil {
			return false, err
		}
	}
	return changed, nil
}

// Remove removes the provider, and ends the sign-ins that it vouched for.
func (s Providers) Remove(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error {
		_, had, err := s.source(t)
		if err != nil {
			return err
		}
		for _, d := range had {
			if err := t.alerts().settle(s.scope, d); err != nil {
				return err
			}
		}
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

// ProviderOf finds the tenant whose provider signs in addresses of a domain that it has verified;
// Unknown when there is none. Where nobody has verified it now, it is who had last: the members of
// that tenant still sign in.
func (s *Store) ProviderOf(ctx context.Context, domain string) (tenants.TenantID, error) {
	return s.providerBy(ctx, "SELECT tenant_id FROM oidc_domains WHERE domain = ? AND (verified_at > 0 OR lost_at > 0) "+
		"ORDER BY verified_at DESC, lost_at DESC LIMIT 1", domain)
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
	Network string // that began it
}

// Bounds of the sign-ins under way at providers: of all tenants, of one, and of one network.
const (
	mostStarts          = 20_000
	mostStartsOfTenant  = 2_000
	mostStartsOfNetwork = 500
)

// StartAtProvider notes a sign-in that is sent to a provider. Too many under way are refused:
// TooMany for the tenant and the network, Unavailable for all tenants together.
func (s *Store) StartAtProvider(ctx context.Context, x ProviderStart) error {
	return s.w.do(ctx, allTenants, func(t *tx) error {
		if _, err := t.exec("DELETE FROM oidc_starts WHERE expires_at <= ?", micros(s.now())); err != nil {
			return err
		}
		for _, b := range []struct {
			which string
			args  []any
			most  int64
			kind  tenants.Kind
			says  string
		}{
			{" WHERE network = ?", []any{x.Network}, mostStartsOfNetwork, tenants.TooMany,
				"Too many sign-ins were begun from your network. Try again in a few minutes."},
			{" WHERE tenant = ?", []any{uuid(x.Tenant)}, mostStartsOfTenant, tenants.TooMany,
				"Too many people of this organisation are signing in. Try again in a few minutes."},
			{"", nil, mostStarts, tenants.Unavailable, "Too many people are signing in. Try again in a minute."},
		} {
			n, err := t.tally("SELECT COUNT(*) FROM oidc_starts"+b.which, b.args...)
			if err != nil {
				return err
			}
			if n >= b.most {
				return &tenants.Error{Kind: b.kind, Code: "too_many_tries", Msg: b.says, RetryAfter: time.Minute}
			}
		}
		_, err := t.exec("INSERT INTO oidc_starts (hash, tenant, next, fresh_at, expires_at, network) VALUES (?, ?, ?, ?, ?, ?)", x.Hash[:],
			uuid(x.Tenant), x.Next, micros(x.Fresh), micros(x.Expires), x.Network)
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
// subject. The first time the address decides, and only if its domain is verified: among members,
// and addresses that nobody has an account with. An account that somebody has elsewhere is joined
// by its person alone, with the link of an invitation: a provider must not open it. Owners are
// never signed in so, because an administrator chooses the provider.
func (s Providers) Welcome(ctx context.Context, p tenants.Provider, who tenants.Identity) (user tenants.User, err error) {
	err = s.s.w.do(ctx, allTenants, func(t *tx) error {
		user, err = t.people().welcome(s.scope, p, who, s.s.now())
		return err
	})
	return user, err
}

// guest is who a provider speaks of, before it is known whether they may come in.
type guest struct {
	row   userRow
	known bool // by issuer and subject
	fresh bool // there is no account with the address
}

func (t peopleTx) guest(s *scope, who tenants.Identity, now time.Time) (g guest, err error) {
	err = t.db().Table("users").Where("id IN (SELECT user_id FROM oidc_subjects WHERE tenant_id = ? AND issuer = ? AND subject = ?)",
		uuid(s.id), who.Issuer, who.Subject).Take(&g.row).Error
	if g.known = err == nil; g.known || !absent(err) {
		return g, err
	}
	verified, err := t.tally("SELECT COUNT(*) FROM oidc_domains WHERE tenant_id = ? AND domain = ? AND verified_at > 0", uuid(s.id),
		tenants.DomainOf(who.Email))
	if err != nil {
		return g, err
	}
	if verified == 0 {
		return g, tenants.Refuse(tenants.Forbidden, "domain_unverified", "Your organisation has not proved yet that %s is its domain. "+
			"Ask an administrator to add its DNS record: Settings, Sign-in.", tenants.DomainOf(who.Email))
	}
	err = t.db().Where("email = ?", who.Email).Take(&g.row).Error
	if g.fresh = absent(err); g.fresh {
		g.row, err = rowOfUser(tenants.User{ID: tenants.NewID[tenants.UserID](now), Email: who.Email, Name: who.Name, Theme: "auto",
			CreatedAt: now, Unproven: true}), nil
	}
	return g, err
}

func (t peopleTx) welcome(s *scope, p tenants.Provider, who tenants.Identity, now time.Time) (tenants.User, error) {
	g, err := t.guest(s, who, now)
	if err != nil {
		return tenants.User{}, err
	}
	if g.row.DisabledAt != 0 {
		return tenants.User{}, tenants.Refuse(tenants.Forbidden, "account_disabled", "This account is disabled.")
	}
	role, err := t.role(s, tenants.UserID(g.row.ID))
	if tenants.KindOf(err) == tenants.Unknown && err != nil {
		role, err = t.admit(s, p, g, now)
	}
	if err == nil && role == tenants.Owner {
		err = tenants.Refuse(tenants.Forbidden, "owner_password", "Owners sign in with their password.")
	}
	if err != nil || g.known {
		return g.row.noun(), err
	}
	_, err = t.exec("INSERT INTO oidc_subjects (tenant_id, issuer, subject, user_id, created_at) VALUES (?, ?, ?, ?, ?)", uuid(s.id),
		who.Issuer, who.Subject, g.row.ID, micros(now))
	return g.row.noun(), err
}

// admit joins somebody who is no member: with the role of their invitation, or, if there is no
// account with the address, with the provider's. It refuses the account of a person who can open it
// without this provider.
func (t peopleTx) admit(s *scope, p tenants.Provider, g guest, now time.Time) (tenants.Role, error) {
	role := p.Role
	var i invitationRow
	err := s.in(t.db(), "invitations").Where("email = ? AND expires_at > ?", g.row.Email, micros(now)).Take(&i).Error
	if err != nil && !absent(err) {
		return "", err
	}
	invited := err == nil
	own, err := t.ownedElsewhere(g)
	switch {
	case err != nil:
		return "", err
	case invited && own:
		return "", tenants.Refuse(tenants.Forbidden, "accept_invitation",
			"You have an account with this address and were invited to this organisation. Accept the invitation in the mail first, "+
				"with the password of your account. After that, sign in here.")
	case invited:
		role = tenants.Role(i.Role)
	case g.known:
		return "", tenants.Refuse(tenants.Forbidden, "no_member", "You are no longer a member of this organisation.")
	case !g.fresh:
		return "", tenants.Refuse(tenants.Forbidden, "not_invited",
			"There is an account with this address that is no member of the organisation. Ask an administrator to invite it.")
	}
	if role == tenants.Owner {
		return role, nil // refused by welcome
	}
	if err := t.mayAddPerson(s, g.row.Email); err != nil {
		return "", err
	}
	if g.fresh {
		if err := t.db().Create(&g.row).Error; err != nil {
			return "", err
		}
	}
	if _, err := t.exec("DELETE FROM invitations WHERE tenant_id = ? AND email = ?", uuid(s.id), g.row.Email); err != nil {
		return "", err
	}
	by := s.by(Who{Actor: tenants.Actor{Kind: tenants.ActorUser, ID: string(g.row.ID), Name: g.row.Name}, IP: s.who.IP,
		RequestID: s.who.RequestID})
	return role, t.join(by, tenants.Member{Tenant: s.id, User: tenants.UserID(g.row.ID), Role: role, CreatedAt: now})
}

// ownedElsewhere reports whether somebody can use the account without this provider: they proved
// the address, have a password or a second step, or are a member of any tenant.
func (t peopleTx) ownedElsewhere(g guest) (bool, error) {
	if g.fresh {
		return false, nil
	}
	if !g.row.Unproven || g.row.Password != "" || g.row.TwoSteps {
		return true, nil
	}
	n, err := t.tally("SELECT COUNT(*) FROM members WHERE user_id = ?", g.row.ID)
	return n > 0, err
}
