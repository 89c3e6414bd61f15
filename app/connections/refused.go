package connections

import (
	"context"

	"carillon/app/outbound"
	"carillon/tenants/store"
)

// The things whose addresses people type, as the audit log names them.
const (
	OfAgent      = "agent"
	OfConnection = "connection"
	OfTarget     = "alert target"
	OfProvider   = "sign-in provider"
)

// NoteRefused records that somebody gave an address which tenants may not reach, as that of a thing
// of a kind, and returns why it was refused. What was refused for another reason, such as a typing
// error, is not recorded. The row has the host alone: the rest of an address may be a secret.
func NoteRefused(ctx context.Context, s *store.Scope, kind string, why error) error {
	host, ok := outbound.Forbidden(why)
	if !ok {
		return why
	}
	if err := s.Audits().Refused(ctx, "address.refuse", kind, host); err != nil {
		return err
	}
	return why
}
