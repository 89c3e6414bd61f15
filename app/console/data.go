package console

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// dataPages serve what is stored of the tenant: how long, how much, and the file with everything.
type dataPages struct{ *Console }

func (k *Console) dataRoutes() []route {
	data := dataPages{k}
	return []route{
		{method: get, path: views.PathData, needs: seeSettings, sample: "data", member: data.data},
		{method: get, path: views.PathDataExport, needs: mayData, part: true, member: data.exportPart},
		{method: post, path: views.PathDataExport, needs: mayData, stepUp: true, member: data.askExport},
		{method: get, path: views.PathDataFile, needs: mayData, stepUp: true, file: true, member: data.download},
		{method: get, path: views.PathDataExportOff, needs: mayData, stepUp: true, rare: true, sample: "data-export-remove",
			member: k.confirmed(data.exportRemoval)},
		{method: post, path: views.PathDataExportOff, needs: mayData, stepUp: true, member: k.confirmed(data.exportRemoval)},
		{method: get, path: views.PathDataErase, needs: mayData, stepUp: true, rare: true, sample: "data-erase",
			member: k.confirmed(data.erasure)},
		{method: post, path: views.PathDataErase, needs: mayData, stepUp: true, member: k.confirmed(data.erasure)},
		{method: get, path: views.PathDataDelete, needs: mayData, stepUp: true, sample: "data-delete", member: k.confirmed(data.deletion)},
		{method: post, path: views.PathDataDelete, needs: mayData, stepUp: true, member: k.confirmed(data.deletion)},
		{method: get, path: views.PathDataKeep, needs: mayData, out: true, rare: true, sample: "data-keep",
			member: k.confirmed(data.keeping)},
		{method: post, path: views.PathDataKeep, needs: mayData, out: true, member: k.confirmed(data.keeping)},
	}
}

// removals is how many of the newest removals are looked through for the last one of each kind.
const removals = 100

func (k dataPages) data(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	s, err := k.shell(ctx, c, v, at("Data", views.NavSettings, up("Settings", views.PathSettings)))
	if err != nil {
		return err
	}
	kept, err := v.Scope.Kept(ctx)
	if err != nil {
		return err
	}
	runs, _, err := v.Scope.Audits().List(ctx, store.AuditQuery{Action: "retention.remove", Limit: removals})
	if err != nil {
		return err
	}
	p := views.DataPage{Shell: s, May: v.Role.May(mayData)}
	rules := v.Tenant.Rules()
	for _, d := range kept {
		row := views.DataKept{Name: dataNames[d.Kind], Rule: keptName(d.Kind, rules.Retention[d.Kind], daysOf(k.Store.RingsMost())),
			Now: totalShown(d.Total), Oldest: v.At(d.Oldest)}
		for _, a := range runs {
			if removed(a.Detail, d.Kind) {
				row.Run = v.At(a.At)
				break
			}
		}
		p.Kept = append(p.Kept, row)
	}
	if p.May {
		p.Who = views.Field{Name: "who", Label: eraseWho, Max: 254}
		if p.Erasing, err = v.Scope.Erasures().Under(ctx); err != nil {
			return err
		}
		if p.Export, err = k.export(ctx, v); err != nil {
			return err
		}
	}
	return web.Page(c, views.Data(p), fiber.StatusOK)
}

// removed reports whether the entry of a removal names the kind: "2 rings, 1 recording".
func removed(detail string, kind tenants.DataKind) bool {
	for part := range strings.SplitSeq(detail, ", ") {
		_, noun, _ := strings.Cut(part, " ")
		if store.RemovedKind(noun) == kind {
			return true
		}
	}
	return false
}

// export is the state of the file with everything.
func (k dataPages) export(ctx context.Context, v *page.Visitor) (d views.DataExport, err error) {
	e, found, err := v.Scope.Exports().Get(ctx)
	if err != nil || !found {
		return d, err
	}
	d = views.DataExport{Some: true, Under: e.Under(), Ready: e.State == tenants.ExportReady && k.Now().Before(e.ExpiresAt)}
	d.State, d.Facts = exportWords(e, v)
	if d.Under {
		d.Wait = views.PathDataExport
	}
	return d, nil
}

