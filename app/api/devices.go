package api

import (
	"cmp"
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
)

// deviceRequest is the body of POST /v1/devices and POST /v1/phone/devices.
type deviceRequest struct {
	Token       string `json:"token"`
	Bundle      string `json:"bundle_id"`
	Environment string `json:"environment"`
	Person      string `json:"person"`
	Name        string `json:"name"`
	Model       string `json:"model"`
	OSVersion   string `json:"os_version"`
	AppVersion  string `json:"app_version"`
	TimeZone    string `json:"time_zone"`
	Platform    string `json:"platform"`
	PhoneNumber string `json:"phone_number"`
	PhoneID     string `json:"phone_id"`
}

func (q deviceRequest) device() (tenants.Device, error) {
	d := tenants.Device{
		Token: q.Token, Bundle: q.Bundle, Environment: tenants.Environment(q.Environment), Person: q.Person, Name: q.Name,
		Model: q.Model, OSVersion: q.OSVersion, AppVersion: q.AppVersion, TimeZone: q.TimeZone, Platform: tenants.Platform(q.Platform),
		PhoneNumber: q.PhoneNumber, PhoneID: q.PhoneID,
	}.Clean()
	return d, d.Check()
}

// deviceChange is the body of PATCH /v1/devices/{id}: omitted fields stay.
type deviceChange struct {
	Environment *string `json:"environment"`
	Person      *string `json:"person"`
	Name        *string `json:"name"`
	Model       *string `json:"model"`
	OSVersion   *string `json:"os_version"`
	AppVersion  *string `json:"app_version"`
	TimeZone    *string `json:"time_zone"`
	PhoneNumber *string `json:"phone_number"`

	Tags *[]string `json:"tags"` // replace all that it has
}

func (q deviceChange) apply(d *tenants.Device) {
	if q.Environment != nil && tenants.Environment(*q.Environment) != d.Environment {
		d.Environment, d.Learnt = tenants.Environment(*q.Environment), ""
	}
	set(&d.Person, q.Person)
	label(&d.Name, q.Name)
	label(&d.Model, q.Model)
	label(&d.OSVersion, q.OSVersion)
	label(&d.AppVersion, q.AppVersion)
	set(&d.TimeZone, q.TimeZone)
	if q.PhoneNumber != nil {
		d.PhoneNumber = cmp.Or(tenants.ParsePhoneNumber(*q.PhoneNumber), *q.PhoneNumber)
	}
}

