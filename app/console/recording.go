package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/agents"
	"carillon/app/page"
	"carillon/app/record"
	"carillon/app/sound"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// recording sends the sound of a call: both tracks, or one of them for the player, which asks for a
// part of it when the person moves to another moment.
func (k ringPages) recording(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	rec, err := v.Scope.Recordings().Get(ctx, id)
	if err != nil {
		return err
	}
	info, action, detail := agents.FileOf(rec), "recording.listen", web.Query(c, "track")
	switch detail {
	case "person":
		info.Tracks = []record.Track{record.Person}
	case "agent":
		info.Tracks = []record.Track{record.Agent}
	default:
		detail = "both tracks"
	}
	h := &c.Response().Header
	h.SetContentType(info.Codec.MediaType())
	h.Set(fiber.HeaderContentDisposition, `inline; filename="call-`+string(id)+"."+info.Codec.Ending()+`"`)
	if web.Query(c, "download") != "" {
		action = "recording.download"
		h.Set(fiber.HeaderContentDisposition, `attachment; filename="call-`+string(id)+"."+info.Codec.Ending()+`"`)
	}
	if c.Method() == fiber.MethodHead {
		return nil
	}
	leave, err := k.downloads.Take(v.Holder())
	if err != nil {
		return err
	}
	chunks, err := v.Scope.Recordings().Listen(ctx, rec, action, detail)
	if err != nil {
		leave()
		return err
	}
	return web.SendFile(c, web.File{
		ETag:  fmt.Sprintf(`"%s-%s-%d-%d"`, id, strings.ReplaceAll(detail, " ", "-"), rec.Length, rec.Bytes),
		Write: func(w io.Writer) error { return record.Write(w, info, chunks) },
	}, &k.sizes, func(err error) {
		leave()
		if err != nil {
			k.Log.LogAttrs(context.Background(), slog.LevelWarn, "recording cut off", slog.String("ring", string(id)),
				slog.String("err", err.Error()))
		}
	})
}

// The longest upload of an announcement: the file, and the form around it.
const announcementBody = sound.MaxBytes + 16<<10

// setRecording sets whether calls are recorded.
func (k settingsPages) setRecording(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	leave, err := web.ReadDocument(c, v.Holder(), announcementBody)
	if err != nil {
		return err
	}
	defer leave()
	rule, err := v.Scope.Recordings().Rule(ctx)
	if err != nil {
		return err
	}
	if err = readRule(c, &rule); err == nil {
		err = rule.Check(v.Tenant.Rules().Reason)
	}
	if err == nil {
		err = v.Scope.Recordings().SetRule(ctx, rule)
	}
	if w, ok := page.WrongOf(err); ok {
		return k.settingsPage(ctx, c, v, settingsEdit{tenant: v.Tenant, wrong: w, recording: &rule})
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashSaved, views.PathSettings)
}

// readRule reads the form into the rule. Without a file the announcement stays.
func readRule(c *fiber.Ctx, rule *tenants.RecordingRule) error {
	form, err := c.MultipartForm()
	if err != nil {
		return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: unreadForm, Err: err}
	}
	defer func() { _ = form.RemoveAll() }()
	value := func(name string) string {
		if all := form.Value[name]; len(all) > 0 {
			return strings.Clone(all[0])
		}
		return ""
	}
	rule.Policy, rule.Reason = tenants.RecordingPolicy(value("policy")), strings.TrimSpace(value("reason"))
	files := form.File["file"]
	if len(files) == 0 || files[0].Filename == "" { // browsers send an empty part if no file was chosen
		return nil
	}
	fault := func(says string) error {
		return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: correctForm,
			Fields: []tenants.Field{{Name: "announcement", Message: says}}}
	}
	if files[0].Size > sound.MaxBytes {
		return fault(longSound)
	}
	file, err := contents(files[0], sound.MaxBytes+1)
	if err != nil {
		return fault(unreadFile)
	}
	pcmu, err := agents.ReadAnnouncement(file)
	var bad *sound.Bad
	switch {
	case errors.As(err, &bad):
		return fault(bad.Why)
	case err != nil:
		return err
	}
	rule.Ogg, rule.PCMU = file, pcmu
	return nil
}
