package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// Resolver looks TXT records up. *net.Resolver does.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// lookupTime is how long the DNS of a domain may take.
const lookupTime = 5 * time.Second

// LookUpDomain asks the DNS for the record of a claim. The error says why the DNS did not answer;
// the answer is tenants.DomainSilent then.
func LookUpDomain(ctx context.Context, r Resolver, d tenants.DomainClaim) (tenants.DomainAnswer, error) {
	limit, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	records, err := r.LookupTXT(limit, d.Domain+".") // with the dot no search domain of this machine is added
	var none *net.DNSError
	switch {
	case err != nil && (!errors.As(err, &none) || !none.IsNotFound):
		return tenants.DomainSilent, err
	case d.Proves(records):
		return tenants.DomainProved, nil
	}
	return tenants.DomainUnproved, nil
}

// ReviewDomains looks up again the records of verified domains, each once a week. A domain whose
// record was not there three times over three days is not verified any more, and gets an alert. A
// DNS that does not answer is asked again an hour later, and takes nothing from anybody.
func (m *Monitor) ReviewDomains(ctx context.Context, r Resolver) error {
	due, err := m.Store.DueDomains(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, d := range due {
		answer, err := LookUpDomain(ctx, r, d.DomainClaim)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			m.Log.Warn("a domain was not looked up", "domain", d.Domain, "err", err)
		}
		scope := m.Store.For(d.Tenant).By(store.Who{Actor: tenants.System})
		if err := ignoreUnknown(scope.Providers().Checked(ctx, d.DomainClaim, answer)); err != nil { // it was changed just now
			errs = append(errs, fmt.Errorf("domain %s: %w", d.Domain, err))
		}
	}
	return errors.Join(errs...)
}
