package push

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"testing"
	"time"
)

// TestProcessesShareTheirToken: processes that started at different moments use one token at any
// moment, and send Apple a new one at most every 20 minutes, unless Apple refuses it.
func TestProcessesShareTheirToken(t *testing.T) {
	t.Parallel()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := begin.Add(time.Minute)
	var shared time.Time // what the database has
	away := false
	agree := identity{team: "TEAM123456", keyID: "KEY1234567"}.agree(func(_ context.Context, _ string,
		proposed, refused, oldest time.Time) (time.Time, error) {
		if away {
			return time.Time{}, errors.New("the database is away")
		}
		if !shared.After(oldest) || shared.Equal(refused) {
			shared = proposed
		}
		return shared, nil
	})
	start := func() *mint {
		return &mint{team: "TEAM123456", keyID: "KEY1234567", private: private, now: func() time.Time { return now }, agree: agree}
	}
	all := []*mint{start()}
	last, changed := "", time.Time{}
	for range 300 { // five hours
		if now.Sub(begin)%(41*time.Minute) == 0 { // also late in a term
			all = append(all, start())
		}
		for i, m := range all {
			h, err := m.header()
			if err != nil {
				t.Fatal(err)
			}
			if h == last {
				continue
			}
			if i > 0 {
				t.Fatalf("%v: process %d uses another token", now.Sub(begin), i)
			}
			if now.Sub(changed) < bearerMinUse {
				t.Errorf("%v: a new token after %v", now.Sub(begin), now.Sub(changed))
			}
			last, changed = h, now
		}
		now = now.Add(time.Minute)
	}
	next, ok, err := all[0].replaceExpired(last)
	if err != nil || !ok || next == last {
		t.Fatalf("no other token: %v", err)
	}
	if also, ok, err := all[1].replaceExpired(last); also != next || !ok || err != nil {
		t.Error("the second process makes a third token")
	}
	away = true
	if _, err := start().header(); err != nil {
		t.Errorf("without the database: %v", err)
	}
}
