package page

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Breaches asks a service whether a password was in a breach, by the range protocol of Have I Been
// Pwned: it sends five of the forty hex digits of the SHA-1, and compares the rest here
// (https://haveibeenpwned.com/API/v3#PwnedPasswords). The service never learns the password.
type Breaches struct {
	base   string
	client *http.Client
	slots  chan struct{}
}

const (
	breachTime   = time.Second
	breachAnswer = 1 << 20 // bytes; a padded answer has about 40,000
	breachesAsk  = 8       // at once
)

var errBreachesBusy = errors.New("page: too many passwords are being checked")

// NewBreaches refuses an address that is not https, and one with a query. Plain http is taken for
// this machine.
func NewBreaches(address string) (*Breaches, error) {
	u, err := url.Parse(address)
	near := err == nil && (u.Hostname() == "127.0.0.1" || u.Hostname() == "localhost" || u.Hostname() == "::1")
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && !(u.Scheme == "http" && near) {
		return nil, fmt.Errorf("%q is not an https:// address, such as https://api.pwnedpasswords.com/range", address)
	}
	return &Breaches{base: strings.TrimRight(address, "/") + "/", slots: make(chan struct{}, breachesAsk), client: &http.Client{
		Timeout: breachTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// Has reports whether the password is known from a breach. It takes a second at most.
func (b *Breaches) Has(ctx context.Context, password string) (bool, error) {
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	default:
		return false, errBreachesBusy
	}
	sum := sha1.Sum([]byte(password)) // the protocol's; it protects nothing here
	digits := strings.ToUpper(hex.EncodeToString(sum[:]))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+digits[:5], nil)
	if err != nil {
		return false, errors.New("page: the address of the service cannot be used")
	}
	req.Header.Set("Add-Padding", "true") // or the length of the answer would tell which five digits were asked for
	req.Header.Set("User-Agent", "Carillon")
	res, err := b.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) { // its text has the five digits
			err = u.Err
		}
		return false, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return false, fmt.Errorf("page: the service of breached passwords answered %d", res.StatusCode)
	}
	lines := bufio.NewScanner(io.LimitReader(res.Body, breachAnswer))
	for lines.Scan() {
		suffix, count, _ := strings.Cut(strings.TrimSpace(lines.Text()), ":")
		if strings.EqualFold(suffix, digits[5:]) && count != "0" { // padding has the count 0
			return true, nil
		}
	}
	return false, lines.Err()
}

// CheckPassword is NewPassword, and also refuses what is known from a breach, if the installation
// asks. Where the service does not answer, the password passes, and the log says so.
func (m *Common) CheckPassword(ctx context.Context, password string, who About) string {
	fault := NewPassword(password, who)
	if fault != "" || m.Breached == nil {
		return fault
	}
	found, err := m.Breached.Has(ctx, password)
	if err != nil {
		m.Log.Warn("a new password was not compared with breaches", "err", err)
	}
	if found {
		return breachedPassword
	}
	return ""
}

const breachedPassword = "This password is known from a data breach, so others can guess it. Choose one that you use nowhere else."
