package app

import (
	"errors"
	"net/netip"
	"net/url"

	"carillon/app/factor"
	"carillon/app/page"
)

// BreachedPasswords configures whether new passwords are compared with those of data breaches.
type BreachedPasswords struct {
	BreachedPasswordsURL string `help:"Address of the range protocol of Have I Been Pwned, such as https://api.pwnedpasswords.com/range: refuses new passwords known from a breach. The password never leaves the server. Empty = nobody is asked." env:"CARILLON_BREACHED_PASSWORDS_URL"`
}

// open makes what asks; nil when nobody is asked.
func (b BreachedPasswords) open() (*page.Breaches, error) {
	if b.BreachedPasswordsURL == "" {
		return nil, nil
	}
	return page.NewBreaches(b.BreachedPasswordsURL)
}

func (b BreachedPasswords) check() error {
	_, err := b.open()
	return err
}

// openPasskeys makes what checks passkeys; nil where the server has no domain name. Of a server on
// this machine, such as dev mode on 127.0.0.1, they work on the pages opened as localhost.
func openPasskeys(publicURL string) (*factor.Passkeys, error) {
	p, err := factor.NewPasskeys(publicURL)
	if !errors.Is(err, factor.ErrNoDomain) {
		return p, err
	}
	u, err := url.Parse(publicURL)
	if err != nil {
		return nil, err
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err != nil || !ip.IsLoopback() {
		return nil, nil
	}
	return factor.NewPasskeys(u.Scheme + "://localhost:" + u.Port())
}
