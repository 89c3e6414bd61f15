package api

import (
	"context"
	"errors"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/switchboard"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
)

// caller is a tenant's program, authenticated by its API key.
type caller struct {
	switchboard.Caller
	key    tenants.Key
	hash   tenants.Hash // of the key's secret
	scope  *store.Scope // acts as the key
	reader web.Reader   // of event streams
}

// anyScope admits a key whatever its scopes are: the handler asks for one when it knows what to do.
const anyScope tenants.Permission = ""

// phone is a device, authenticated by its credential.
type phone struct {
	tenants.Device
	scope  *store.Scope // acts as the device
	reader web.Reader   // of event streams
}

// bearer returns the secret after Authorization: Bearer (RFC 6750, 2.1). want names it in the
// refusal.
func bearer(c *fiber.Ctx, want string) (string, error) {
	v, given, err := web.OneHeader(c, fiber.HeaderAuthorization)
	if err != nil {
		return "", err
	}
	scheme, secret, ok := strings.Cut(v, " ")
	if !given || !ok || !strings.EqualFold(scheme, "Bearer") || secret == "" {
		return "", tenants.Refuse(tenants.Unauthorized, "unauthorized", "Send %s as Authorization: Bearer.", want)
	}
	return secret, nil
}

// caller authenticates a program by its API key and checks its scope. A malformed key is refused
// without a database read. A refusal of a known key comes with the key, for its record.
func (a *API) caller(ctx context.Context, c *fiber.Ctx, needs tenants.Permission) (caller, error) {
	secret, err := bearer(c, "an API key")
	if err != nil {
		return caller{}, err
	}
	if !tenants.WellFormed(secret) || strings.HasPrefix(secret, tenants.DevicePrefix) {
		return caller{}, tenants.Refuse(tenants.Unauthorized, "key_malformed",
			"This is not an API key. It starts with crl_live_ or crl_test_ and is copied whole.")
	}
	hash := tenants.Secret(secret).Hash()
	ip := web.IP(c)
	t, key, err := a.keyOf(ctx, hash, needs, ip)
	who := store.Who{Actor: tenants.Actor{Kind: tenants.ActorKey, ID: string(key.ID), Name: key.Name}, IP: ip,
		RequestID: web.RequestID(c)}
	if tenants.KindOf(err) == tenants.Forbidden && key.ID != "" {
		return caller{key: key}, a.refused(ctx, c, t, who, needs, err)
	}
	if err != nil {
		return caller{key: key}, err
	}
	return caller{
		Caller: switchboard.Caller{Tenant: t, Test: key.Test, PerSecond: key.PerSecond, Only: key.Only, Who: who,
			Emergency: key.May(tenants.RingsEmergency)},
		key:   key,
		hash:  hash,
		scope: a.Store.For(t.ID).By(who),
		reader: web.Reader{
			Holder:  web.Holder{Kind: web.KindKey, ID: string(key.ID), Tenant: string(t.ID)},
			MayRead: func(ctx context.Context) error { _, _, err := a.keyOf(ctx, hash, needs, ip); return err },
		},
	}, nil
}

// refused records what a key asked for and may not do, and returns why. A flood of attempts is not
// recorded one by one.
func (a *API) refused(ctx context.Context, c *fiber.Ctx, t tenants.Tenant, who store.Who, needs tenants.Permission, why error) error {
	if web.MayWrite(c, web.Holder{Kind: web.KindKey, ID: who.ID, Tenant: string(t.ID)}) != nil {
		return why
	}
	asked := c.Method() + " " + c.Route().Path
	if err := a.Store.For(t.ID).By(who).Audits().Refused(ctx, "access.refuse", asked, reasonOf(why, needs)); err != nil {
		return err
	}
	return why
}

// reasonOf is the detail of a refusal's entry: the scope that is missing, or what else was in the
// way.
func reasonOf(why error, needs tenants.Permission) string {
	var e *tenants.Error
	if errors.As(why, &e) && e.Code != codeMissingScope {
		return strings.ReplaceAll(e.Code, "_", " ")
	}
	return string(needs)
}

const codeMissingScope = "missing_scope"

// keyOf returns the key with this hash and its tenant, or why it may not do this now from ip.
func (a *API) keyOf(ctx context.Context, h tenants.Hash, needs tenants.Permission, ip string) (tenants.Tenant, tenants.Key, error) {
	t, key, err := a.Store.Tenants().OfKey(ctx, h)
	if err == nil {
		err = active(t)
	}
	if err == nil {
		err = key.TakenFrom(ip)
	}
	if err == nil && needs != anyScope && !key.May(needs) {
		err = lacks(needs)
	}
	return t, key, err
}

// lacks is the refusal of a key without the scope.
func lacks(needs tenants.Permission) error {
	return tenants.Refuse(tenants.Forbidden, codeMissingScope, "This key lacks the scope %s. Make one that has it, under API keys.", needs)
}

// device authenticates a phone by its credential.
func (a *API) device(ctx context.Context, c *fiber.Ctx) (phone, error) {
	secret, err := bearer(c, "the device's credential")
	if err != nil {
		return phone{}, err
	}
	if !tenants.WellFormed(secret) || !strings.HasPrefix(secret, tenants.DevicePrefix) {
		return phone{}, tenants.Refuse(tenants.Unauthorized, "credential_malformed",
			"This is not a device credential. It starts with crl_device_; pair the phone again to get one.")
	}
	hash := tenants.Secret(secret).Hash()
	t, d, err := a.deviceOf(ctx, hash)
	if err != nil {
		return phone{}, err
	}
	who := store.Who{Actor: tenants.Actor{Kind: tenants.ActorDevice, ID: string(d.ID), Name: d.Name}, IP: web.IP(c),
		RequestID: web.RequestID(c)}
	return phone{
		Device: d, scope: a.Store.For(t.ID).By(who),
		reader: web.Reader{
			Holder:  web.Holder{Kind: web.KindDevice, ID: string(d.ID), Tenant: string(t.ID)},
			MayRead: func(ctx context.Context) error { _, _, err := a.deviceOf(ctx, hash); return err },
		},
	}, nil
}

// deviceOf returns the device with this credential hash and its tenant, or why it may not call now.
func (a *API) deviceOf(ctx context.Context, h tenants.Hash) (tenants.Tenant, tenants.Device, error) {
	t, d, err := a.Store.Tenants().OfDevice(ctx, h)
	if err == nil {
		err = active(t)
	}
	return t, d, err
}

// active returns ErrSuspended for a suspended tenant.
func active(t tenants.Tenant) error {
	if t.State != tenants.TenantActive {
		return tenants.ErrSuspended
	}
	return nil
}
