package api

import (
	"context"
	"io"
	"mime"

	"github.com/gofiber/fiber/v2"

	"carillon/app/sound"
	"carillon/app/web"
	"carillon/tenants"
)

// PathAnnouncement is the route of an agent's announcement, whose body may be larger than others;
// see web.Config.Uploads.
const PathAnnouncement = "/v1/agents/:id/announcement"

// announcementBody is the most bytes of a form with a file.
const announcementBody = sound.MaxBytes + 4<<10

// setAnnouncement: POST /v1/agents/{id}/announcement.
func (a *API) setAnnouncement(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.AgentID](c, "agent")
	if err != nil {
		return err
	}
	if _, err := k.scope.Agents().Get(ctx, id); err != nil {
		return err // before a large body is read
	}
	leave, err := web.ReadDocument(c, k.reader.Holder, announcementBody)
	if err != nil {
		return err
	}
	defer leave()
	file, err := soundFile(c)
	if err != nil {
		return err
	}
	s, err := sound.Read(file)
	if err != nil {
		return err
	}
	changed, err := k.scope.Agents().SetSound(ctx, id, s, a.Now())
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, agentOf(k.Tenant)(changed))
}

// soundFile reads the one file of a form. Nothing is written to a disk.
func soundFile(c *fiber.Ctx) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(string(c.Request().Header.ContentType()))
	if err != nil || kind != fiber.MIMEMultipartForm {
		return nil, tenants.Refuse(tenants.Unsupported, "unsupported", "Send the file as multipart/form-data.")
	}
	form, err := c.MultipartForm()
	if err != nil {
		return nil, &tenants.Error{Kind: tenants.Invalid, Code: "malformed_form",
			Msg: "The form cannot be read: it is cut off, or its boundary is not the one that Content-Type names.", Err: err}
	}
	defer func() { _ = form.RemoveAll() }()
	files := form.File["file"]
	if len(files) != 1 || len(form.File) > 1 || len(form.Value) > 0 {
		return nil, invalid([]tenants.Field{{Name: "file", Message: "send one Ogg Opus file, and nothing else"}},
			"Please correct the fields below.")
	}
	f, err := files[0].Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, sound.MaxBytes+1))
}
