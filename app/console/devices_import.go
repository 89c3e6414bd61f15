package console

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/language"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// importEnvelope is what a form adds to the file in it.
const importEnvelope = 64 << 10

// faultsShown is how many faults the page lists one by one, and how many more it lists with the
// lines that have the same one.
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
	for i := range f.Devices { // tables of a Mac have accents as letters of their own
		d := &f.Devices[i]
		d.Device.Name, d.Tags = language.Composed(d.Device.Name), mapped(d.Tags, language.Composed)
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
	p.Faults, p.MoreFaults = faultRows(f.Faults)
	p.AllFaults = len(f.Faults)
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

// faultRows names the line of each fault. Behind the first faultsShown, lines that have the same
// fault share a row; more says how many faults have no row even so.
func faultRows(all []tenants.FileFault) (rows []views.ImportFault, more int) {
	type fault struct{ column, cause, cure string }
	var order []fault
	lines := map[fault][]int{}
	for i, x := range all {
		kind := fault{x.Column, x.Cause, x.Cure}
		if i < faultsShown {
			rows = append(rows, views.ImportFault{Lines: lineRanges(x.Line), Column: x.Column, Cause: x.Cause, Cure: x.Cure})
			continue
		}
		if lines[kind] == nil {
			order = append(order, kind)
		}
		lines[kind] = append(lines[kind], x.Line)
	}
	for i, kind := range order {
		if i < faultsShown {
			rows = append(rows, views.ImportFault{Lines: lineRanges(lines[kind]...), Column: kind.column, Cause: kind.cause,
				Cure: kind.cure})
		} else {
			more += len(lines[kind])
		}
	}
	return rows, more
}

// lineRanges are numbers of lines in rising order in short: "203–260, 262".
func lineRanges(lines ...int) string {
	var parts []string
	for from := 0; from < len(lines); {
		to := from
		for to+1 < len(lines) && lines[to+1] <= lines[to]+1 {
			to++
		}
		part := views.Plain(lines[from])
		if lines[to] > lines[from] {
			part += "–" + views.Plain(lines[to])
		}
		parts, from = append(parts, part), to+1
	}
	return strings.Join(parts, ", ")
}
