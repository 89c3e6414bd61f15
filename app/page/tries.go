package page

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Rates of guessing. A browser in which somebody signed in to the account before has a rate of its
// own, so that a stranger who guesses does not lock the owner out (OWASP, "device cookies"). All
// others share the rates of their network, of the networks around it, of the account and of the
// server: what is left of the server's rate is what keeps the password check free for known
// browsers.
var (
	knownRate = tenants.Rate{Of: "known", Every: 20 * time.Second, Burst: 12,
		Says: "Too many attempts. Wait a moment and try again."}
	pairRate = tenants.Rate{Of: "pair", Every: 30 * time.Second, Burst: 8, // one account from one network
		Says: "Too many attempts. Wait a moment and try again."}
	accountRate = tenants.Rate{Of: "account", Every: 3 * time.Second, Burst: 60,
		Says: "Too many attempts: wrong passwords were given for this address from many places. " +
			"Wait a moment, or use a browser in which you signed in before."}
	networkRate = tenants.Rate{Of: "network", Every: 3 * time.Second, Burst: 60,
		Says: "Too many attempts came from your network. Wait a moment, or use a browser in which you signed in before."}
	widerRate = tenants.Rate{Of: "network", Every: 1500 * time.Millisecond, Burst: 120, Says: networkRate.Says}
	codeRate  = tenants.Rate{Of: "code", Every: time.Minute, Burst: 10,
		Says: "Too many wrong codes. Wait a minute and try again."}
	allRate = tenants.Rate{Of: "all", Every: 100 * time.Millisecond, Burst: 200,
		Says: "Too many attempts reach this server. Wait a moment, or use a browser in which you signed in before."}
)

// tries counts attempts to give a password, and who failed.
type tries struct {
	limits   tenants.RateLimiter
	mu       sync.Mutex // guards both
	failures map[string]*failure
	more     int // failures that found no place
}

// Try is one attempt to give the password of an account.
type Try struct {
	Known  bool // from a browser where the account signed in before
	limits *tenants.RateLimiter
	spent  []tenants.Rate // given back if the password is right
}

// Worked says that the password was right: only failures count against an account.
func (t Try) Worked() { t.limits.GiveBack(t.spent...) }

// Try begins an attempt at the account with this address, or refuses with how long to wait. The
// caller says with Worked when the password was right.
func (m *Common) Try(c *fiber.Ctx, email string) (Try, error) {
	ip := web.IP(c)
	network := web.Network(ip)
	if nonce, ok := m.knownBrowser(c, email); ok {
		return Try{Known: true, limits: &m.tries.limits}, m.admitTry(knownRate.For(nonce + " " + email))
	}
	t := Try{limits: &m.tries.limits, spent: []tenants.Rate{pairRate.For(email + " " + network), accountRate.For(email)}}
	return t, m.admitTry(slices.Concat(t.spent, web.NetworkRates(ip, networkRate, widerRate), []tenants.Rate{allRate})...)
}

// TryAs is Try for somebody who is signed in.
func (m *Common) TryAs(v *Visitor) (Try, error) {
	return Try{Known: true, limits: &m.tries.limits}, m.admitTry(knownRate.For(string(v.User.ID)))
}

// TryCode begins an attempt at a person's second step, or refuses with how long to wait. Six digits
// are few: with three of a million right at any moment, an account's rate leaves a guesser who has
// the password one chance in two hundred a day. A browser that signed in before has its own rate.
func (m *Common) TryCode(c *fiber.Ctx, u tenants.User) error {
	ip := web.IP(c)
	if nonce, ok := m.knownBrowser(c, u.Email); ok {
		return m.admitTry(codeRate.For(string(u.ID)+" "+nonce), networkRate.For(web.Network(ip)))
	}
	return m.admitTry(append(web.NetworkRates(ip, networkRate, widerRate), codeRate.For(string(u.ID)), allRate)...)
}

func (m *Common) admitTry(rates ...tenants.Rate) error {
	return m.tries.limits.Admit(m.Now(), "too_many_tries", rates...)
}

// The cookie of a known browser: a random value, and for each account that signed in there a mark
// of both (HMAC under the master key). It lets nobody in: it only gives the browser a rate of its
// own.
const (
	knownCookie   = "carillon-known"
	knownAge      = 180 * 24 * time.Hour
	knownAccounts = 5 // the newest
	markBytes     = 16
)

func (m *Common) knownName() string {
	if m.Cookie != "" {
		return m.CookieName() + "-known"
	}
	if m.secure {
		return securePrefix + knownCookie
	}
	return knownCookie
}

