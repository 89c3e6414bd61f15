package site

import (
	"cmp"
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/docs"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// docs is a page of the documentation.
func (s *Site) docs(ctx context.Context, c *fiber.Ctx) error {
	return s.showDocs(ctx, c, cmp.Or(web.Param(c, "page"), docs.Home))
}

// docsOfTag is a page of the reference of the API.
func (s *Site) docsOfTag(ctx context.Context, c *fiber.Ctx) error {
	return s.showDocs(ctx, c, "api/"+web.Param(c, "tag"))
}

func (s *Site) showDocs(ctx context.Context, c *fiber.Ctx, slug string) error {
	p, ok, err := s.Docs.Page(slug, s.ownValues(ctx, c))
	if err != nil {
		return err
	}
	if !ok {
		return tenants.NoSuch("page")
	}
	p.Front = s.front(ctx, c, heading{p.Title, p.Summary})
	return web.Page(c, views.Docs(p), fiber.StatusOK)
}

// ownValues are the values of the person who reads, for the examples. A stranger reads examples,
// and so does somebody whose values cannot be read: the page is more use than an error.
func (s *Site) ownValues(ctx context.Context, c *fiber.Ctx) (own docs.Values) {
	v, err := s.Visitor(ctx, c)
	if err != nil || v.Tenant.State != tenants.TenantActive {
		return own
	}
	if list, _, err := v.Scope.Credentials().List(ctx, store.Page{Limit: 1}); err == nil && len(list) > 0 {
		own.Bundle = list[0].Bundle
	}
	devices, _, err := v.Scope.Devices().List(ctx, store.DeviceQuery{State: tenants.DeviceActive, Limit: 1})
	if err == nil && len(devices) > 0 {
		own.Device = string(devices[0].ID)
	}
	return own
}

// searchDocs finds sections of the documentation. It reads no database.
func (s *Site) searchDocs(ctx context.Context, c *fiber.Ctx) error {
	q := page.Shown(web.Query(c, "q"), docs.MaxQuery)
	p := views.DocPage{Title: "Search", Summary: docsSearchSummary, Query: q}
	var err error
	if p.Menu, err = s.Docs.Menu(); err != nil {
		return err
	}
	if p.Hits, p.HasAll, err = s.Docs.Search(q); err != nil {
		return err
	}
	p.Front = s.front(ctx, c, heading{"Search the docs", p.Summary})
	p.Front.Hidden = true
	return web.Page(c, views.Docs(p), fiber.StatusOK)
}
