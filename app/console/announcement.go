package console

import (
	"context"
	"io"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/sound"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// soundLength is how long an agent's announcement is, in words.
func soundLength(a tenants.Agent) string {
	if a.Builtin == nil || a.Builtin.SoundMS == 0 {
		return ""
	}
	return strconv.FormatFloat(float64(a.Builtin.SoundMS)/1000, 'f', 1, 64) + " s"
}

// setSound keeps an uploaded announcement. What is wrong with the file comes back beside it.
func (k agentPages) setSound(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	a, err := oneAgent(ctx, c, v)
	if err != nil {
		return err
	}
	leave, err := web.ReadDocument(c, v.Holder(), sound.MaxBytes+4<<10)
	if err != nil {
		return err
	}
	defer leave()
	file, err := soundFile(c)
	var s tenants.Sound
	if err == nil {
		s, err = sound.Read(file)
	}
	if err == nil {
		_, err = v.Scope.Agents().SetSound(ctx, a.ID, s, k.Now())
	}
	if w, ok := page.WrongOf(err); ok {
		return k.agentPage(ctx, c, v, a, w)
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashSaved, views.AgentPath(string(a.ID)))
}

// soundFile reads the one file of the form, in memory.
func soundFile(c *fiber.Ctx) ([]byte, error) {
	form, err := c.MultipartForm()
	if err != nil {
		return nil, &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: unreadForm, Err: err}
	}
	defer func() { _ = form.RemoveAll() }()
	files := form.File["file"]
	if len(files) != 1 || files[0].Filename == "" { // browsers send an empty part if no file was chosen
		return nil, fileFault(tenants.Invalid, noSoundFile)
	}
	f, err := files[0].Open()
	if err != nil {
		return nil, fileFault(tenants.Invalid, unreadFile)
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, sound.MaxBytes+1))
}
