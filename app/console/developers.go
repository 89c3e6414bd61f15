package console

import (
	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// developerPages show the tenant's own values, let people try the API, and lead to the
// documentation.
type developerPages struct{ *Console }

// tryKeyLife is how long a test key that the page makes works.
const tryKeyLife = time.Hour

func (k developerPages) developers(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.show(ctx, c, v, "", time.Time{})
}

// show draws the page, with the secret of a key that was made for it.
func (k developerPages) show(ctx context.Context, c *fiber.Ctx, v *page.Visitor, key tenants.Secret, ends time.Time) error {
	p := views.DevelopersPage{BaseURL: k.PublicURL, Bundle: "com.example.app", Device: "DEVICE_ID", Key: string(key), KeyEnds: v.At(ends),
		CanMake: v.Role.May(mayKeys) && v.Role.May(mayRing)}
	credentials, _, err := v.Scope.Credentials().List(ctx, store.Page{Limit: 1})
	if err != nil {
		return err
	}
	for _, x := range credentials {
		p.Bundle = x.Bundle
	}
	d, found, err := k.phoneToTry(ctx, v)
	if err != nil {
		return err
	}
	if d.ID != "" {
		p.Device = string(d.ID)
	}
	if !found {
		p.NoPhone = noSandboxPhone
	}
	p.Samples = samplesFor(p.BaseURL, p.Device, p.Bundle)
	p.Tries = triesFor(p.Device)
	if p.Shell, err = k.shell(ctx, c, v, at("For developers", views.NavDevelopers)); err != nil {
		return err
	}
	return web.Page(c, views.Developers(p), fiber.StatusOK)
}

// phoneToTry is a phone that a test key may ring. Where none is found it is any phone, for the
// examples; where there is no phone at all it has no id.
func (k developerPages) phoneToTry(ctx context.Context, v *page.Visitor) (d tenants.Device, found bool, err error) {
	q := store.DeviceQuery{State: tenants.DeviceActive, Host: tenants.Sandbox, Limit: 1}
	devices, _, err := v.Scope.Devices().List(ctx, q)
	if found = len(devices) > 0; err == nil && !found {
		q.Host = ""
		devices, _, err = v.Scope.Devices().List(ctx, q)
	}
	for _, x := range devices {
		d = x
	}
	return d, found, err
}

// toDevelopers leads who loads the page with a secret again to the one without.
func (k developerPages) toDevelopers(_ context.Context, c *fiber.Ctx, _ *page.Visitor) error {
	return c.Redirect(views.PathDevelopers, fiber.StatusSeeOther)
}

// addTryKey makes a test key for the page: it works for an hour, and rings the page's device only.
// It refuses where there is no phone that a test key rings: a key without a list would ring every
// one that comes. The page that answers is the only one that holds its secret, so the key that the
// person made before ends.
func (k developerPages) addTryKey(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	if !v.Role.May(mayRing) { // nobody gives what they do not have
		return tenants.Refuse(tenants.Forbidden, "missing_permission", lacksPermission, v.Role.Name(), mayRing.Does())
	}
	d, found, err := k.phoneToTry(ctx, v)
	if err != nil {
		return err
	}
	if !found {
		return tenants.Refuse(tenants.Conflict, "no_sandbox_device", noSandboxPhone)
	}
	now := k.Now()
	key := tenants.Key{ID: tenants.NewID[tenants.KeyID](now), Tenant: v.Tenant.ID, Name: tryKeyName, Test: true, CreatedAt: now,
		Permissions: []tenants.Permission{tenants.RingsWrite, tenants.RingsRead}, ExpiresAt: now.Add(tryKeyLife), MadeBy: v.User.ID,
		Maker: v.User.Name, Only: tenants.DeviceList{Devices: []tenants.DeviceID{d.ID}}}
	secret := newKeySecret(&key)
	if err := key.Check(); err != nil {
		return err
	}
	if err := v.Scope.Keys().AddAgain(ctx, key, secret.Hash()); err != nil {
		return err
	}
	return k.show(ctx, c, v, secret, key.ExpiresAt)
}

// samplesFor are the examples with the tenant's own values.
func samplesFor(base, device, bundle string) []views.DocExample {
	fill := strings.NewReplacer("BASE", base, "DEVICE", device, "BUNDLE", bundle)
	out := make([]views.DocExample, len(codeSamples))
	for i, s := range codeSamples {
		out[i] = views.DocExample{Name: s.Name, Text: fill.Replace(s.Text)}
	}
	return out
}

// triesFor are the requests that the page sends.
func triesFor(device string) []views.DocOperation {
	return []views.DocOperation{
		{ID: "place", Method: post, Path: "/v1/rings", Summary: "Ring the device", Body: views.DocBody{Type: fiber.MIMEApplicationJSON,
			Examples: []views.DocExample{{Text: strings.ReplaceAll(tryBody, "DEVICE", device)}}}},
		{ID: "read", Method: get, Path: "/v1/rings/{id}", Summary: "Read the ring", Params: []views.DocField{{Name: "id", In: "path"}}},
		{ID: "cancel", Method: post, Path: "/v1/rings/{id}/cancel", Summary: "Stop the ring",
			Params: []views.DocField{{Name: "id", In: "path"}}},
	}
}
