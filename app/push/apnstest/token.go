package apnstest

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"time"
)

// providerToken is a JWT whose signature was verified against a registered key.
type providerToken struct {
	text      string
	team, kid string
	issued    time.Time
	key       Key
}

// verify checks a provider token and returns nil if it is invalid. Valid tokens are remembered by
// their text.
func (r *registry) verify(text string) *providerToken {
	r.mu.RLock()
	t := r.tokens[text]
	r.mu.RUnlock()
	if t != nil {
		return t
	}
	if t = r.parse(text); t == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.keys[keyName{t.team, t.kid}]; !ok { // revoked meanwhile
		return nil
	}
	if len(r.tokens) > 10_000 {
		clear(r.tokens)
	}
	r.tokens[text] = t
	return t
}

func (r *registry) parse(text string) *providerToken {
	head, rest, ok := strings.Cut(text, ".")
	if !ok {
		return nil
	}
	body, signature, ok := strings.Cut(rest, ".")
	if !ok {
		return nil
	}
	var header struct{ Alg, Kid string }
	var claims struct {
		Iss string
		Iat int64
	}
	if !decodePart(head, &header) || !decodePart(body, &claims) || header.Alg != "ES256" || header.Kid == "" || claims.Iat == 0 {
		return nil
	}
	r.mu.RLock()
	key, known := r.keys[keyName{claims.Iss, header.Kid}]
	r.mu.RUnlock()
	if !known || !validSignature(key.Public, text[:len(head)+1+len(body)], signature) {
		return nil
	}
	return &providerToken{text: text, team: claims.Iss, kid: header.Kid, issued: time.Unix(claims.Iat, 0), key: key}
}

func decodePart(part string, into any) bool {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(raw, into) == nil
}

// validSignature checks an ES256 signature: r and s of 32 bytes each (RFC 7518, 3.4).
func validSignature(key *ecdsa.PublicKey, text, signature string) bool {
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || len(raw) != 64 {
		return false
	}
	sum := sha256.Sum256([]byte(text))
	return ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:]))
}

// authorize checks the client's provider token or certificate. It returns the reason to refuse, or
// "". Only the connection's reader calls it.
func (c *conn) authorize(bearer string, now time.Time) string {
	if bearer == "" {
		return c.authorizeCertificate(now)
	}
	text, ok := strings.CutPrefix(bearer, "bearer ")
	if !ok {
		text, ok = strings.CutPrefix(bearer, "Bearer ")
	}
	if !ok {
		return "InvalidProviderToken"
	}
	t := c.verify(text)
	switch {
	case t == nil:
		return "InvalidProviderToken"
	case now.Sub(t.issued) > time.Hour, t.issued.Sub(now) > time.Minute:
		return "ExpiredProviderToken"
	case len(t.key.Environments) > 0 && !slices.Contains(t.key.Environments, c.host.env):
		return "BadEnvironmentKeyIdInToken"
	case c.team != "" && c.team != t.team:
		c.apple.recordViolation(c, "second team on a connection", c.team+" then "+t.team)
		return "InvalidProviderToken"
	case c.kid != "" && c.kid != t.kid:
		c.apple.recordViolation(c, "second key on a connection", c.kid+" then "+t.kid)
		return "UnrelatedKeyIdInToken"
	}
	if c.admitted == text {
		return ""
	}
	return c.admitToken(t, now)
}

// verify is registry.verify with a cache of the connection's last token.
func (c *conn) verify(text string) *providerToken {
	age := c.apple.registry.generation.Load()
	if c.token != nil && c.tokenGeneration == age && c.token.text == text {
		return c.token
	}
	c.token, c.tokenGeneration, c.admitted = c.apple.registry.verify(text), age, ""
	return c.token
}

func (c *conn) admitToken(t *providerToken, now time.Time) string {
	least := c.apple.cfg.TokenInterval
	// After this refusal the connection stays unusable for a while (Apple developer forum, thread
	// 675879).
	if now.Before(c.refuseUntil) || !c.apple.registry.allowToken(t, c.host.env, now, least) {
		if !now.Before(c.refuseUntil) {
			c.refuseUntil = now.Add(min(least, time.Minute))
			c.apple.recordViolation(c, "provider token minted too often", t.team)
		}
		return "TooManyProviderTokenUpdates"
	}
	c.admitted, c.team, c.kid = t.text, t.team, t.kid
	return ""
}

func (c *conn) authorizeCertificate(now time.Time) string {
	if c.client == nil {
		return "MissingProviderToken"
	}
	c.apple.registry.mu.RLock()
	good, known := c.apple.registry.certs[c.client.fingerprint]
	c.apple.registry.mu.RUnlock()
	switch {
	case known && !good, !known && !c.client.signedByUs, now.After(c.clientEnds):
		return "BadCertificate"
	case !c.client.envs[c.host.env]:
		return "BadCertificateEnvironment"
	}
	return ""
}
