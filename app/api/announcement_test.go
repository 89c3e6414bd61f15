package api

import (
	"os"
	"strings"
	"testing"

	"carillon/app/sound"
)

// TestAnnouncement: a file is heard from then on, and a file that cannot be is refused with its
// cause, without a change.
func TestAnnouncement(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	var made, got agent
	h.do(ask{method: "POST", path: "/v1/agents", key: a.key,
		body: `{"name":"Closed","kind":"builtin","builtin":{"program":"announcement"}}`}).want(201).into(&made)
	if made.Builtin.Program != "announcement" || made.Builtin.Seconds != 0 {
		t.Errorf("%+v", made.Builtin)
	}
	bells, err := os.ReadFile("../../gateway/bells.ogg")
	must(t, err)
	upload := func(id string, files ...[3]string) answer {
		body, kind := form(h, nil, files...)
		return h.do(ask{method: "POST", path: "/v1/agents/" + id + "/announcement", key: a.key, kind: kind, body: body})
	}
	upload(made.ID, [3]string{"file", "x.ogg", string(bells)}).want(200).into(&got)
	if got.Builtin.Program != "announcement" || got.Builtin.Seconds < 4 || got.Builtin.Seconds > 5 {
		t.Errorf("%+v", got.Builtin)
	}
	for _, c := range []struct {
		file, want string
		status     int
	}{
		{string(bells[:len(bells)-9]), "cut off", 400}, {"RIFF....WAVE", "WAV", 400},
		{strings.Repeat("OggS", sound.MaxBytes/4+1), "2 MiB", 413},
		{strings.Repeat("x", 3<<20), "", 413},
	} {
		if said := upload(made.ID, [3]string{"file", "x.ogg", c.file}).want(c.status).body; !strings.Contains(said, c.want) {
			t.Errorf("%s, want %q", said, c.want)
		}
	}
	upload(made.ID).want(400)
	upload(made.ID, [3]string{"file", "x.ogg", string(bells)}, [3]string{"file", "y.ogg", string(bells)}).want(400)
	h.do(ask{method: "POST", path: "/v1/agents/" + made.ID + "/announcement", key: a.key, body: `{}`}).want(415)
	h.do(ask{method: "PATCH", path: "/v1/agents/" + made.ID, key: a.key, body: `{"builtin":{"program":"menu"}}`}).want(200).into(&got)
	if got.Builtin.Program != "menu" || got.Builtin.Seconds == 0 {
		t.Errorf("the sound is kept when the program changes: %+v", got.Builtin)
	}
	h.do(ask{method: "PATCH", path: "/v1/agents/" + made.ID, key: a.key, body: `{"builtin":{"program":"juggle"}}`}).want(400)
}
