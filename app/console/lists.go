package console

import (
	"context"
	"net/url"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// listPages keep how people look at lists: columns and saved views.
type listPages struct{ *Console }

// keptLists are the lists of which something can be kept.
var keptLists = []page.Words{ringWords, deviceWords, alertListWords, alertRuleWords, alertTargetWords, agentWords,
	credentialWords, connectionWords, keyWords, peopleWords, auditListWords, consentWords, groupWords, scheduleWords,
	phoneHealthWords, invoiceWords}

// listNamed finds the list that a form is about.
func listNamed(f page.Form) (page.Words, error) {
	for _, w := range keptLists {
		if w.File == f.Raw("list") {
			return w, nil
		}
	}
	return page.Words{}, tenants.NoSuch("list")
}

// placeOf is the address of the list as it was shown.
func placeOf(f page.Form, w page.Words) (path, query string, err error) {
	if query, err = page.ViewQuery(f.Raw("place")); query == "" {
		return w.Path, "", err
	}
	return w.Path + "?" + query, query, err
}

// setColumns keeps the columns that a person chose for a list.
func (k listPages) setColumns(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f := page.FormOf(c)
	w, err := listNamed(f)
	if err != nil {
		return err
	}
	_, query, err := placeOf(f, w)
	if err != nil {
		return err
	}
	chosen := w.Chosen(f.All("column"))
	if f.Raw("standard") != "" {
		chosen = nil
	}
	if err := v.Scope.Lists().SetColumns(ctx, v.User.ID, w.File, chosen); err != nil {
		return err
	}
	again, _ := url.ParseQuery(query) // ours
	again.Del("cols")                 // those of the address are what was shown until now
	to := w.Path
	if len(again) > 0 {
		to += "?" + again.Encode()
	}
	return c.Redirect(to, fiber.StatusSeeOther)
}

// addView saves a search under a name.
func (k listPages) addView(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f := page.FormOf(c)
	w, err := listNamed(f)
	if err != nil {
		return err
	}
	to, query, err := placeOf(f, w)
	if err != nil {
		return err
	}
	view := tenants.SavedView{ID: tenants.NewID[tenants.ViewID](k.Now()), User: v.User.ID, List: w.File, Name: f.Text("name"),
		Query: query, Shared: f.Raw("shared") != "" && v.MayShare(), CreatedAt: k.Now()}
	if err := view.Check(); err != nil {
		return err
	}
	if err := v.Scope.Lists().AddView(ctx, view); err != nil {
		return err
	}
	return k.Done(c, page.FlashView, to)
}

// removal asks about the view that the path names. People remove their own, and shared ones if they
// may share.
func (k listPages) removal(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	id, err := web.ID[tenants.ViewID](c, "view")
	if err != nil {
		return confirmation{}, err
	}
	view, err := v.Scope.Lists().View(ctx, v.User.ID, id)
	if err != nil {
		return confirmation{}, err
	}
	if view.User != v.User.ID && !v.MayShare() {
		return confirmation{}, tenants.Refuse(tenants.Forbidden, "missing_permission", sharedViewKept)
	}
	of := page.Words{Path: views.PathOverview, Name: "Overview"}
	for _, w := range keptLists {
		if w.File == view.List {
			of = w
		}
	}
	says := []string{ownViewGoes}
	if view.Shared {
		says = []string{sharedViewGoes}
	}
	return confirmation{
		ask: views.Confirm{ID: "remove-view", Title: removeViewTitle(view.Name), Button: "Remove view",
			Consequence: append(says, viewsHoldNothing), Action: views.ViewRemovePath(string(view.ID)), Back: of.Path},
		title: "Remove a view", up: up(of.Name, of.Path), said: page.FlashRemoved, next: of.Path,
		do: func(ctx context.Context) error { return v.Scope.Lists().RemoveView(ctx, view) },
	}, nil
}

// listRoutes are what people keep of lists, and what is done to several rows. They come before the
// pages of single things: "/devices/bulk" is no device.
func (k *Console) listRoutes() []route {
	lists, rings, devices, keys, alerts := listPages{k}, ringPages{k}, devicePages{k}, keyPages{k}, alertPages{k}
	return []route{
		{method: post, path: views.PathColumns, member: lists.setColumns},
		{method: post, path: views.PathViews, member: lists.addView},
		{method: get, path: views.ViewRemovePath(":id"), sample: "view-remove", member: k.confirmed(lists.removal)},
		{method: post, path: views.ViewRemovePath(":id"), member: k.confirmed(lists.removal)},
		{method: get, path: views.PathRingsBulk, part: true, needs: mayRing, member: k.confirmed(rings.bulk)},
		{method: post, path: views.PathRingsBulk, needs: mayRing, member: k.confirmed(rings.bulk)},
		{method: get, path: views.PathDevicesBulk, part: true, needs: mayDevices, member: k.confirmed(devices.bulk)},
		{method: post, path: views.PathDevicesBulk, needs: mayDevices, member: k.confirmed(devices.bulk)},
		{method: get, path: views.PathDevicesImport, sample: "devices-import", needs: mayDevices, member: devices.importForm},
		{method: get, path: views.PathDevicesAlike, sample: "devices-alike", needs: mayDevices, member: devices.alike},
		{method: post, path: views.PathDevicesImport, needs: mayDevices, member: devices.checkImport},
		{method: post, path: views.PathDevicesImportNow, needs: mayDevices, member: devices.importNow},
		{method: get, path: views.PathKeysBulk, part: true, needs: mayKeys, stepUp: true, member: k.confirmed(keys.bulk)},
		{method: post, path: views.PathKeysBulk, needs: mayKeys, stepUp: true, member: k.confirmed(keys.bulk)},
		{method: get, path: views.PathAlertsBulk, part: true, needs: mayAlerts, member: k.confirmed(alerts.bulk)},
		{method: post, path: views.PathAlertsBulk, needs: mayAlerts, member: k.confirmed(alerts.bulk)},
	}
}
