package page

import (
	"context"
	"errors"
	"math"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/argon2id"
	"github.com/gofiber/fiber/v2"
	"golang.org/x/net/publicsuffix"

	"carillon/tenants"
)

// passwords hashes with argon2id. Each hash takes 19 MiB (OWASP's smallest recommended memory), so
// that only a few run at once. Some of the slots are for known browsers and for people who are
// signed in.
type passwords struct {
	params    argon2id.Params
	slots     chan struct{}
	strangers chan struct{} // a stranger needs a place here too
	hashed    atomic.Int64  // how many passwords were hashed; see Hashed
	nobody    string        // hash that an unknown person is checked against: it costs the same
}

const (
	hashesAtOnce = 4 // at most, see slotsFor
	hashMemory   = 19 << 20
	// longestWait is how long a request waits for a slot. A longer queue would only answer people
	// who have left.
	longestWait = 2 * time.Second
)

// slotsFor is how many hashes may run at once: one for each processor, in a third of the memory; 0
// bytes = no limit is known. Strangers get half, so that guesses leave processors to rings. Two are
// the fewest: one slot is for known browsers.
func slotsFor(memory int64, processors int) (all, strangers int) {
	all = min(hashesAtOnce, processors)
	if memory > 0 {
		all = min(all, int(memory/3/hashMemory))
	}
	all = max(2, all)
	return all, all / 2
}

// NewPasswords makes the slots. memory is how many bytes the process may use; 0 = no limit is
// known.
func NewPasswords(memory int64) (*passwords, error) {
	slots, strangers := slotsFor(memory, runtime.GOMAXPROCS(0))
	p := &passwords{
		params:    argon2id.Params{Memory: hashMemory >> 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32},
		slots:     make(chan struct{}, slots),
		strangers: make(chan struct{}, strangers),
	}
	var err error
	p.nobody, err = argon2id.CreateHash(NewToken(), &p.params)
	return p, err
}

// enter waits for a slot, at most longestWait.
func (p *passwords) enter(ctx context.Context, known bool) (leave func(), err error) {
	limit, cancel := context.WithTimeout(ctx, longestWait)
	defer cancel()
	queues := []chan struct{}{p.strangers, p.slots}
	if known {
		queues = queues[1:]
	}
	for i, q := range queues {
		select {
		case q <- struct{}{}:
		case <-limit.Done():
			for _, had := range queues[:i] {
				<-had
			}
			return nil, &tenants.Error{Kind: tenants.Unavailable, Code: "passwords_busy", RetryAfter: longestWait,
				Msg: "The server is checking many passwords at this moment. Try again in a few seconds."}
		}
	}
	return func() {
		for _, had := range queues {
			<-had
		}
	}, nil
}

// Hash hashes a new password. known is as in Try.
func (p *passwords) Hash(ctx context.Context, known bool, password string) (string, error) {
	leave, err := p.enter(ctx, known)
	if err != nil {
		return "", err
	}
	defer leave()
	p.hashed.Add(1)
	return argon2id.CreateHash(password, &p.params)
}

// Hashed counts the passwords that were hashed or compared. Tests see by it whether two answers
// cost the same.
func (p *passwords) Hashed() int64 { return p.hashed.Load() }

// Match reports whether the password belongs to the hash. An empty hash, of somebody unknown or who
// has no password yet, costs the same and matches nothing. known is as in Try.
func (p *passwords) Match(ctx context.Context, known bool, password, phc string) (bool, error) {
	leave, err := p.enter(ctx, known)
	if err != nil {
		return false, err
	}
	defer leave()
	p.hashed.Add(1)
	against := phc
	if phc == "" {
		against = p.nobody
	}
	ok, err := argon2id.ComparePasswordAndHash(password, against)
	return ok && phc != "", err
}

// The length of a password in characters (NIST SP 800-63B, 3.1.1.2: length is what counts; no rules
// about kinds of characters).
const (
	LeastPassword = 12
	mostPassword  = 200
)

// About is what somebody who guesses knows of a person.
type About struct{ Email, Name, Company string }

// NewPassword says what is wrong with a password that somebody chose; empty when nothing is.
func NewPassword(password string, who About) string {
	n := utf8.RuneCountInString(password)
	switch {
	case n < LeastPassword:
		return "Use at least 12 characters. A short sentence is easy to remember."
	case n > mostPassword:
		return "Use at most 200 characters."
	case who.usesKnown(password):
		return "Choose a password that does not contain your email, your name, your company or “Carillon”."
	case isCommon(password):
		return "This password is one of the most used ones. Choose another one, such as a short sentence."
	case guessable(password):
		return "This password is easy to guess. Choose another one, such as a short sentence."
	}
	return ""
}

// The lengths from which a part of an address, or the name of a company, gives a password away:
// "ana" is part of many words.
const leastPart, leastCompany = 5, 4

// usesKnown reports whether the password is, or contains, what everybody knows: the address, its
// parts, the company, this program.
func (w About) usesKnown(password string) bool {
	low, bare := strings.ToLower(password), lettersOf(password)
	local, domain, _ := strings.Cut(strings.ToLower(w.Email), "@")
	if w.Email != "" && strings.Contains(low, strings.ToLower(w.Email)) || w.Name != "" && bare == lettersOf(w.Name) {
		return true
	}
	for _, hint := range []string{lettersOf(local), lettersOf(firstLabel(domain)), "carillon"} {
		if utf8.RuneCountInString(hint) >= leastPart && strings.Contains(bare, hint) {
			return true
		}
	}
	company := lettersOf(w.Company)
	return utf8.RuneCountInString(company) >= leastCompany && strings.Contains(bare, company)
}

// firstLabel is the part of a domain that its owner chose: of mail.lindenhof.example, lindenhof.
func firstLabel(domain string) string {
	if own, ok := Registrable("x@" + domain); ok {
		domain = own
	}
	label, _, _ := strings.Cut(domain, ".")
	return label
}

// SlowDown answers a try that came too soon by a form that says so.
func SlowDown(c *fiber.Ctx, err error, form func(msg string) error) error {
	var e *tenants.Error
	if !errors.As(err, &e) || e.Kind != tenants.TooMany {
		return err
	}
	c.Set(fiber.HeaderRetryAfter, strconv.Itoa(max(1, int(math.Ceil(e.RetryAfter.Seconds())))))
	return form(e.Msg)
}

// Registrable is the domain of a mail address that somebody registered: of ana@mail.example.co.uk
// it is example.co.uk.
func Registrable(email string) (string, bool) {
	_, host, _ := strings.Cut(email, "@")
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	return domain, err == nil
}

// Registered reports whether a mail address has a domain that somebody can have registered: no host
// of a local network, no suffix alone.
func Registered(email string) bool { _, ok := Registrable(email); return ok }
