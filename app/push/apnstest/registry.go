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

// NewKey makes a signing key as Apple's website would. It returns the key to Register and the .p8
// file that a developer would download.
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

// registry holds the keys, certificates and device tokens that this Apple accepts.
type registry struct {
	mu        sync.RWMutex
	keys      map[keyName]Key
	certs     map[[32]byte]bool // false = revoked
	devices   map[string]device
	tokens    map[string]*providerToken // verified, by their text
	histories map[string]*tokenHistory  // by environment and team

	// generation rises when keys or certificates change, so that connections verify again.
	generation atomic.Int64
}

func (r *registry) init() {
	r.keys = map[keyName]Key{}
	r.certs = map[[32]byte]bool{}
	r.devices = map[string]device{}
	r.tokens = map[string]*providerToken{}
	r.histories = map[string]*tokenHistory{}
}

// Register makes a key known. Another key with the same team and key id is refused: Apple gives
// each id once, so the second must be a mistake. Unregister the first to replace it.
func (a *Apple) Register(k Key) error {
	if k.Team == "" || k.KeyID == "" || k.Public == nil {
		return fmt.Errorf("apnstest: a key needs a team, a key id and a public key")
	}
	a.registry.mu.Lock()
	defer a.registry.mu.Unlock()
	name := keyName{k.Team, k.KeyID}
	if old, ok := a.registry.keys[name]; ok && !old.Public.Equal(k.Public) {
		return fmt.Errorf("apnstest: %s/%s is another key", k.Team, k.KeyID)
	}
	a.registry.keys[name] = k
	a.registry.forgetVerified()
	return nil
}

// Unregister revokes a key: from now on its tokens are refused with InvalidProviderToken.
func (a *Apple) Unregister(team, keyID string) {
	a.registry.mu.Lock()
	defer a.registry.mu.Unlock()
	delete(a.registry.keys, keyName{team, keyID})
	a.registry.forgetVerified()
}

// RegisterCertificate makes this Apple accept a push certificate of another issuer.
func (a *Apple) RegisterCertificate(cert *x509.Certificate) { a.setCertificate(cert, true) }

// RevokeCertificate makes this Apple answer a push certificate of any issuer with BadCertificate.
func (a *Apple) RevokeCertificate(cert *x509.Certificate) { a.setCertificate(cert, false) }

func (a *Apple) setCertificate(cert *x509.Certificate, good bool) {
	a.registry.mu.Lock()
	defer a.registry.mu.Unlock()
	a.registry.certs[sha256.Sum256(cert.Raw)] = good
	a.registry.forgetVerified()
}

// forgetVerified forgets what was verified; called with mu held.
func (r *registry) forgetVerified() {
	clear(r.tokens)
	r.generation.Add(1)
}

// AddToken makes a device token known. topic is the app's bundle id plus .voip; an empty topic is
// any topic. env is the only environment in which the token is valid.
func (a *Apple) AddToken(token, topic, env string) {
	a.registry.mu.Lock()
	defer a.registry.mu.Unlock()
	a.registry.devices[strings.ToLower(token)] = device{topic: topic, env: env}
}

// Retire makes a token answer 410 Unregistered since at, as when the app was removed.
func (a *Apple) Retire(token string, at time.Time) { a.retire(token, at, "Unregistered") }

// Expire makes a token answer 410 ExpiredToken since at.
func (a *Apple) Expire(token string, at time.Time) { a.retire(token, at, "ExpiredToken") }

func (a *Apple) retire(token string, at time.Time, reason string) {
	a.registry.mu.Lock()
	defer a.registry.mu.Unlock()
	token = strings.ToLower(token)
	d := a.registry.devices[token]
	d.retired, d.reason = at, reason
	a.registry.devices[token] = d
}

// checkDevice checks a device token for a topic and an environment. The zero Answer accepts it.
func (a *Apple) checkDevice(token, topic, env string) Answer {
	a.registry.mu.RLock()
	d, known := a.registry.devices[token]
	a.registry.mu.RUnlock()
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

// wellFormed reports whether token is hexadecimal and of whole bytes. Apple says not to assume a
// length, so the bounds are wide.
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

// tokenHistory holds when one team's provider tokens were first used.
type tokenHistory struct {
	seen map[string]time.Time
	last time.Time // when the newest one was first seen
}

// allowToken reports whether a verified token may be used now: a known one always, a new one when
// least has passed since the last new one.
func (r *registry) allowToken(t *providerToken, env string, now time.Time, least time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	name := env + "\x00" + t.team
	f := r.histories[name]
	if f == nil {
		f = &tokenHistory{seen: map[string]time.Time{}}
		r.histories[name] = f
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

// coversTopic reports whether a list of bundle ids covers a topic; an empty list covers all.
func coversTopic(bundles []string, topic string) bool {
	for _, b := range bundles {
		if topic == b || strings.HasPrefix(topic, b+".") {
			return true
		}
	}
	return len(bundles) == 0
}
