package app

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/seal"
	"carillon/tenants/store"
)

// inStore opens the rows of a data folder, under a master key of its own, for as long as do runs.
func inStore(t *testing.T, data string, do func(*store.Store)) {
	t.Helper()
	ring, err := seal.Parse([]byte(seal.Generate()))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Config{Dir: data, Seal: ring, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	do(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestUserVerbs resets, disables and enables a person at the command line.
func TestUserVerbs(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	wants(t, 0, "applied", "migrate", "up", "--data", data)
	now := time.Now()
	u := tenants.User{ID: tenants.NewID[tenants.UserID](now), Email: "ana@clinic.example", Name: "Ana Ruiz", Theme: "auto", CreatedAt: now,
		Unproven: true}
	look := func(do func(*store.Store)) { t.Helper(); inStore(t, data, do) }
	look(func(s *store.Store) {
		if err := s.Users().Add(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	})
	reset := []string{"user", "reset", "--data", data, "--email"}
	wants(t, 1, "nobody has an account", append(reset, "nobody@clinic.example")...)
	wants(t, 2, "is not an email address", append(reset, "ana")...)
	wants(t, 2, "CARILLON_PUBLIC_URL", append(reset, u.Email, "--public-url", "ring")...)
	wants(t, 0, "it works once, for 24 hours", append(reset, u.Email)...)
	wants(t, 0, "cannot sign in", "user", "disable", "--data", data, "--email", u.Email)
	wants(t, 1, "user enable", append(reset, u.Email)...)
	wants(t, 0, "can sign in", "user", "enable", "--data", data, "--email", u.Email)
	code, said := say(t, append(reset, "ANA@clinic.example", "--public-url", "https://ring.example.com/", "--json")...)
	var m struct{ Email, Link string }
	if err := json.Unmarshal([]byte(said), &m); err != nil || code != 0 {
		t.Fatalf("%d %s: %v", code, said, err)
	}
	token, ok := strings.CutPrefix(m.Link, "https://ring.example.com/forgot/")
	if !ok || m.Email != u.Email {
		t.Fatalf("%+v", m)
	}
	look(func(s *store.Store) {
		got, err := s.Users().TakeReset(t.Context(), tenants.Secret(token).Hash(), "phc", time.Now(), store.Who{})
		if err != nil || got.ID != u.ID || got.Unproven {
			t.Errorf("%+v %v", got, err)
		}
	})
}

// TestUserResetRemovesSecondSteps: a lost phone locks nobody out.
func TestUserResetRemovesSecondSteps(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	wants(t, 0, "applied", "migrate", "up", "--data", data)
	now := time.Now()
	u := tenants.User{ID: tenants.NewID[tenants.UserID](now), Email: "ana@clinic.example", Name: "Ana Ruiz", Theme: "auto", CreatedAt: now}
	reset := []string{"user", "reset", "--data", data, "--email", u.Email}
	inStore(t, data, func(s *store.Store) {
		err := errors.Join(s.Users().Add(t.Context(), u),
			s.Factors().SetAuthenticator(t.Context(), store.Who{}, u.ID, "SEED", 1, tenants.Hash{}),
			s.Factors().SetRecoveryCodes(t.Context(), store.Who{}, u.ID, []tenants.Secret{"AAAAA-BBBBB-CCCCC"}))
		if got, _ := s.Users().Get(t.Context(), u.ID); err != nil || !got.TwoSteps {
			t.Fatalf("%+v %v", got, err)
		}
	})
	wants(t, 0, "second steps are removed", reset...)
	inStore(t, data, func(s *store.Store) {
		seed, _, err := s.Factors().Authenticator(t.Context(), u.ID) // none is left to open
		codes, err2 := s.Factors().RecoveryCodes(t.Context(), u.ID)
		if got, err3 := s.Users().Get(t.Context(), u.ID); errors.Join(err, err2, err3) != nil || seed != "" || codes != 0 || got.TwoSteps {
			t.Errorf("%q, %d codes, %+v: %v", seed, codes, got, errors.Join(err, err2, err3))
		}
	})
	if _, said := say(t, reset...); strings.Contains(said, "second steps") {
		t.Errorf("there is none to remove: %s", said)
	}
}
