package page

import (
	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/factor"
	"carillon/app/web"
	"carillon/tenants"
)

// challengeTime is how long an authenticator may take.
const challengeTime = 5 * time.Minute

// MostPasskeyName is how long the name of a passkey is, in characters.
const MostPasskeyName = 60

// How often a network may ask for a challenge or answer one: both write, and an answer is checked
// with a signature.
var (
	passkeyTries = tenants.Rate{Of: "passkey", Every: 2 * time.Second, Burst: 60, Says: manyPasskeys}
	widerKeys    = tenants.Rate{Of: "passkey", Every: 500 * time.Millisecond, Burst: 200, Says: manyPasskeys}
	allPasskeys  = tenants.Rate{Of: "passkeys", Every: 20 * time.Millisecond, Burst: 500, Shared: true, Says: manyPasskeys}
)

const manyPasskeys = "Too many attempts. Wait a few minutes and try again."

// TryPasskey takes a turn to ask for a challenge or to answer one, or refuses with how long to
// wait.
func (m *Common) TryPasskey(c *fiber.Ctx) error {
	return m.tries.limits.Admit(m.Now(), "too_many_tries", append(web.NetworkRates(web.IP(c), passkeyTries, widerKeys), allPasskeys)...)
}

func (m *Common) challengeCookie() string { return m.CookieName() + "-passkey" }

// challengeOf is what the challenge of a browser for a purpose is kept under: an answer is good for
// this purpose alone.
func challengeOf(token, purpose string) tenants.Hash {
	return tenants.Secret(purpose + " " + token).Hash()
}

// Challenge keeps what an authenticator must sign, for a purpose, and sends the options to the
// browser. options and session come from factor.Passkeys.
func (m *Common) Challenge(ctx context.Context, c *fiber.Ctx, purpose string, options, session []byte) error {
	token := NewToken()
	if err := m.Store.Factors().AddChallenge(ctx, challengeOf(token, purpose), session, m.Now().Add(challengeTime)); err != nil {
		return err
	}
	m.SetCookie(c, m.challengeCookie(), token, challengeTime, false)
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	return c.Send(options)
}

// Answered takes the challenge of this browser for a purpose. It works once; then, and when it is
// too old, the error is Gone.
func (m *Common) Answered(ctx context.Context, c *fiber.Ctx, purpose string) (session []byte, err error) {
	token := strings.Clone(c.Cookies(m.challengeCookie()))
	m.SetCookie(c, m.challengeCookie(), "", 0, false)
	return m.Store.Factors().TakeChallenge(ctx, challengeOf(token, purpose))
}

// PasskeyFault is why an answer was not accepted; empty = it was.
type PasskeyFault string

// The faults.
const (
	PasskeyLate    PasskeyFault = "late"    // no challenge waits for this answer
	PasskeyRefused PasskeyFault = "refused" // the answer is wrong, or nobody has this passkey
)

// PasskeyKeep is where passkeys are kept.
type PasskeyKeep struct {
	// Find gives the owner of the passkey with this id; Unauthorized when nobody has it.
	Find func(context.Context, []byte) (factor.Person, error)
	// Use keeps the new record of a passkey in place of the old one; false = another use was first.
	Use func(ctx context.Context, id, old, record []byte, now time.Time) (bool, error)
}

// ByPasskey checks the browser's answer to the challenge for a purpose. owner is who the passkey
// belongs to, also when the answer is refused; without ID nobody has it.
func (m *Common) ByPasskey(ctx context.Context, c *fiber.Ctx, keys *factor.Passkeys, purpose, answer string, keep PasskeyKeep) (
	owner factor.Person, fault PasskeyFault, err error) {
	session, err := m.Answered(ctx, c, purpose)
	if tenants.KindOf(err) == tenants.Gone {
		return owner, PasskeyLate, nil
	}
	if err != nil {
		return owner, "", err
	}
	var failed error
	_, now, err := keys.Check(session, []byte(answer), func(id []byte) (factor.Person, error) {
		owner, failed = keep.Find(ctx, id)
		return owner, failed
	})
	switch {
	case failed != nil && tenants.KindOf(failed) != tenants.Unauthorized:
		return owner, "", failed
	case factor.Refused(err):
		m.Log.Info("a passkey was refused", "err", err)
		return owner, PasskeyRefused, nil
	case err != nil:
		return owner, "", err
	}
	for _, had := range owner.Keys {
		if string(had.ID) != string(now.ID) {
			continue
		}
		fresh, err := keep.Use(ctx, now.ID, had.Record, now.Record, m.Now())
		if err != nil || fresh {
			return owner, "", err
		}
	}
	return owner, PasskeyRefused, nil // used or removed at the same moment
}
