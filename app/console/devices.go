package console

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// devicePages serve devices and pairing.
type devicePages struct{ *Console }

// badge is a state in a word, with its colour.
type badge struct {
	tone views.Tone
	text string
}

// list is the devices that the search and filters of q leave; bundle is the app among them.
func (k devicePages) list(v *page.Visitor, q *page.Query) (l page.List[tenants.Device], bundle string) {
	ask := store.DeviceQuery{Person: q.Text("person"), Bundle: q.Text("app"), Tag: q.Text("tag")}
	switch q.OneOf("health", "ready", "silent", "gone") {
	case "silent":
		ask.Silent = k.Now().Add(-tenants.PhoneSilentAfter)
	case "ready":
		ask.State = tenants.DeviceActive
	case "gone":
		ask.State = tenants.DeviceDisabled
	}
	devices := v.Scope.Devices()
	return page.List[tenants.Device]{
		Words: deviceWords, Keeper: v.Keeper(), Bulk: deviceBulk(v),
		MayAdd: v.Role.May(mayDevices),
		Find: func(ctx context.Context, p store.Page) ([]tenants.Device, string, error) {
			return devices.List(ctx, ask.At(p))
		},
		Total: func(ctx context.Context, p store.Page) (store.Total, error) { return devices.Total(ctx, ask.At(p)) },
		Head: []string{"id", "name", "person", "bundle_id", "model", "os_version", "app_version", "environment", "state",
			"health", "tags", "seen_at", "registered_at", "created_at"},
		Cells: func(ctx context.Context, rows []tenants.Device) ([][]string, error) {
			judged, err := k.judged.of(ctx, v.Tenant.ID, v.Scope)
			if err != nil {
				return nil, err
			}
			tags, err := devices.Tags(ctx, mapped(rows, func(d tenants.Device) tenants.DeviceID { return d.ID }))
			return mapped(rows, func(d tenants.Device) []string {
				return []string{string(d.ID), d.Name, d.Person, d.Bundle, d.Model, d.OSVersion, d.AppVersion, string(d.Host()),
					string(d.State), judged.status(d, k.Now()).Title, strings.Join(tags[d.ID], ", "), page.Stamp(d.SeenAt),
					page.Stamp(d.RegisteredAt),
					page.Stamp(d.CreatedAt)}
			}), err
		},
	}, ask.Bundle
}

func (k devicePages) devices(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	q := page.QueryOf(c)
	list, bundle := k.list(v, q)
	apps, err := appChoices(ctx, v, bundle)
	if err != nil {
		return err
	}
	tags, err := tagChoices(ctx, v, q)
	if err != nil {
		return err
	}
	devices, table, err := list.Page(ctx, q,
		views.Filter{Name: "health", Label: "Health", Choices: q.Chosen("health", page.Choice("", "Any health"),
			page.Choice("ready", "Active"), page.Choice("silent", healthSilent), page.Choice("gone", "App was removed"))},
		views.Filter{Name: "app", Label: "App", Choices: q.Chosen("app", apps...)},
		views.Filter{Name: "tag", Label: "Tag", Choices: q.Chosen("tag", tags...)})
	if err != nil {
		return err
	}
	judged, err := k.judged.of(ctx, v.Tenant.ID, v.Scope)
	if err != nil {
		return err
	}
	s, err := k.shell(ctx, c, v, at("Devices", views.NavDevices))
	if err != nil {
		return err
	}
	p := views.DevicesPage{Shell: s, Table: table}
	tagged, err := v.Scope.Devices().Tags(ctx, mapped(devices, func(d tenants.Device) tenants.DeviceID { return d.ID }))
	if err != nil {
		return err
	}
	for _, d := range devices {
		row := deviceRow(d, judged.status(d, k.Now()), v)
		row.Tags = tagged[d.ID]
		p.Devices = append(p.Devices, row)
	}
	return web.Page(c, views.Devices(p), fiber.StatusOK)
}

