package apnstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Key is a signing key that a developer account has.
type Key struct {
	Team, KeyID  string
	Public       *ecdsa.PublicKey
	Environments []string // empty = both
	Topics       []string // bundle ids; empty = every topic of the team
}

// NewKey makes a signing key as Apple's website would: what to Register, and the .p8 file to
// download.
func NewKey(team, keyID string) (Key, []byte, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return Key{}, nil, err
	}
	file := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return Key{Team: team, KeyID: keyID, Public: &private.PublicKey}, file, nil
}

type keyName struct{ team, id string }

type device struct {
	topic   string // as sent in apns-topic; empty = any
	env     string
	retired time.Time // zero = registered
	reason  string    // Unregistered or ExpiredToken
}

// book is what this Apple believes in.
type book struct {
	mu      sync.RWMutex
	keys    map[keyName]Key
	certs   map[[32]byte]bool // false = revoked
	devices map[string]device
	tokens  map[string]*providerToken // verified, by their text
	floors  map[string]*floor         // by environment and team

	age atomic.Int64 // rises when keys or certificates change, so that connections forget what they verified
}

func (b *book) init() {
	b.keys = map[keyName]Key{}
	b.certs = map[[32]byte]bool{}
	b.devices = map[string]device{}
	b.tokens = map[string]*providerToken{}
	b.floors = map[string]*floor{}
}

// Register makes a key known. Another key under the same team and key id is refused: Apple gives
// each id once, so the second one is somebody typing a stranger's ids. Unregister the first to
// replace it.
func (a *Apple) Register(k Key) error {
	if k.Team == "" || k.KeyID == "" || k.Public == nil {
		return fmt.Errorf("apnstest: a key needs a team, a key id and a public key")
	}
	a.book.mu.Lock()
	defer a.book.mu.Unlock()
	name := keyName{k.Team, k.KeyID}
	if old, ok := a.book.keys[name]; ok && !old.Public.Equal(k.Public) {
		return fmt.Errorf("apnstest: %s/%s is another key", k.Team, k.KeyID)
	}
	a.book.keys[name] = k
	a.book.changed()
	return nil
}

// Unregister revokes a key: from now on its tokens are InvalidProviderToken.
func (a *Apple) Unregister(team, keyID string) {
	a.book.mu.Lock()
	defer a.book.mu.Unlock()
	delete(a.book.keys, keyName{team, keyID})
	a.book.changed()
}

// RegisterCertificate makes a push certificate known that IssueCertificate did not make.
func (a *Apple) RegisterCertificate(cert *x509.Certificate) { a.setCertificate(cert, true) }

// RevokeCertificate makes a push certificate BadCertificate, whoever signed it.
func (a *Apple) RevokeCertificate(cert *x509.Certificate) { a.setCertificate(cert, false) }

func (a *Apple) setCertificate(cert *x509.Certificate, good bool) {
	a.book.mu.Lock()
	defer a.book.mu.Unlock()
	a.book.certs[sha256.Sum256(cert.Raw)] = good
	a.book.changed()
}

// changed forgets what was verified; called with mu held.
func (b *book) changed() {
	clear(b.tokens)
	b.age.Add(1)
}

// AddToken makes a device token known: topic is the app's bundle id plus .voip, and env the only
// environment the token is good in. An empty topic is any topic.
func (a *Apple) AddToken(token, topic, env string) {
	a.book.mu.Lock()
	defer a.book.mu.Unlock()
	a.book.devices[strings.ToLower(token)] = device{topic: topic, env: env}
}

// Retire makes a known token 410 Unregistered since at, as when the app was removed.
func (a *Apple) Retire(token string, at time.Time) { a.retire(token, at, "Unregistered") }

// Expire makes a known token 410 ExpiredToken since at.
func (a *Apple) Expire(token string, at time.Time) { a.retire(token, at, "ExpiredToken") }

func (a *Apple) retire(token string, at time.Time, reason string) {
	a.book.mu.Lock()
	defer a.book.mu.Unlock()
	token = strings.ToLower(token)
	d := a.book.devices[token]
	d.retired, d.reason = at, reason
	a.book.devices[token] = d
}

// device judges a token for a topic in an environment; the zero Answer is yes.
func (a *Apple) device(token, topic, env string) Answer {
	a.book.mu.RLock()
	d, known := a.book.devices[token]
	a.book.mu.RUnlock()
	switch {
	case !wellFormed(token), !known && (a.cfg.KnownTokensOnly || strings.Trim(token, "0") == ""):
		return Refusal("BadDeviceToken")
	case !known:
		return Answer{}
	case d.env != "" && d.env != env:
		return Refusal("BadDeviceToken")
	case d.topic != "" && d.topic != topic:
		return Refusal("DeviceTokenNotForTopic")
	case !d.retired.IsZero():
		w := Refusal(d.reason)
		w.Timestamp = d.retired
		return w
	}
	return Answer{}
}

// wellFormed: hexadecimal, whole bytes. Apple says not to assume a length, so the bounds are wide.
func wellFormed(token string) bool {
	if len(token) < 32 || len(token) > 400 || len(token)%2 != 0 {
		return false
	}
	for i := range len(token) {
		c := token[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

// floor is Apple's memory of one team's provider tokens.
type floor struct {
	seen map[string]time.Time
	last time.Time // when the newest one was first seen
}

// admit says whether a verified token may be used now: a known one always, a new one when the floor
// has passed.
func (b *book) admit(t *providerToken, env string, now time.Time, least time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	name := env + "\x00" + t.team
	f := b.floors[name]
	if f == nil {
		f = &floor{seen: map[string]time.Time{}}
		b.floors[name] = f
	}
	if _, ok := f.seen[t.text]; ok {
		return true
	}
	if !f.last.IsZero() && now.Sub(f.last) < least {
		return false
	}
	for text, at := range f.seen {
		if now.Sub(at) > 2*time.Hour {
			delete(f.seen, text)
		}
	}
	f.seen[t.text], f.last = now, now
	return true
}

// allows says whether a list of bundle ids covers a topic; an empty list covers all.
func allows(bundles []string, topic string) bool {
	for _, b := range bundles {
		if topic == b || strings.HasPrefix(topic, b+".") {
			return true
		}
	}
	return len(bundles) == 0
}
