package store

import (
	"context"
	"database/sql"
	"errors"

	"carillon/tenants"
)

// Verify notes that the tenant proved a claim. One that is unknown, or has another token by now, is
// Unknown; a domain that another tenant has verified is a Conflict.
func (s Providers) Verify(ctx context.Context, d tenants.DomainClaim) error {
	now := s.s.now()
	return s.write(ctx, func(t *tx) error {
		n, err := t.change("UPDATE oidc_domains SET verified_at = ?, check_at = ?, failures = 0, failed_at = 0, lost_at = 0 "+
			"WHERE tenant_id = ? AND domain = ? AND token = ?", micros(now), micros(tenants.DomainChecks{}.Then(tenants.DomainProved,
			now).Next), uuid(s.id), d.Domain, d.Token)
		switch {
		case err != nil:
			return taken(err, "Another organisation has verified "+d.Domain+".")
		case n == 0:
			return tenants.NoSuch("domain")
		}
		if err := t.alerts().settle(s.scope, d.Domain); err != nil {
			return err
		}
		return t.audit(s.scope, "provider.domain", d.Domain, "")
	})
}

// Checked notes what a check of a verified domain found. With the last failure that is allowed, the
// domain is not verified any more, and an alert says so. A claim that was changed since d was read
// is Unknown and stays as it is.
func (s Providers) Checked(ctx context.Context, d tenants.DomainClaim, a tenants.DomainAnswer) error {
	now := s.s.now()
	return s.write(ctx, func(t *tx) error {
		var was tenants.DomainChecks
		var since int64
		err := t.row("SELECT failures, failed_at FROM oidc_domains WHERE tenant_id = ? AND domain = ?", []any{uuid(s.id), d.Domain},
			&was.Failures, &since)
		if errors.Is(err, sql.ErrNoRows) {
			return tenants.NoSuch("domain")
		}
		if err != nil {
			return err
		}
		if was.Since = moment(since); was.Since.Before(d.VerifiedAt) { // a node of an older version verified it since
			was = tenants.DomainChecks{}
		}
		next, verified, lost := was.Then(a, now), d.VerifiedAt, d.LostAt
		if next.Lost {
			verified, lost = moment(0), now
		}
		n, err := t.change("UPDATE oidc_domains SET failures = ?, failed_at = ?, check_at = ?, verified_at = ?, lost_at = ? "+
			"WHERE tenant_id = ? AND domain = ? AND token = ? AND verified_at = ?", next.Failures, micros(next.Since), micros(next.Next),
			micros(verified), micros(lost), uuid(s.id), d.Domain, d.Token, micros(d.VerifiedAt))
		if err == nil && n == 0 {
			err = tenants.NoSuch("domain")
		}
		if err != nil || !next.Lost {
			return err
		}
		if err := t.audit(s.scope, "provider.lost", d.Domain, ""); err != nil {
			return err
		}
		_, err = t.alerts().alert(s.scope, tenants.AlertDomain, d.Domain, tenants.DomainWarning(d))
		return err
	})
}

// DueDomain is a verified domain that is to be checked again.
type DueDomain struct {
	Tenant tenants.TenantID
	tenants.DomainClaim
}

// domainsAtOnce bounds DueDomains.
const domainsAtOnce = 50

// DueDomains are verified domains of every tenant that are due for a check, at most domainsAtOnce.
func (s *Store) DueDomains(ctx context.Context) ([]DueDomain, error) {
	type row struct {
		tenant        uuid
		domain, token string
		at            int64
	}
	rows, err := s.db.through(allTenants).query(ctx, "SELECT tenant_id, domain, token, verified_at FROM oidc_domains "+
		"WHERE verified_at > 0 AND check_at <= ? ORDER BY check_at, domain LIMIT ?", micros(s.now()), domainsAtOnce)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.tenant, &r.domain, &r.token, &r.at} })
	return nouns(found, func(r row) DueDomain {
		return DueDomain{tenants.TenantID(r.tenant), tenants.DomainClaim{Domain: r.domain, Token: r.token, VerifiedAt: moment(r.at)}}
	}), translate(err)
}