// tagChoices are the tags of the tenant's devices, and the one that is asked for.
func tagChoices(ctx context.Context, v *page.Visitor, q *page.Query) ([]views.Choice, error) {
	all, err := v.Scope.Devices().AllTags(ctx)
	out := []views.Choice{page.Choice("", "Any tag")}
	if asked := q.Raw("tag"); asked != "" && !slices.Contains(all, asked) {
		all = append(all, page.Shown(asked, 40))
	}
	for _, tag := range all {
		out = append(out, page.Choice(tag, tag))
	}
	return out, err
}

// appChoices are the apps that the credentials are for, and the one that is asked for.
func appChoices(ctx context.Context, v *page.Visitor, asked string) ([]views.Choice, error) {
	all, _, err := v.Scope.Credentials().List(ctx, store.Page{Limit: 200})
	if err != nil {
		return nil, err
	}
	apps, seen := []views.Choice{page.Choice("", "Any app")}, map[string]bool{"": true}
	for _, c := range all {
		if !seen[c.Bundle] {
			seen[c.Bundle] = true
			apps = append(apps, page.Choice(c.Bundle, c.Bundle))
		}
	}
	if !seen[asked] {
		apps = append(apps, page.Choice(asked, asked))
	}
	return apps, nil
}

func deviceRow(d tenants.Device, status tenants.PhoneStatus, v *page.Visitor) views.DeviceRow {
	return views.DeviceRow{
		ID: string(d.ID), Name: deviceName(d), Person: d.Person, Model: orDash(d.Model), OS: before("iOS ", d.OSVersion), App: d.AppVersion,
		Environment: envOf(d.Host()), Tone: phoneTones[status.State], Health: status.Title, Seen: v.At(d.SeenAt),
		Created: v.At(d.CreatedAt), Bundle: d.Bundle,
	}
}

func (k devicePages) devicesCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	q := page.QueryOf(c)
	list, _ := k.list(v, q)
	return list.Send(ctx, c, k.Common, q)
}

// oneDevice finds the device in the path.
func oneDevice(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (tenants.Device, error) {
	id, err := web.ID[tenants.DeviceID](c, "device")
	if err != nil {
		return tenants.Device{}, err
	}
	return v.Scope.Devices().Get(ctx, id)
}

func (k devicePages) device(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	d, err := oneDevice(ctx, c, v)
	if err != nil {
		return k.moved(ctx, c, v, err)
	}
	return k.devicePage(ctx, c, v, d, deviceEdit{deviceForm(d, page.Wrong{}), fiber.StatusOK})
}

// deviceEdit is the form on a device's page, and the status that it is answered with.
type deviceEdit struct {
	form   views.DeviceForm
	status int
}

func (k devicePages) devicePage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, d tenants.Device, e deviceEdit) error {
	rings, _, err := v.Scope.Rings().List(ctx, store.RingQuery{Device: d.ID, Limit: 6})
	if err != nil {
		return err
	}
	n, err := namesOf(ctx, v.Scope, rings...)
	if err != nil {
		return err
	}
	judged, err := k.judged.of(ctx, v.Tenant.ID, v.Scope)
	if err != nil {
		return err
	}
	status := judged.status(d, k.Now())
	p := views.DevicePage{
		ID: string(d.ID), Name: deviceName(d), Tone: phoneTones[status.State], Health: status.Title, Problem: deviceProblem(d, status),
		Facts: deviceFacts(d, v),
		Form:  e.form,
		Rings: ringRows(rings, n, v.Zone), AllRings: views.PathRings + "?device=" + string(d.ID), CanEdit: v.Role.May(mayDevices),
	}
	if p.Wakes, err = wakesOf(ctx, v, d.ID, status); err != nil {
		return err
	}
	tags, err := v.Scope.Devices().Tags(ctx, []tenants.DeviceID{d.ID})
	if err != nil {
		return err
	}
	p.Form.Tags = tagsField(strings.Join(tags[d.ID], ", "), p.Form.Tags.Error)
	if p.Earlier, err = earlier(ctx, v, d.ID); err != nil {
		return err
	}
	if p.CanEdit {
		if p.Remove, err = removalOfDevice(ctx, v, d); err != nil {
			return err
		}
	}
	if p.Shell, err = k.shell(ctx, c, v, named(p.Name, views.NavDevices, up("Devices", views.PathDevices))); err != nil {
		return err
	}
	return web.Page(c, views.Device(p), e.status)
}

