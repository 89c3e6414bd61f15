package console

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// alike shows the rows that look like one phone.
func (k devicePages) alike(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	pairs, err := v.Scope.Devices().LookAlike(ctx)
	if err != nil {
		return err
	}
	judged, err := k.judged.of(ctx, v.Tenant.ID, v.Scope)
	if err != nil {
		return err
	}
	p := views.AlikePage{More: len(pairs) == store.AlikeMost}
	for _, a := range pairs {
		p.Pairs = append(p.Pairs, views.AlikePair{Old: deviceRow(a.Old, judged.status(a.Old, k.Now()), v),
			New: deviceRow(a.New, judged.status(a.New, k.Now()), v)})
	}
	if p.Shell, err = k.shell(ctx, c, v, at("Registered twice", views.NavDevices, up("Devices", views.PathDevices))); err != nil {
		return err
	}
	return web.Page(c, views.AlikeDevices(p), fiber.StatusOK)
}

// merging asks before the older row in the path is merged into the newer one, which the address
// names.
func (k devicePages) merging(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	old, err := oneDevice(ctx, c, v)
	if err != nil {
		return confirmation{}, err
	}
	id, ok := tenants.ParseID[tenants.DeviceID](web.Query(c, "into"))
	if !ok {
		return confirmation{}, tenants.NoSuch("device")
	}
	into, err := v.Scope.Devices().Get(ctx, id)
	if err != nil {
		return confirmation{}, err
	}
	title, says := mergeWords(old, into, v)
	return confirmation{
		ask: views.Confirm{ID: "merge-device", Title: title, Consequence: says, Button: "Merge",
			Action: views.DeviceMergePath(string(old.ID), string(into.ID)), Back: views.PathDevicesAlike},
		title: "Merge two entries", nav: views.NavDevices, up: up("Registered twice", views.PathDevicesAlike),
		do:   func(ctx context.Context) error { return k.Board.MergeDevice(ctx, callerOf(v), old.ID, into.ID) },
		said: page.FlashMerged, next: views.DevicePath(string(into.ID)),
	}, nil
}

// earlier are the older entries of a phone, each with a link to its rings.
func earlier(ctx context.Context, v *page.Visitor, id tenants.DeviceID) ([]views.EarlierDevice, error) {
	rows, err := v.Scope.Devices().Earlier(ctx, id)
	return mapped(rows, func(m store.Merged) views.EarlierDevice {
		return views.EarlierDevice{ID: string(m.ID), Name: m.Name, Added: v.At(m.Added), Merged: v.At(m.MergedAt),
			Rings: views.PathRings + "?device=" + string(m.ID)}
	}), err
}

// moved leads from an entry that was merged to the phone that it is now.
func (k devicePages) moved(ctx context.Context, c *fiber.Ctx, v *page.Visitor, missing error) error {
	id, err := web.ID[tenants.DeviceID](c, "device")
	if err != nil || tenants.KindOf(missing) != tenants.Unknown {
		return missing
	}
	now, err := v.Scope.Devices().Now(ctx, id)
	if tenants.KindOf(err) == tenants.Unknown {
		return missing
	}
	if err != nil {
		return err
	}
	return c.Redirect(views.DevicePath(string(now)), fiber.StatusSeeOther)
}
