package app

import (
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"carillon/tenants"
	"carillon/tenants/store"
)

// withoutJSON are the verbs without --json, and why.
var withoutJSON = map[string]string{
	"serve": "lasts; its log is JSON", "agent": "lasts", "mcp": "speaks JSON-RPC",
	"openapi": "prints a file", "industry show": "prints a file of JSON", "deploy compose": "prints files", "deploy helm": "prints files",
	"deploy grafana": "prints files", "deploy alerts": "prints files", "completion": "prints a script", "help": "is read by people",
	"migrate up": "acts: the exit code says it", "tenant plan": "acts", "tenant delete": "acts", "tenant suspend": "acts",
	"tenant resume": "acts", "user disable": "acts", "user enable": "acts", "operator disable": "acts", "operator enable": "acts",
	"affiliate stop": "acts", "keys rotate": "acts", "backup": "writes a file", "restore": "reads a file", "copy": "acts",
	"plans sync": "acts",
}

// TestEveryVerbHasJSON: each verb that prints what it found does so as JSON too, and each exit code
// is in the help and in the guide.
func TestEveryVerbHasJSON(t *testing.T) {
	t.Parallel()
	parser, err := grammar(t.Context(), terminal{io.Discard, io.Discard, time.Now})
	if err != nil {
		t.Fatal(err)
	}
	var visit func(n *kong.Node, name string)
	verbs := 0
	visit = func(n *kong.Node, name string) {
		if n.Hidden {
			return
		}
		has := false
		for _, f := range n.Flags {
			has = has || f.Name == "json"
		}
		for _, child := range n.Children {
			visit(child, strings.TrimSpace(name+" "+child.Name))
		}
		if len(n.Children) > 0 {
			return
		}
		verbs++
		if why := withoutJSON[name]; has == (why != "") {
			t.Errorf("%s: --json %v, and here %q: add the flag, or say why there is none", name, has, why)
		}
	}
	visit(parser.Model.Node, "")
	if verbs < 70 {
		t.Errorf("only %d verbs", verbs)
	}
	guide := textOf(t, "docs", "pages", "cli.md")
	for _, code := range []string{"0", "1", "2", "3", "4", "5", "6", "130"} {
		if !strings.Contains(guide, "\n| "+code+" | ") || !strings.Contains(programHelp, " "+code+" ") {
			t.Errorf("the exit code %s is not documented", code)
		}
	}
}

// TestTenantsFromTheCommandLine lists, suspends and resumes a tenant, with a row of the audit log
// for each change.
func TestTenantsFromTheCommandLine(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	wants(t, 0, "", "migrate", "up", "--data", data)
	wants(t, 0, "tenant_id", "tenant", "create", "--name", "Elm", "--slug", "elm", "--industry", "salon", "--email", "ana@elm.example",
		"--data", data, "--json")
	state := func() string {
		t.Helper()
		code, said := say(t, "tenant", "list", "--data", data, "--json")
		var one struct {
			Slug, Name, Industry, State string
			DeleteAt                    *string `json:"delete_at"`
		}
		if err := json.Unmarshal([]byte(said), &one); code != 0 || err != nil || one.Slug != "elm" || one.Name != "Elm" {
			t.Fatalf("exit code %d, %v: %s", code, err, said)
		}
		if one.DeleteAt != nil {
			return one.State + ", deleted later"
		}
		return one.State
	}
	if got := state(); got != "active" {
		t.Errorf("it is %s", got)
	}
	wants(t, 2, "--why", "tenant", "suspend", "--slug", "elm", "--why", " ", "--data", data)
	wants(t, 0, "tenant resume --slug elm", "tenant", "suspend", "--slug", "elm", "--why", "The bill is open.", "--data", data)
	if got := state(); got != "suspended" {
		t.Errorf("it is %s", got)
	}
	wants(t, 0, "SLUG", "tenant", "list", "--data", data)
	wants(t, 0, "", "tenant", "delete", "--slug", "elm", "--data", data)
	if got := state(); got != "suspended, deleted later" {
		t.Errorf("it is %s", got)
	}
	wants(t, 0, "is cancelled", "tenant", "resume", "--slug", "elm", "--data", data)
	wants(t, 0, "tenant resume --slug elm", "tenant", "suspend", "--slug", "elm", "--why", "The bill is open.", "--data", data)
	wants(t, 0, "works again", "tenant", "resume", "--slug", "elm", "--data", data)
	if got := state(); got != "active" {
		t.Errorf("it is %s", got)
	}
	s, err := store.Open(t.Context(), store.Config{Dir: data, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	all, err := s.Tenants().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := s.For(all[0].ID).Audits().List(t.Context(), store.AuditQuery{Action: "tenant."})
	if err != nil || len(rows) < 2 || rows[0].Action != "tenant.resume" || rows[1].Action != "tenant.suspend" ||
		rows[1].Actor.Kind != tenants.ActorSystem {
		t.Errorf("%+v, %v", rows, err)
	}
}
