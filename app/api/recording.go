package api

import (
	"context"
	"io"

	"github.com/gofiber/fiber/v2"

	"carillon/app/agents"
	"carillon/app/record"
	"carillon/app/web"
	"carillon/tenants"
)

// recording: GET /v1/rings/{id}/recording. The file is sent as it is read from the store.
func (a *API) recording(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	rec, err := k.scope.Recordings().Get(ctx, id)
	if err != nil {
		return err
	}
	info := agents.FileOf(rec)
	h := &c.Response().Header
	h.SetContentType(info.Codec.MediaType())
	h.Set(fiber.HeaderContentDisposition, `attachment; filename="call-`+string(id)+"."+info.Codec.Ending()+`"`)
	if c.Method() == fiber.MethodHead {
		return nil
	}
	leave, err := a.downloads.Take(k.reader.Holder)
	if err != nil {
		return err
	}
	chunks, err := k.scope.Recordings().Listen(ctx, rec, "recording.download", "both tracks")
	if err != nil {
		leave()
		return err
	}
	web.Download(c, func(_ context.Context, w io.Writer) error { return record.Write(w, info, chunks) }, func(err error) {
		leave()
		if err != nil {
			a.Log.Warn("recording cut off", "ring", id, "err", err)
		}
	})
	return nil
}
