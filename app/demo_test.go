package app

import (
	"path/filepath"
	"strings"
	"testing"

	"carillon/app/push/apnstest"
)

// TestDemoAgent: a server says at its start what is wrong with the choice, and a good one is named
// on the page.
func TestDemoAgent(t *testing.T) {
	t.Parallel()
	wants(t, 1, `CARILLON_DEMO_AGENT: "bells" is not builtin, none or the id of an agent`, "serve", "--data",
		t.TempDir(), "--public-url", "https://x.example",
		"--master-key-file", filepath.Join(t.TempDir(), "none"), "--demo-agent", "bells")
	apple, err := apnstest.New(apnstest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer apple.Close()
	db := []string{"--data", t.TempDir()}
	s, m := produce(t, db, apple)
	if _, page := s.get(s.ready.URL + "/demo"); !strings.Contains(page, "You talk to the built-in agent") {
		t.Error("the page does not say who speaks")
	}
	var a struct{ ID string }
	if status := s.call("POST", "/v1/agents", m.APIKey, `{"name":"Night desk","kind":"builtin"}`, &a); status != 201 {
		t.Fatalf("an agent is refused: %d", status)
	}
	s.stop()
	for choice, want := range map[string]string{a.ID: "the agent “Night desk” of this server’s operator", "none": "has closed the demo"} {
		s := serves(t, db, apple, "--demo-agent", choice)
		if _, page := s.get(s.ready.URL + "/demo"); !strings.Contains(page, want) {
			t.Errorf("with %s the page does not say %q", choice, want)
		}
		s.stop()
	}
}