// label sets text that people read, trimmed.
func label(to *string, from *string) {
	if from != nil {
		*to = tenants.TrimLabel(*from)
	}
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// device is a device as programs see it. The token is secret; its end is enough to tell devices
// apart.
type device struct {
	ID             string  `json:"id"`
	Bundle         string  `json:"bundle_id"`
	Environment    string  `json:"environment"`
	Learnt         *string `json:"learnt_environment"`
	TokenEnd       string  `json:"token_end"`
	Person         *string `json:"person"`
	Name           *string `json:"name"`
	Model          *string `json:"model"`
	OSVersion      *string `json:"os_version"`
	AppVersion     *string `json:"app_version"`
	TimeZone       *string `json:"time_zone"`
	PhoneNumber    *string `json:"phone_number"`
	Platform       string  `json:"platform"`
	State          string  `json:"state"`
	DisabledReason *string `json:"disabled_reason"`
	RegisteredAt   *string `json:"registered_at"`
	SeenAt         *string `json:"seen_at"`
	CreatedAt      string  `json:"created_at"`
	Tags           tags    `json:"tags,omitzero"`        // not in what a phone is answered
	Credential     string  `json:"credential,omitempty"` // only in the answer to its registration
}

// tags are labels that the tenant gives to devices; nil is not shown.
type tags []string

// tagged are devices as the tenant's programs see them: with their tags.
func (k caller) tagged(ctx context.Context, all ...tenants.Device) (show func(tenants.Device) device, err error) {
	ids := make([]tenants.DeviceID, len(all))
	for i, d := range all {
		ids[i] = d.ID
	}
	found, err := k.scope.Devices().Tags(ctx, ids)
	return func(d tenants.Device) device {
		out := showDevice(d)
		out.Tags = append(tags{}, found[d.ID]...)
		return out
	}, err
}

func showDevice(d tenants.Device) device {
	return device{
		ID: string(d.ID), Bundle: d.Bundle, Environment: string(d.Environment), Learnt: opt(string(d.Learnt)),
		TokenEnd: d.Token[max(0, len(d.Token)-8):], Person: opt(d.Person), Name: opt(d.Name), Model: opt(d.Model),
		OSVersion: opt(d.OSVersion), AppVersion: opt(d.AppVersion), TimeZone: opt(d.TimeZone), Platform: string(d.Platform),
		PhoneNumber: opt(d.PhoneNumber),
		State:       string(d.State), DisabledReason: opt(d.DisabledReason), RegisteredAt: optStamp(d.RegisteredAt),
		SeenAt: optStamp(d.SeenAt), CreatedAt: stamp(d.CreatedAt),
	}
}

// registered is a device with its credential, which is shown only here.
func registered(d tenants.Device, credential tenants.Secret) device {
	out := showDevice(d)
	out.Credential = string(credential)
	return out
}

// withID gives a new device its id and times.
func (a *API) withID(d tenants.Device, t tenants.TenantID) tenants.Device {
	now := a.Now()
	d.ID, d.Tenant = tenants.NewID[tenants.DeviceID](now), t
	d.CreatedAt, d.RegisteredAt, d.SeenAt = now, now, now
	return d
}

// addDevice: POST /v1/devices.
func (a *API) addDevice(ctx context.Context, c *fiber.Ctx, k caller) error {
	var body deviceRequest
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	d, err := body.device()
	if err != nil {
		return err
	}
	credential := tenants.NewSecret(tenants.DevicePrefix)
	stored, known, err := k.scope.Devices().Add(ctx, a.withID(d, k.Tenant.ID), credential.Hash())
	if err != nil {
		return err
	}
	if d.PhoneID != "" {
		a.Board.EndMerged(ctx, k.Caller, stored)
	}
	status := fiber.StatusCreated
	if known {
		status = fiber.StatusOK
	}
	c.Response().Header.Set(fiber.HeaderLocation, "/v1/devices/"+string(stored.ID))
	show, err := k.tagged(ctx, stored)
	if err != nil {
		return err
	}
	out := show(stored)
	out.Credential = string(credential)
	return reply(c, status, out)
}

// listDevices: GET /v1/devices.
func (a *API) listDevices(ctx context.Context, c *fiber.Ctx, k caller) error {
	f := filter{c: c}
	q := store.DeviceQuery{
		Person: f.text("person"), Bundle: f.text("bundle_id"), Search: f.text("q"), Tag: f.text("tag"),
		State: tenants.DeviceState(f.oneOf("state", string(tenants.DeviceActive), string(tenants.DeviceDisabled))),
		After: f.cursor(), Limit: f.limit(),
	}
	if err := f.err(); err != nil {
		return err
	}
	rows, next, err := k.scope.Devices().List(ctx, q)
	if err != nil {
		return err
	}
	show, err := k.tagged(ctx, rows...)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, listOf(rows, next, show))
}

// showDevice: GET /v1/devices/{id}.
func (a *API) showDevice(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.DeviceID](c, "device")
	if err != nil {
		return err
	}
	d, err := k.scope.Devices().Get(ctx, id)
	if err != nil {
		return err
	}
	return k.showDevice(ctx, c, d)
}

// showDevice answers with a device and its tags.
func (k caller) showDevice(ctx context.Context, c *fiber.Ctx, d tenants.Device) error {
	show, err := k.tagged(ctx, d)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, show(d))
}

// changeDevice: PATCH /v1/devices/{id}. The token cannot change here: register again, or let the
// phone renew it.
func (a *API) changeDevice(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.DeviceID](c, "device")
	if err != nil {
		return err
	}
	var body deviceChange
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	d, err := k.scope.Devices().Get(ctx, id)
	if err != nil {
		return err
	}
	body.apply(&d)
	if err := d.Check(); err != nil {
		return err
	}
	if err := k.scope.Devices().Change(ctx, d, body.Tags); err != nil {
		return err
	}
	return k.showDevice(ctx, c, d)
}

// removeDevice: DELETE /v1/devices/{id}.
func (a *API) removeDevice(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.DeviceID](c, "device")
	if err != nil {
		return err
	}
	if err := a.Board.RemoveDevice(ctx, k.Caller, id); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}
