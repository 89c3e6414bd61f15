package push

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"sync"
	"sync/atomic"
	"time"
)

// Apple's rules for provider tokens ("Establishing a token-based connection to APNs"): a token is
// at most an hour old, and a new one is sent at most every 20 minutes.
const (
	bearerLife   = 59 * time.Minute // a minute less than Apple's hour
	bearerMinUse = 20 * time.Minute
	bearerTerm   = 55 * time.Minute // how long we use one
	bearerLag    = 30 * time.Second // a token's age at first use, in case our clock is ahead of Apple's
)

// bearer is one signed provider token.
type bearer struct {
	header string // "bearer " and the JWT
	issued time.Time
	renew  time.Time // from then on use the next one
}

// accepted says that b is not too old for Apple.
func (b *bearer) accepted(now time.Time) bool {
	return b != nil && !now.Before(b.issued) && now.Sub(b.issued) < bearerLife
}

// mint signs the provider tokens of one key.
//
// Time is divided into terms of bearerTerm since 1970. A
// token is issued at the start of a term and signed without randomness (RFC 6979), so every process
// that has the key makes the same token: Apple sees one token from all nodes, restarts and both
// environments. A process that starts late in a term would have to renew within Apple's 20 minutes.
// It uses a token issued half a term later instead, as every other late process does. Processes
// that share a database agree there on when the token was issued: then all use the same one at any
// moment.
type mint struct {
	team, keyID string
	private     *ecdsa.PrivateKey
	now         func() time.Time
	agree       func(proposed, refused, oldest time.Time) time.Time // nil = the proposed one

	current atomic.Pointer[bearer]

	mu       sync.Mutex // guards previous, and writes of current
	previous *bearer
}

// maxMints bounds the number of keys in a tokenCache.
const maxMints = 4096

// tokenCache keeps mints longer than pools live. A key whose pool was evicted continues with the
// token that Apple has seen, so that it does not send a new one too soon. A full cache drops one
// mint at random. The zero value is ready to use.
type tokenCache struct {
	mu   sync.Mutex // guards keys
	keys map[poolName]*mint
}

func (m *tokenCache) mintFor(name poolName, fresh func() *mint) *mint {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.keys[name]; known != nil {
		return known
	}
	if m.keys == nil {
		m.keys = map[poolName]*mint{}
	}
	for old := range m.keys {
		if len(m.keys) < maxMints {
			break
		}
		delete(m.keys, old)
	}
	m.keys[name] = fresh()
	return m.keys[name]
}

// header returns the authorization header for a push now.
func (m *mint) header() (string, error) {
	now := m.now()
	if b := m.current.Load(); b != nil && now.Before(b.renew) && !now.Before(b.issued) {
		return b.header, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.renewIfDue(now)
}

// renewIfDue replaces the token when its term is over. Called with mu held.
func (m *mint) renewIfDue(now time.Time) (string, error) {
	b := m.current.Load()
	usable := b.accepted(now)
	if usable && now.Before(b.renew) {
		return b.header, nil
	}
	next, err := m.sign(m.agreed(issueTime(now), time.Time{}, now))
	if err != nil {
		return "", err
	}
	if usable {
		m.previous = b
	}
	m.current.Store(next)
	return next.header, nil
}

// issueTime is the issue time of a token first used now: the start of the term, or half a term
// later if the term's token would have to be renewed within bearerMinUse.
func issueTime(now time.Time) time.Time {
	term := int64(bearerTerm / time.Second)
	start := now.Add(-bearerLag).Unix()
	begin := time.Unix(start-start%term, 0)
	if now.Sub(begin) > bearerTerm-bearerMinUse {
		return begin.Add(bearerTerm / 2)
	}
	return begin
}

// replaceExpired returns another token after ExpiredProviderToken; ok is false when there is none.
// The token is issued 20 minutes in the past, so that it is accepted when our clock is up to 20
// minutes wrong in either direction, and lasts longer than bearerMinUse.
func (m *mint) replaceExpired(refused string) (header string, ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	b := m.current.Load()
	if b.accepted(now) && b.header != refused {
		return b.header, true, nil
	}
	m.previous = b // in case Apple does not accept a new one yet
	at := now.Add(-bearerMinUse).Truncate(time.Second)
	var was time.Time
	if b != nil && b.header == refused {
		was = b.issued
	}
	next, err := m.sign(m.agreed(at, was, now))
	if err == nil && next.header == refused { // the refused one was issued in that very second
		next, err = m.sign(at.Add(-time.Second))
	}
	if err != nil {
		return "", false, err
	}
	m.current.Store(next)
	return next.header, next.header != refused, nil
}

// agreed is when the next token is issued: at the proposed time, or when other processes say that
// the one was that they use.
func (m *mint) agreed(proposed, refused, now time.Time) time.Time {
	if m.agree == nil {
		return proposed
	}
	return m.agree(proposed, refused, now.Add(-bearerTerm-bearerLag))
}

// agreeTime bounds how long a push waits for the others' token. It asks once in a term.
const agreeTime = time.Second

// agree is how the key's mint agrees with other processes. When they cannot be asked it proposes
// the token of the term, which they would make too.
func (id identity) agree(with Agree) func(proposed, refused, oldest time.Time) time.Time {
	if with == nil {
		return nil
	}
	sum := sha256.Sum256([]byte(id.team + " " + id.keyID + " " + id.fingerprint))
	key := hex.EncodeToString(sum[:])
	return func(proposed, refused, oldest time.Time) time.Time {
		ctx, cancel := context.WithTimeout(context.Background(), agreeTime)
		defer cancel()
		if issued, err := with(ctx, key, proposed, refused, oldest); err == nil {
			return issued
		}
		return proposed
	}
}

// fallBack returns the previous token after TooManyProviderTokenUpdates, and makes no new one until
// Apple accepts it. If this process has no previous token, it signs the one of the term or
// half-term before, which another process with the same key may have sent. ok is false when that is
// too old.
func (m *mint) fallBack(refused string) (header string, ok bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	b := m.current.Load()
	if b != nil && b.header != refused { // another push did this already
		return b.header, b.accepted(now), nil
	}
	previous := m.previous
	m.previous = nil
	if b != nil && !previous.accepted(now) {
		if previous, err = m.sign(previousIssueTime(b.issued)); err != nil {
			return "", false, err
		}
	}
	if !previous.accepted(now) {
		return "", false, nil
	}
	frozen := *previous
	frozen.renew = now.Add(bearerMinUse)
	if ends := frozen.issued.Add(bearerLife); ends.Before(frozen.renew) {
		frozen.renew = ends
	}
	m.current.Store(&frozen)
	return frozen.header, true, nil
}

// previousIssueTime is the start of the last term or half-term before t.
func previousIssueTime(t time.Time) time.Time {
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
	// With a nil random source crypto/ecdsa signs by RFC 6979: the same text gives the same
	// signature.
	der, err := m.private.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	raw, err := rawSignature(der)
	if err != nil {
		return nil, err
	}
	header := "bearer " + text + "." + base64.RawURLEncoding.EncodeToString(raw)
	return &bearer{header: header, issued: issued, renew: issued.Add(bearerTerm + bearerLag)}, nil
}

// rawSignature converts an ASN.1 signature to r and s of 32 bytes each (RFC 7518, 3.4).
func rawSignature(der []byte) ([]byte, error) {
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return nil, err
	}
	raw := make([]byte, 64)
	sig.R.FillBytes(raw[:32])
	sig.S.FillBytes(raw[32:])
	return raw, nil
}
