package push

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"testing"
	"time"
)

// begin is the start of a term.
var begin = time.Unix(1_700_000_000/3300*3300, 0)

func TestIssueTimes(t *testing.T) {
	t.Parallel()
	half := bearerTerm / 2
	for at, want := range map[time.Duration]time.Duration{
		bearerLag - time.Second:                 -half, // it must be half a minute old when it is first used
		bearerLag:                               0,
		bearerTerm - bearerMinUse:               0,
		bearerTerm - bearerMinUse + 1:           half, // the term's own would be renewed too soon
		bearerTerm + bearerLag - 1:              half,
		bearerTerm + bearerLag:                  bearerTerm,
		2*bearerTerm - bearerMinUse + bearerLag: bearerTerm + half,
	} {
		if got := issueTime(begin.Add(at)).Sub(begin); got != want {
			t.Errorf("first used %v into a term: issued at %v, want %v", at, got, want)
		}
	}
	for at, want := range map[time.Duration]time.Duration{0: -half, time.Second: 0, half: 0, half + time.Second: half} {
		if got := previousIssueTime(begin.Add(at)).Sub(begin); got != want {
			t.Errorf("the one before %v was issued at %v, want %v", at, got, want)
		}
	}
}

func TestTokenLife(t *testing.T) {
	t.Parallel()
	b := &bearer{issued: begin}
	for age, want := range map[time.Duration]bool{-1: false, 0: true, bearerLife - 1: true, bearerLife: false} {
		if b.accepted(begin.Add(age)) != want {
			t.Errorf("a token of %v: accepted is not %v", age, want)
		}
	}
	if (*bearer)(nil).accepted(begin) {
		t.Error("no token is accepted")
	}
}

func TestTokenCacheIsBounded(t *testing.T) {
	t.Parallel()
	var cache tokenCache
	for i := range maxMints + 10 {
		name := poolName{env: fmt.Sprint(i)}
		m := &mint{}
		if cache.mintFor(name, func() *mint { return m }) != m || len(cache.keys) > maxMints {
			t.Fatalf("mint %d of %d", i, len(cache.keys))
		}
		if cache.mintFor(name, func() *mint { return nil }) != m {
			t.Fatal("it was not kept")
		}
	}
	if len(cache.keys) != maxMints {
		t.Errorf("%d are kept", len(cache.keys))
	}
}

// TestReplacedTokens: what follows when Apple does not accept the current token.
func TestReplacedTokens(t *testing.T) {
	t.Parallel()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := begin.Add(30 * time.Minute)
	m := &mint{team: "TEAM123456", keyID: "KEY1234567", private: private, now: func() time.Time { return now }}
	first, err := m.header()
	if err != nil {
		t.Fatal(err)
	}
	second, ok, err := m.replaceExpired(first)
	if err != nil || !ok || second == first || !m.current.Load().issued.Equal(now.Add(-bearerMinUse)) {
		t.Errorf("the token after an expired one: %v %v, issued %v", ok, err, m.current.Load().issued)
	}
	if again, ok, err := m.replaceExpired(first); again != second || !ok || err != nil {
		t.Error("a second push that was refused with the first token makes a third")
	}
	back, ok, err := m.fallBack(second)
	if back != first || !ok || err != nil || !m.current.Load().renew.Equal(now.Add(bearerMinUse)) {
		t.Errorf("it does not go back to the first: %v %v, until %v", ok, err, m.current.Load().renew)
	}
	if again, ok, err := m.fallBack(second); again != first || !ok || err != nil {
		t.Error("a second push that was refused with the second token does not use the first")
	}
	same := &mint{team: m.team, keyID: m.keyID, private: private, now: m.now}
	refused, err := same.sign(now.Add(-bearerMinUse))
	if err != nil {
		t.Fatal(err)
	}
	same.current.Store(refused)
	if _, ok, err := same.replaceExpired(refused.header); !ok || err != nil ||
		!same.current.Load().issued.Equal(now.Add(-bearerMinUse-time.Second)) {
		t.Errorf("a token of the same second: %v %v, issued %v", ok, err, same.current.Load().issued)
	}
	now = begin.Add(45 * time.Minute)
	m.previous = m.current.Load()
	m.current.Store(&bearer{header: "other", issued: now})
	if _, _, err := m.fallBack("other"); err != nil || !m.current.Load().renew.Equal(begin.Add(bearerLife)) {
		t.Errorf("a token is used longer than Apple takes it: until %v", m.current.Load().renew)
	}
	if _, err := (&mint{now: m.now}).header(); err == nil {
		t.Error("a mint without a key makes tokens")
	}
}

// TestTokensBesideTheSchedule: a token that no other process would make is kept as the previous
// one, both when it is renewed and when Apple finds it too old, and it is not gone back to twice.
func TestTokensBesideTheSchedule(t *testing.T) {
	t.Parallel()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	odd := begin.Add(7 * time.Minute)
	for name, c := range map[string]struct {
		at   time.Duration // after odd
		next func(*mint, string) (string, error)
		back bool // it goes back to the odd one
	}{
		"renewed":          {bearerTerm + bearerLag, func(m *mint, _ string) (string, error) { return m.header() }, true},
		"renewed too late": {bearerLife, func(m *mint, _ string) (string, error) { return m.header() }, false},
		"too old, says Apple": {40 * time.Minute, func(m *mint, first string) (string, error) {
			h, _, err := m.replaceExpired(first)
			return h, err
		}, true},
	} {
		now := odd
		m := &mint{team: "TEAM123456", keyID: "KEY1234567", private: private, now: func() time.Time { return now }}
		first, err := m.sign(odd)
		if err != nil {
			t.Fatal(err)
		}
		m.current.Store(first)
		if h, err := m.header(); h != first.header || err != nil {
			t.Fatalf("%s: a token that is good is not used: %v", name, err)
		}
		now = odd.Add(c.at)
		second, err := c.next(m, first.header)
		if err != nil || second == first.header {
			t.Fatalf("%s: no other token: %v", name, err)
		}
		back, ok, err := m.fallBack(second)
		if err != nil || (back == first.header) != c.back || back == second {
			t.Errorf("%s: after Apple refused the new one it uses the odd one: %t, %t, %v", name, back == first.header, ok, err)
		}
		if again, ok, err := m.fallBack(back); ok && again == back || err != nil {
			t.Errorf("%s: it goes back to a token that was refused: %v", name, err)
		}
	}
	now := begin
	m := &mint{team: "TEAM123456", keyID: "KEY1234567", private: private, now: func() time.Time { return now }}
	later, err := m.sign(begin.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	m.current.Store(later) // the clock was set back
	if h, err := m.header(); h == later.header || err != nil {
		t.Errorf("a token of the future is used: %v", err)
	}
}
