package console

import (
	"context"
	"fmt"
	"strconv"

	"carillon/app/agents"
	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

const (
	correctForm = "Please correct the fields below."
	longSound   = "The file has more than 2 MiB. A shorter sound, or one at 32 kbit/s, fits."
)

// recordingCard is the recording of a ring's call; nil when there is none.
func recordingCard(ctx context.Context, v *page.Visitor, r *tenants.Ring) (*views.Recording, error) {
	if r.Call == nil || !v.Role.May(seeNotes) {
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
		MayChange: v.Role.May(mayRecord), Sensitive: v.Tenant.Rules().Reason, Sound: "No announcement is uploaded yet.",
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
