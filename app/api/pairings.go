package api

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
)

type pairingRequest struct {
	Person *string `json:"person"`
}

// person owns the phone that will be paired; empty = not set.
func (q pairingRequest) person() (string, error) {
	if q.Person == nil {
		return "", nil
	}
	if !tenants.ValidReference(*q.Person) {
		return "", invalid([]tenants.Field{{Name: "person", Message: "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'"}},
			"Please correct the fields of the pairing.")
	}
	return *q.Person, nil
}

// pairing is a code to show once to a person, as text and as a picture.
type pairing struct {
	ID        string  `json:"id"`
	Code      string  `json:"code"`
	Person    *string `json:"person"`
	ExpiresAt string  `json:"expires_at"`
	URL       string  `json:"url"`
	QR        string  `json:"qr_svg"`
}

// addPairing: POST /v1/pairings.
func (a *API) addPairing(ctx context.Context, c *fiber.Ctx, k caller) error {
	var body pairingRequest
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	person, err := body.person()
	if err != nil {
		return err
	}
	now, code := a.Now(), tenants.NewCode()
	p := tenants.Pairing{
		ID: tenants.NewID[tenants.PairingID](now), Tenant: k.Tenant.ID, Person: person, By: k.Actor,
		CreatedAt: now, ExpiresAt: now.Add(tenants.PairingTTL),
	}
	// The code is after #, so browsers do not send it and logs do not keep it.
	url := a.PublicURL + "/pair#" + string(code)
	qr, err := web.QR(url)
	if err != nil {
		return err
	}
	if err := k.scope.Pairings().Add(ctx, p, code.Hash()); err != nil {
		return err
	}
	return reply(c, fiber.StatusCreated, pairing{
		ID: string(p.ID), Code: string(code), Person: opt(person), ExpiresAt: stamp(p.ExpiresAt), URL: url, QR: qr,
	})
}