// exportPart is asked every two seconds by the page while a file is written.
func (k dataPages) exportPart(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	d, err := k.export(ctx, v)
	if err != nil {
		return err
	}
	if !d.Under { // the buttons around this part change too
		c.Set("HX-Redirect", views.PathData)
		return c.SendStatus(fiber.StatusOK)
	}
	return web.Page(c, views.DataExportOf(d), fiber.StatusOK)
}

func (k dataPages) askExport(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	if err := k.Exports.room(); err != nil {
		return err
	}
	if err := v.Scope.Exports().Ask(ctx); err != nil {
		return err
	}
	return k.Done(c, page.FlashExporting, views.PathData)
}

func (k dataPages) exportRemoval(ctx context.Context, _ *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	_, found, err := v.Scope.Exports().Get(ctx)
	if err == nil && !found {
		err = tenants.NoSuch("export")
	}
	return confirmation{ask: exportRemoval(), title: "Remove the export", nav: views.NavSettings, up: up("Data", views.PathData),
		do: v.Scope.Exports().Remove, said: page.FlashRemoved, next: views.PathData}, err
}

// download sends the file. The download is in the audit log before its first byte.
func (k dataPages) download(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	if c.Method() == fiber.MethodHead {
		return nil
	}
	leave, err := k.downloads.Take(v.Holder())
	if err != nil {
		return err
	}
	send, err := k.openExport(ctx, v)
	if err != nil {
		leave()
		return err
	}
	h := &c.Response().Header
	h.SetContentType("application/zip")
	h.Set(fiber.HeaderCacheControl, "no-store")
	h.Set(fiber.HeaderContentDisposition, `attachment; filename="`+v.Tenant.Slug+"-"+k.Now().UTC().Format(time.DateOnly)+`.zip"`)
	tenant := v.Tenant.ID
	web.Download(c, func(_ context.Context, w io.Writer) error { return send(w) }, func(err error) {
		leave()
		if err != nil {
			k.Log.LogAttrs(context.Background(), slog.LevelWarn, "export cut off", slog.String("tenant", string(tenant)),
				slog.String("err", err.Error()))
		}
	})
	return nil
}

// erasure erases the person that the query names: a member by their address, or somebody whose
// phone rings by their reference.
func (k dataPages) erasure(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	who := strings.TrimSpace(web.Query(c, "who"))
	q := confirmation{title: "Erase a person", nav: views.NavSettings, up: up("Data", views.PathData), said: page.FlashErasing,
		next: views.PathData}
	if address, ok := tenants.ParseEmail(who); ok {
		found, _, err := v.Scope.Members().List(ctx, store.Page{Search: address, Limit: 200})
		if err != nil {
			return q, err
		}
		for _, m := range found {
			if m.Email != address {
				continue
			}
			q.ask = eraseMember(who)
			q.do = func(ctx context.Context) error { return v.Scope.Erasures().Member(ctx, m.User) }
			return q, nil
		}
	}
	if !tenants.ValidText(who, 1, 254) {
		return q, tenants.NoSuch("person")
	}
	q.ask = erasePerson(who)
	q.do = func(ctx context.Context) error { return v.Scope.Erasures().Person(ctx, who) }
	return q, nil
}

func (k dataPages) deletion(_ context.Context, _ *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	return confirmation{ask: deleteTenant(v.Tenant), title: "Delete this organisation", nav: views.NavSettings,
		up: up("Data", views.PathData), said: page.FlashDeleting, next: views.PathDataKeep, do: func(ctx context.Context) error {
			_, err := v.Scope.AskDeletion(ctx, tenants.DeletionGrace)
			return err
		}}, nil
}

// keeping undoes a deletion. It stays open while the tenant is suspended because of it.
func (k dataPages) keeping(_ context.Context, _ *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	q := confirmation{ask: keepTenant(v), title: "Keep this organisation", nav: views.NavSettings, said: page.FlashKept,
		next: views.PathData, do: v.Scope.KeepTenant}
	switch {
	case !v.Tenant.DeleteAt.IsZero():
		return q, nil
	case v.Tenant.State != tenants.TenantActive: // the operator suspended it
		return q, tenants.ErrSuspended
	}
	return q, tenants.NoSuch("deletion")
}
