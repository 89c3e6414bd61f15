package console

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// importEnvelope is what a form adds to the file in it.
const importEnvelope = 64 << 10

// faultsShown bounds the faults that the page lists.
const faultsShown = 200

func (k devicePages) importForm(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.importPage(ctx, c, v, views.ImportPage{}, fiber.StatusOK)
}

func (k devicePages) importPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, p views.ImportPage, status int) (err error) {
	if p.Shell, err = k.shell(ctx, c, v, at("Import devices", views.NavDevices, up("Devices", views.PathDevices))); err != nil {
		return err
	}
	return web.Page(c, views.Import(p), status)
}

// checkImport reads a file and says what importing it would do. It writes nothing.
func (k devicePages) checkImport(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	leave, file, err := k.deviceFile(c, v, "file")
	if err == nil {
		defer leave()
		var check views.ImportCheck
		if check, err = k.judge(ctx, v, file); err == nil {
			return k.importPage(ctx, c, v, views.ImportPage{Check: &check}, fiber.StatusOK)
		}
	}
	if w, ok := page.WrongOf(err); ok {
		return k.importPage(ctx, c, v, views.ImportPage{Error: w.Msg}, w.Status)
	}
	return err
}

// importNow imports what the page before it showed. What has become wrong since is left out.
func (k devicePages) importNow(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	leave, file, err := k.deviceFile(c, v, "devices")
	var added int
	if err == nil {
		defer leave()
		added, err = v.Scope.Devices().Import(ctx, file.Devices)
	}
	if w, ok := page.WrongOf(err); ok {
		p := views.ImportPage{Error: w.Msg}
		if added > 0 {
			p.Error += " " + importedBefore(added)
		}
		return k.importPage(ctx, c, v, p, w.Status)
	}
	if err != nil {
		return err
	}
	said := views.Plural(added, "device was imported.", "devices were imported.")
	return k.importPage(ctx, c, v, views.ImportPage{Result: said}, fiber.StatusOK)
}

// deviceFile reads the file out of the form: an upload, or the text of the page before.
func (k devicePages) deviceFile(c *fiber.Ctx, v *page.Visitor, name string) (leave func(), f tenants.DeviceFile, err error) {
	leave, err = web.ReadDocument(c, v.Holder(), tenants.DeviceFileMost+importEnvelope)
	if errors.Is(err, fiber.ErrRequestEntityTooLarge) {
		return nil, f, tenants.Refuse(tenants.TooLarge, "too_large", largeDeviceFile, views.Count(tenants.DeviceFileRows))
	}
	if err != nil {
		return nil, f, err
	}
	text, err := partOf(c, name)
	if err == nil {
		f, err = tenants.ReadDeviceFile(text)
	}
	if err != nil {
		leave()
	}
	return leave, f, err
}

// partOf is the one part of a multipart form with the name: a file or a text.
func partOf(c *fiber.Ctx, name string) ([]byte, error) {
	form, err := c.MultipartForm()
	if err != nil {
		return nil, &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: unreadForm, Err: err}
	}
	defer func() { _ = form.RemoveAll() }()
	if all := form.Value[name]; len(all) > 0 {
		return []byte(all[0]), nil
	}
	files := form.File[name]
	if len(files) != 1 || files[0].Filename == "" {
		return nil, tenants.Refuse(tenants.Invalid, "invalid", noDeviceFile)
	}
	r, err := files[0].Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return io.ReadAll(io.LimitReader(r, tenants.DeviceFileMost+1))
}

// judge says what importing a file would do.
func (k devicePages) judge(ctx context.Context, v *page.Visitor, f tenants.DeviceFile) (p views.ImportCheck, err error) {
	known, err := v.Scope.Devices().Known(ctx, f.Devices)
	if err != nil {
		return p, err
	}
	p.Rows, p.Unused, p.Known = f.Rows, mapped(f.Unused, func(s string) string { return page.Shown(s, 40) }), len(known)
	for i, x := range f.Faults {
		if i == faultsShown {
			p.MoreFaults = len(f.Faults) - faultsShown
			break
		}
		p.Faults = append(p.Faults, views.ImportFault{Line: x.Line, Column: x.Column, Cause: x.Cause, Cure: x.Cure})
	}
	var text strings.Builder
	w := csv.NewWriter(&text)
	_ = w.Write([]string{"token", "bundle_id", "environment", "person", "name", "tags"}) // a Builder takes all
	for _, d := range f.Devices {
		if _, have := known[d.Line]; have {
			continue
		}
		p.New++
		_ = w.Write([]string{d.Device.Token, d.Device.Bundle, string(d.Device.Environment), d.Device.Person, d.Device.Name,
			strings.Join(d.Tags, "|")})
	}
	w.Flush()
	p.Text = text.String()
	var full *tenants.Error
	if err := v.Scope.Devices().Room(ctx, p.New); errors.As(err, &full) {
		p.NoRoom = full.Msg
	} else if err != nil {
		return p, err
	}
	return p, nil
}
