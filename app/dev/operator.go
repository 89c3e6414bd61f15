package dev

import (
	"context"
	"time"

	"github.com/alexedwards/argon2id"

	"carillon/app/factor"
	"carillon/tenants"
	"carillon/tenants/store"
)

// The one operator of dev mode.
const (
	OperatorEmail    = "ops@carillon.test"
	OperatorPassword = "mind the bells"
)

// AddOperator makes the operator of dev mode, unless an earlier run did.
func AddOperator(ctx context.Context, s *store.Store, now time.Time) error {
	_, err := s.Operators().ByEmail(ctx, OperatorEmail)
	if tenants.KindOf(err) != tenants.Unknown {
		return err
	}
	hash, err := argon2id.CreateHash(OperatorPassword, &argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16,
		KeyLength: 32})
	if err != nil {
		return err
	}
	link := tenants.NewSecret(tenants.OperatorPrefix)
	o := tenants.Operator{ID: tenants.NewID[tenants.OperatorID](now), Email: OperatorEmail, Name: "Sam Hill", CreatedAt: now}
	if err := s.Operators().Add(ctx, devMode(), o, store.OperatorLink{Hash: link.Hash(), ExpiresAt: now.Add(time.Hour)}); err != nil {
		return err
	}
	_, err = s.Operators().Enrol(ctx, link.Hash(), store.Enrolment{Password: hash, Seed: factor.NewSeed(),
		Codes: factor.NewRecoveryCodes()}, devMode())
	return err
}

// OperatorCode is the code that the app of dev mode's operator would show now; empty when it cannot
// be read.
func OperatorCode(ctx context.Context, s *store.Store, now time.Time) string {
	o, err := s.Operators().ByEmail(ctx, OperatorEmail)
	if err != nil {
		return ""
	}
	seed, _, err := s.Operators().Authenticator(ctx, o.ID)
	if err != nil {
		return ""
	}
	return factor.CodeAt(seed, now)
}
