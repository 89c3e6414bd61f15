package console

import (
	"context"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// ticked are the rows that the address names: at most a page of them.
func ticked(c *fiber.Ctx) (ids []string, err error) {
	for _, id := range c.Request().URI().QueryArgs().PeekMulti("id") {
		ids = append(ids, string(id))
	}
	if len(ids) == 0 {
		return nil, tenants.Refuse(tenants.Unprocessable, "invalid", nothingTicked)
	}
	if len(ids) > page.PerPage {
		return nil, tenants.Refuse(tenants.Unprocessable, "invalid", tooManyTicked)
	}
	return ids, nil
}

// tickedIDs are ticked, where rows have ids. What is no id names nothing.
func tickedIDs[T ~string](c *fiber.Ctx) ([]T, error) {
	all, err := ticked(c)
	var ids []T
	for _, s := range all {
		if id, ok := tenants.ParseID[T](s); ok {
			ids = append(ids, id)
		}
	}
	return ids, err
}

// bulkAsk is a question about several rows: its address says what is done, and to what.
func bulkAsk(c *fiber.Ctx, title, button, back string, says ...string) views.Confirm {
	return views.Confirm{ID: "bulk-ask", Title: title, Button: button, Consequence: says, Back: back,
		Action: strings.Clone(c.Path()) + "?" + string(c.Request().URI().QueryString())}
}

// bulk asks about the devices that were ticked.
func (k devicePages) bulk(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	ids, err := tickedIDs[tenants.DeviceID](c)
	if err != nil {
		return confirmation{}, err
	}
	found, err := v.Scope.Devices().ByID(ctx, ids)
	if err != nil {
		return confirmation{}, err
	}
	var all []tenants.Device
	for _, id := range ids {
		if d, ok := found[id]; ok {
			all = append(all, d)
		}
	}
	if len(all) == 0 {
		return confirmation{}, tenants.NoSuch("device")
	}
	phones := views.Plural(len(all), "device", "devices")
	q := confirmation{title: "Devices", nav: views.NavDevices, up: up("Devices", views.PathDevices), next: views.PathDevices}
	switch do := web.Query(c, "do"); do {
	case "tag", "untag":
		return k.tagging(c, v, q, all, do == "tag")
	case "remove":
		q.said, q.ask = page.FlashRemoved, bulkAsk(c, "Remove "+phones+"?", "Remove "+phones, views.PathDevices, namesOfDevices(all),
			phonesStop, ringsStay)
		q.do = func(ctx context.Context) error {
			for _, d := range all {
				if err := k.Board.RemoveDevice(ctx, callerOf(v), d.ID); err != nil && tenants.KindOf(err) != tenants.Unknown {
					return err
				}
			}
			return nil
		}
		return q, nil
	case "ring":
		if !v.Role.May(mayRing) {
			return q, tenants.Refuse(tenants.Forbidden, "missing_permission", lacksPermission, v.Role.Name(),
				mayRing.Does())
		}
		q.said, q.next = page.FlashRinging, views.PathRings
		q.ask = bulkAsk(c, "Ring "+phones+"?", "Ring "+phones, views.PathDevices, namesOfDevices(all), ringsNow)
		q.do = func(ctx context.Context) error { return k.ringAll(ctx, v, all) }
		return q, nil
	}
	return q, tenants.NoSuch("action")
}

// ringAll places a test ring to each device. The first refusal ends it, and says how many ring.
func (k devicePages) ringAll(ctx context.Context, v *page.Visitor, all []tenants.Device) error {
	for i, d := range all {
		_, _, err := k.Board.Place(ctx, callerOf(v), tenants.Request{To: tenants.To{Device: d.ID}}, store.Idempotency{})
		if w, ok := page.WrongOf(err); ok {
			return tenants.Refuse(tenants.Unprocessable, "invalid", someRing, i, len(all), deviceName(d), w.Msg)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tagging gives the devices a tag, or takes it from them.
func (k devicePages) tagging(c *fiber.Ctx, v *page.Visitor, q confirmation, all []tenants.Device, on bool) (confirmation, error) {
	tag := strings.TrimSpace(web.Query(c, "tag"))
	if !tenants.ValidTag(tag) {
		return q, tenants.Refuse(tenants.Unprocessable, "invalid", noTag)
	}
	title, button := taggingWords(len(all), tag, on)
	q.said, q.ask = page.FlashTagged, bulkAsk(c, title, button, views.PathDevices, namesOfDevices(all), tagsOnly)
	q.do = func(ctx context.Context) error {
		ids := mapped(all, func(d tenants.Device) tenants.DeviceID { return d.ID })
		_, err := v.Scope.Devices().Tag(ctx, ids, tag, on)
		return err
	}
	return q, nil
}

// namesOfDevices says which they are: the first ones by name.
func namesOfDevices(all []tenants.Device) string { return someOf(mapped(all, deviceName)) }

const namesShown = 5

func someOf(names []string) string {
	if len(names) <= namesShown {
		return strings.Join(names, ", ") + "."
	}
	return strings.Join(names[:namesShown], ", ") + " and " + views.Count(len(names)-namesShown) + " more."
}

// bulk asks about the rings that were ticked: those that ring, or are in a call, are stopped.
func (k ringPages) bulk(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	ids, err := tickedIDs[tenants.RingID](c)
	if err != nil {
		return confirmation{}, err
	}
	var going []tenants.RingID
	known, calls := 0, 0
	for _, id := range ids {
		r, err := v.Scope.Rings().Get(ctx, id)
		if tenants.KindOf(err) == tenants.Unknown {
			continue
		}
		if err != nil {
			return confirmation{}, err
		}
		if known++; !r.State.Terminal() {
			going = append(going, id)
		}
		if r.State == tenants.Answered {
			calls++
		}
	}
	if known == 0 {
		return confirmation{}, tenants.NoSuch("ring")
	}
	rings := views.Plural(len(going), "ring", "rings")
	says := stoppedWords(len(going)-calls, calls, known-len(going))
	return confirmation{
		ask:   bulkAsk(c, "Stop "+rings+"?", "Stop "+rings, views.PathRings, says...),
		title: "Rings", nav: views.NavRings, up: up("Rings", views.PathRings), said: page.FlashCancelled, next: views.PathRings,
		do: func(ctx context.Context) error {
			for _, id := range going {
				if _, err := k.Board.Cancel(ctx, callerOf(v), id); err != nil {
					return err
				}
			}
			return nil
		},
	}, nil
}

// bulk asks about the keys that were ticked.
func (k keyPages) bulk(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	ids, err := tickedIDs[tenants.KeyID](c)
	if err != nil {
		return confirmation{}, err
	}
	var live []tenants.KeyID
	var names []string
	used := 0
	for _, id := range ids {
		key, err := v.Scope.Keys().Get(ctx, id)
		if tenants.KindOf(err) == tenants.Unknown {
			continue
		}
		if err != nil {
			return confirmation{}, err
		}
		if !key.RevokedAt.IsZero() {
			continue
		}
		live, names = append(live, id), append(names, key.Name)
		if !key.LastUsedAt.IsZero() {
			used++
		}
	}
	if len(live) == 0 {
		return confirmation{}, tenants.NoSuch("key")
	}
	keys := views.Plural(len(live), "key", "keys")
	return confirmation{
		ask:   bulkAsk(c, "Revoke "+keys+"?", "Revoke "+keys, views.PathKeys, someOf(names), usedKeys(used), keysStayRevoked),
		title: revokeTitle, nav: views.NavKeys, up: up("API keys", views.PathKeys), said: page.FlashKeysRevoked, next: views.PathKeys,
		do: func(ctx context.Context) error {
			for _, id := range live {
				if err := v.Scope.Keys().Revoke(ctx, id); err != nil {
					return err
				}
			}
			return nil
		},
	}, nil
}

// bulk asks about the alerts that were ticked.
func (k alertPages) bulk(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	names, err := ticked(c)
	if err != nil {
		return confirmation{}, err
	}
	open, err := v.Scope.Alerts().List(ctx, false)
	if err != nil {
		return confirmation{}, err
	}
	var chosen []tenants.Alert
	for _, a := range open {
		for _, name := range names {
			if name == string(a.Kind)+" "+a.Target {
				chosen = append(chosen, a)
			}
		}
	}
	if len(chosen) == 0 {
		return confirmation{}, tenants.NoSuch("alert")
	}
	alerts := views.Plural(len(chosen), "alert", "alerts")
	return confirmation{
		ask: bulkAsk(c, "Close "+alerts+"?", "Close "+alerts, views.PathAlerts,
			someOf(mapped(chosen, func(a tenants.Alert) string { return a.Kind.Title() })), alertsReopen),
		title: "Alerts", nav: views.NavAlerts, up: up("Alerts", views.PathAlerts), said: page.FlashAlertsClosed, next: views.PathAlerts,
		do: func(ctx context.Context) error {
			for _, a := range chosen {
				if err := v.Scope.Alerts().Resolve(ctx, a.Kind, a.Target); err != nil && tenants.KindOf(err) != tenants.Unknown {
					return err
				}
			}
			return nil
		},
	}, nil
}
