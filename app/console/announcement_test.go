package console

import (
	"os"
	"testing"

	"carillon/app/page/pagetest"
	"carillon/tenants"
)

// TestUploadAnAnnouncement: the page says how long the sound is; a file that cannot be used comes
// back with its cause, and the sound before it stays.
func TestUploadAnAnnouncement(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	a := tenants.Agent{ID: tenants.NewID[tenants.AgentID](h.Clock.Now()), Name: "Closed", Kind: tenants.Builtin,
		CreatedAt: h.Clock.Now()}.Clean()
	pagetest.Must(t, b.Scope().Agents().Add(t.Context(), a))
	bells, err := os.ReadFile("../../gateway/bells.ogg")
	pagetest.Must(t, err)
	w := b.Quick(b.Owner)
	path := "/agents/" + string(a.ID)
	w.Get(path).Want(200).Has("No sound has been uploaded")
	kind, body := multipartOf(nil, "closed.ogg", string(bells))
	w.Send("POST", path+"/announcement", kind, body).Want(303)
	w.Get(path).Want(200).Has("The present sound is 4.2 s long")
	for want, file := range map[string]string{"cut off": string(bells[:len(bells)-5]), "WAV file": "RIFF....WAVE"} {
		kind, body := multipartOf(nil, "closed.ogg", file)
		w.Send("POST", path+"/announcement", kind, body).Want(400).Has(want, "The present sound is 4.2 s long")
	}
	kind, body = multipartOf(nil, "", "")
	w.Send("POST", path+"/announcement", kind, body).Want(400).Has("Choose one Ogg Opus file")
}
