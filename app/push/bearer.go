package push

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"sync"
	"sync/atomic"
	"time"
)

// Apple's rules for provider tokens ("Establishing a token-based connection to APNs"): not older
// than an hour, and a team may show a new one at most every 20 minutes.
const (
	bearerLife  = 59 * time.Minute // a minute less than Apple's hour
	bearerFloor = 20 * time.Minute
	bearerTerm  = 55 * time.Minute // how long one is used
	bearerLag   = 30 * time.Second // a token is this old when first used, so that a clock ahead of Apple's does no harm
)

// bearer is one signed provider token.
type bearer struct {
	header string // "bearer " and the JWT
	issued time.Time
	renew  time.Time // use the next one from here on
}

// young says that Apple still takes b for its age.
func (b *bearer) young(now time.Time) bool {
	return b != nil && !now.Before(b.issued) && now.Sub(b.issued) < bearerLife
}

// mint makes the provider tokens of one key.
//
// Tokens are issued at whole terms since 1970 and signed without randomness (RFC 6979), so each
// process that has the key makes the same token at the same time: nodes, restarts and both
// environments show Apple one token, not many. A process that starts late in a term would have to
// renew within Apple's floor; it takes a token issued half a term later instead, which every other
// latecomer takes too.
type mint struct {
	team, keyID string
	private     *ecdsa.PrivateKey
	now         func() time.Time

	current atomic.Pointer[bearer]

	mu       sync.Mutex // guards previous, and writes of current
	previous *bearer
}

// mostMints bounds the keys whose tokens are remembered.
const mostMints = 4096

// mints outlive pools: a key whose connections made room for others comes back with the token that
// Apple has seen, and not with one that began meanwhile. A full table drops one at random. The zero
// value is ready.
type mints struct {
	mu   sync.Mutex // guards keys
	keys map[poolName]*mint
}

func (m *mints) of(name poolName, fresh func() *mint) *mint {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.keys[name]; known != nil {
		return known
	}
	if m.keys == nil {
		m.keys = map[poolName]*mint{}
	}
	for old := range m.keys {
		if len(m.keys) < mostMints {
			break
		}
		delete(m.keys, old)
	}
	m.keys[name] = fresh()
	return m.keys[name]
}

// header gives the authorization header to push with.
func (m *mint) header() (string, error) {
	now := m.now()
	if b := m.current.Load(); b != nil && now.Before(b.renew) && !now.Before(b.issued) {
		return b.header, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.renewed(now)
}

// renewed replaces the token when its time has come; called with mu held.
func (m *mint) renewed(now time.Time) (string, error) {
	b := m.current.Load()
	usable := b.young(now)
	if usable && now.Before(b.renew) {
		return b.header, nil
	}
	next, err := m.sign(issueTime(now))
	if err != nil {
		return "", err
	}
	if usable {
		m.previous = b
	}
	m.current.Store(next)
	return next.header, nil
}

// issueTime is when the token to begin using now was issued: at the start of the term, or half a
// term later where the term's token would have to be renewed within Apple's floor.
func issueTime(now time.Time) time.Time {
	term := int64(bearerTerm / time.Second)
	start := now.Add(-bearerLag).Unix()
	begin := time.Unix(start-start%term, 0)
	if now.Sub(begin) > bearerTerm-bearerFloor {
		return begin.Add(bearerTerm / 2)
	}
	return begin
}

// newer gives a token other than the refused one after ExpiredProviderToken; ok is false when there
// is none. It is issued in the past, so that it serves a clock that is up to 20 minutes wrong,
// either way, and lasts longer than the floor.
func (m *mint) newer(refused string) (header string, ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	b := m.current.Load()
	if b.young(now) && b.header != refused {
		return b.header, true, nil
	}
	m.previous = b // should Apple not take a new one yet
	at := now.Add(-bearerFloor).Truncate(time.Second)
	next, err := m.sign(at)
	if err == nil && next.header == refused { // the refused one was issued in that very second
		next, err = m.sign(at.Add(-time.Second))
	}
	if err != nil {
		return "", false, err
	}
	m.current.Store(next)
	return next.header, next.header != refused, nil
}

// fallback gives the token before the refused one after TooManyProviderTokenUpdates, and makes no
// new one until Apple will take it. Where this process knows no earlier token, another of the same
// key may have shown the one of the term or half-term before: it is the same for all. ok is false
// when there is none young enough.
func (m *mint) fallback(refused string) (header string, ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	b := m.current.Load()
	if b != nil && b.header != refused { // another push has fallen back already
		return b.header, b.young(now), nil
	}
	previous := m.previous
	m.previous = nil
	if b != nil && !previous.young(now) {
		if previous, err = m.sign(earlier(b.issued)); err != nil {
			return "", false, err
		}
	}
	if !previous.young(now) {
		return "", false, nil
	}
	frozen := *previous
	frozen.renew = now.Add(bearerFloor)
	if ends := frozen.issued.Add(bearerLife); ends.Before(frozen.renew) {
		frozen.renew = ends
	}
	m.current.Store(&frozen)
	return frozen.header, true, nil
}

// earlier is the last term or half-term before t.
func earlier(t time.Time) time.Time {
	half := int64(bearerTerm / 2 / time.Second)
	unix := t.Unix() - 1
	return time.Unix(unix-unix%half, 0)
}

var errNoKey = errors.New("push: this credential has no signing key")

// sign makes the JWT (RFC 7519, ES256 of RFC 7518).
func (m *mint) sign(issued time.Time) (*bearer, error) {
	if m.private == nil {
		return nil, errNoKey
	}
	head, err := json.Marshal(struct {
		Alg string `json:"alg"`
		Kid string `json:"kid"`
	}{"ES256", m.keyID})
	if err != nil {
		return nil, err
	}
	claims, err := json.Marshal(struct {
		Iss string `json:"iss"`
		Iat int64  `json:"iat"`
	}{m.team, issued.Unix()})
	if err != nil {
		return nil, err
	}
	text := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	// Without a source of randomness crypto/ecdsa signs as RFC 6979 says: the same text gives the
	// same signature.
	der, err := m.private.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	raw, err := flat(der)
	if err != nil {
		return nil, err
	}
	header := "bearer " + text + "." + base64.RawURLEncoding.EncodeToString(raw)
	return &bearer{header: header, issued: issued, renew: issued.Add(bearerTerm + bearerLag)}, nil
}

// flat turns an ASN.1 signature into r and s of 32 bytes each (RFC 7518, 3.4).
func flat(der []byte) ([]byte, error) {
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return nil, err
	}
	raw := make([]byte, 64)
	sig.R.FillBytes(raw[:32])
	sig.S.FillBytes(raw[32:])
	return raw, nil
}
