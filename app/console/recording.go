package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
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

// recordingCard is the recording of a ring's call; nil when there is none.
func recordingCard(ctx context.Context, v *page.Visitor, r *tenants.Ring) (*views.Recording, error) {
	if r.Call == nil {
		return nil, nil
	}
	rec, err := v.Scope.Recordings().Get(ctx, r.ID)
	if tenants.KindOf(err) == tenants.Unknown {
		return nil, nil
	}
	if err != nil || rec.Chunks == 0 {
		return nil, err
	}
	info := agents.FileOf(rec)
	card := &views.Recording{Ring: string(r.ID), Consent: rec.Consent, Ending: info.Codec.Ending(),
		Length: views.Millis(int(info.Seconds() * 1000))}
	if rec.Lost > 0 {
		card.Lost = strconv.Itoa(rec.Lost) + " packets of sound are missing, because the database was too slow."
	}
	return card, nil
}

// recording sends the sound of a call: both tracks, or one of them for the player.
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
	web.Download(c, func(_ context.Context, w io.Writer) error { return record.Write(w, info, chunks) }, func(err error) {
		leave()
		if err != nil {
			k.Log.LogAttrs(context.Background(), slog.LevelWarn, "recording cut off", slog.String("ring", string(id)),
				slog.String("err", err.Error()))
		}
	})
	return nil
}

// recordingForm is the rule of recordings as it is, or as it was typed.
func recordingForm(ctx context.Context, v *page.Visitor, e settingsEdit) (views.RecordingForm, error) {
	is, err := v.Scope.Recordings().Rule(ctx)
	if err != nil {
		return views.RecordingForm{}, err
	}
	typed := is
	if e.recording != nil {
		typed = *e.recording
	}
	choices := []views.Choice{page.Choice("off", "No"), page.Choice("announce", "Yes, after an announcement"),
		page.Choice("consent", "If the person presses 1")}
	for i := range choices {
		choices[i].Selected = choices[i].Value == string(typed.Policy)
	}
	f := views.RecordingForm{
		MayChange: v.Role == tenants.Owner, Sensitive: v.Tenant.Industry.SensitiveSound(), Sound: "No announcement is uploaded yet.",
		Policy: views.Pick{Name: "policy", Label: "Record calls", Choices: choices, Error: e.wrong.Fields["policy"]},
		File: views.Field{Name: "file", Label: "Announcement", Optional: true, Error: e.wrong.Fields["announcement"],
			Help: "Ogg Opus, at most 2 MiB and one minute. For consent it must ask to press 1."},
		Reason: views.Field{Name: "reason", Label: "Reason", Optional: true, Max: 500, Value: page.Shown(typed.Reason, 500),
			Error: e.wrong.Fields["reason"]},
	}
	if n := len(is.PCMU); n > 0 {
		f.Sound = fmt.Sprintf("An announcement of %d s is uploaded. Another file replaces it.", (n+7999)/8000)
	}
	if !is.SetAt.IsZero() {
		f.Set = "Set by " + is.By + " on " + v.At(is.SetAt).Text + "."
	}
	return f, nil
}

// The longest upload of an announcement: the file, and the form around it.
const announcementBody = sound.MaxBytes + 16<<10

// setRecording sets whether calls are recorded. Only an owner may.
func (k settingsPages) setRecording(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	if v.Role != tenants.Owner {
		v.Missing = maySettings
		return tenants.Refuse(tenants.Forbidden, "missing_permission", "Only an owner can decide whether calls are recorded.")
	}
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
		err = rule.Check(v.Tenant.Industry)
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
		return fault("The file has more than 2 MiB. A shorter sound, or one at 32 kbit/s, fits.")
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

const correctForm = "Please correct the fields below."