func deviceFacts(d tenants.Device, v *page.Visitor) []views.Row {
	env := map[tenants.Environment]string{tenants.Auto: "Not known yet", tenants.Production: "Production",
		tenants.Sandbox: "Sandbox"}[d.Host()]
	if d.Environment == tenants.Auto && d.Learnt != "" {
		env += ", detected automatically"
	}
	person := views.Row{Name: "Belongs to", Text: orDash(d.Person), Own: true}
	if d.Person != "" {
		person.Href = views.PathDevices + "?person=" + d.Person
	}
	return []views.Row{
		person, {Name: "Model", Own: true, Text: orDash(joined(", ", d.Model, before("iOS ", d.OSVersion)))},
		{Name: "App", Text: joined(" ", d.AppVersion, "("+d.Bundle+")")}, {Name: "Environment", Text: env},
		{Name: "Time zone", Text: orDash(d.TimeZone)}, {Name: "Last seen", When: v.At(d.SeenAt)},
		{Name: "Push token renewed", When: v.At(d.RegisteredAt)}, {Name: "Paired", When: v.At(d.CreatedAt)},
		{Name: "Device id", Text: string(d.ID), Copy: true},
	}
}

// setDevice changes what people may change about a device.
func (k devicePages) setDevice(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	d, err := oneDevice(ctx, c, v)
	if err != nil {
		return err
	}
	f, was := page.FormOf(c), d
	d.Name, d.Person, d.PhoneNumber = f.Text("name"), f.Text("person"), f.Text("phone_number")
	d.PhoneNumber = cmp.Or(tenants.ParsePhoneNumber(d.PhoneNumber), d.PhoneNumber)
	if e := tenants.Environment(f.Text("environment")); e != d.Environment {
		d.Environment, d.Learnt = e, ""
	}
	if err = d.Check(); err == nil {
		var tags *[]string
		if f.Has("tags") {
			typed := tagsTyped(f.Text("tags"))
			tags = &typed
		}
		err = v.Scope.Devices().Change(ctx, d, tags)
	}
	if w, ok := page.WrongOf(err); ok {
		return k.devicePage(ctx, c, v, was, deviceEdit{deviceForm(d, w), w.Status})
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashSaved, views.DevicePath(string(d.ID)))
}

// tagsTyped are tags as a person types them: separated by commas.
func tagsTyped(s string) (tags []string) {
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == ',' || r == ';' }) {
		if tag := strings.TrimSpace(part); tag != "" {
			tags = append(tags, tag)
		}
	}
	return tags
}

// removalOfDevice says what happens when the device goes.
func removalOfDevice(ctx context.Context, v *page.Visitor, d tenants.Device) (views.Confirm, error) {
	says := []string{deviceStops, ringsStay}
	if d.Person != "" {
		all, _, err := v.Scope.Devices().List(ctx, store.DeviceQuery{Person: d.Person, State: tenants.DeviceActive, Limit: 200})
		if err != nil {
			return views.Confirm{}, err
		}
		others := 0
		for _, o := range all {
			if o.ID != d.ID {
				others++
			}
		}
		if others == 0 {
			says = append(says, d.Person+noOtherPhone)
		} else {
			says = append(says, d.Person+" has "+views.Plural(others, "other phone that can be rung", "other phones that can be rung")+".")
		}
	}
	return views.Confirm{
		ID: "remove-device", Title: "Remove " + deviceName(d) + "?", Consequence: says, TypeName: deviceName(d), Button: "Remove device",
		Action: views.DeviceRemovePath(string(d.ID)), Back: views.DevicePath(string(d.ID)),
	}, nil
}

// removal asks about the device that the path names.
func (k devicePages) removal(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	d, err := oneDevice(ctx, c, v)
	if err != nil {
		return confirmation{}, err
	}
	ask, err := removalOfDevice(ctx, v, d)
	return confirmation{
		ask:   ask,
		title: "Remove a device", nav: views.NavDevices, up: up("Devices", views.PathDevices),
		do:   func(ctx context.Context) error { return k.Board.RemoveDevice(ctx, callerOf(v), d.ID) },
		said: page.FlashRemoved, next: views.PathDevices,
	}, err
}