// knownBrowser reports whether the account signed in in this browser before, and the browser's
// random value.
func (m *Common) knownBrowser(c *fiber.Ctx, email string) (nonce string, ok bool) {
	nonce, listed, found := strings.Cut(c.Cookies(m.knownName()), ".")
	if !found || len(nonce) > 64 || email == "" {
		return "", false
	}
	marks, err := m.Store.SignIns().Marks("known browser", nonce+" "+email)
	if err != nil {
		return "", false
	}
	given := strings.Split(listed, ".")
	for _, mark := range marks {
		if slices.ContainsFunc(given[:min(len(given), knownAccounts)], func(g string) bool {
			return tenants.Secret(g).Hash() == tenants.Secret(markText(mark)).Hash() // compares in constant time
		}) {
			return nonce, true
		}
	}
	return "", false
}

func markText(mark []byte) string { return base64.RawURLEncoding.EncodeToString(mark[:markBytes]) }

// Know marks the browser as one in which the account signed in.
func (m *Common) Know(c *fiber.Ctx, email string) error {
	nonce, listed, _ := strings.Cut(c.Cookies(m.knownName()), ".")
	if len(nonce) != len(NewToken()) {
		nonce, listed = NewToken(), ""
	}
	marks, err := m.Store.SignIns().Marks("known browser", nonce+" "+email)
	if err != nil {
		return err
	}
	list := []string{markText(marks[0])}
	for mark := range strings.SplitSeq(listed, ".") {
		if mark != list[0] && len(mark) == len(list[0]) && len(list) < knownAccounts {
			list = append(list, mark)
		}
	}
	m.SetCookie(c, m.knownName(), nonce+"."+strings.Join(list, "."), knownAge, false)
	return nil
}

// failure is failed sign-ins at one address that are not recorded yet.
type failure struct {
	user     tenants.UserID // empty = nobody has this address
	email    string
	count    int
	networks []string // the first few
}

// How many failures are kept until they are recorded, and how many networks of each are named.
const (
	mostFailures = 1000
	mostNetworks = 3
)

// Failed notes a failed sign-in. user is empty when nobody has the address. It writes nothing: a
// write would tell by its time who has an account.
func (m *Common) Failed(c *fiber.Ctx, user tenants.UserID, email string) {
	network := web.Network(web.IP(c))
	m.tries.mu.Lock()
	defer m.tries.mu.Unlock()
	f := m.tries.failures[email]
	if f == nil {
		if len(m.tries.failures) >= mostFailures {
			m.tries.more++
			return
		}
		f = &failure{user: user, email: email}
		if m.tries.failures == nil {
			m.tries.failures = map[string]*failure{}
		}
		m.tries.failures[email] = f
	}
	f.count++
	if len(f.networks) < mostNetworks && !slices.Contains(f.networks, network) {
		f.networks = append(f.networks, network)
	}
}

// RecordFailures writes the failed sign-ins since the last call: for a person into the audit log of
// each of their tenants, for an address that nobody has into the server's log. Addresses are
// written as a keyed hash, because people type passwords into the wrong field.
func (m *Common) RecordFailures(ctx context.Context) error {
	m.tries.mu.Lock()
	all, more := m.tries.failures, m.tries.more
	m.tries.failures, m.tries.more = nil, 0
	m.tries.mu.Unlock()
	for _, f := range all {
		marks, err := m.Store.SignIns().Marks("failed sign-in", f.email)
		if err != nil {
			return err
		}
		address, networks := hex.EncodeToString(marks[0][:8]), strings.Join(f.networks, " ")
		if f.user == "" {
			m.Log.LogAttrs(ctx, slog.LevelWarn, "failed sign-ins at an address that nobody has", slog.Int("count", f.count),
				slog.String("networks", networks), slog.String("address_hash", address))
			continue
		}
		of, err := m.Store.Users().Memberships(ctx, f.user)
		if err != nil {
			return err
		}
		for _, one := range of {
			who := store.Who{Actor: tenants.System, IP: f.networks[0]}
			detail := fmt.Sprintf("%d times from %s, address hash %s", f.count, networks, address)
			if err := m.Store.For(one.Tenant.ID).By(who).Audits().Refused(ctx, "user.sign_in_failed", string(f.user), detail); err != nil {
				return err
			}
		}
	}
	if more > 0 {
		m.Log.LogAttrs(ctx, slog.LevelWarn, "failed sign-ins at many more addresses", slog.Int("count", more))
	}
	return nil
}
