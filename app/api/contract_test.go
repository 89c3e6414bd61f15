package api

import (
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/health"
	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
)

var param = regexp.MustCompile(`:([a-z]+)`)

// described is the path of a route as the description writes it.
func described(path string) string { return param.ReplaceAllString(path, "{$1}") }

// mounted lists the routes that the API adds to an app, such as "POST /v1/rings/{id}/cancel".
func mounted(t testing.TB, app *fiber.App) []string {
	t.Helper()
	var all []string
	for _, r := range app.GetRoutes(true) {
		if r.Method != fiber.MethodHead {
			all = append(all, r.Method+" "+described(r.Path))
		}
	}
	slices.Sort(all)
	return all
}

// TestDescriptionMatchesRoutes checks that every route is described, and that every described route
// exists.
func TestDescriptionMatchesRoutes(t *testing.T) {
	t.Parallel()
	app := fiber.New()
	(&API{Config: Config{Media: voice{}, Joining: switchboard.Joining{}}}).Mount(app)
	var all []string
	for path, item := range readContract(t).doc.Paths.Map() {
		for method, op := range item.Operations() {
			all = append(all, method+" "+path)
			if op.Summary == "" || op.OperationID == "" || len(op.Tags) != 1 {
				t.Errorf("%s %s has no summary, id or tag", method, path)
			}
		}
	}
	slices.Sort(all)
	if got := mounted(t, app); !slices.Equal(got, all) {
		t.Errorf("mounted:\n%s\ndescribed:\n%s", strings.Join(got, "\n"), strings.Join(all, "\n"))
	}
}

// TestDescriptionNamesScopes checks that each description names the scope that its route needs.
func TestDescriptionNamesScopes(t *testing.T) {
	t.Parallel()
	spec := readContract(t)
	a := &API{Config: Config{Media: voice{}, Joining: switchboard.Joining{}}}
	for _, r := range a.routes() {
		op := spec.doc.Paths.Find(described(r.Path)).GetOperation(r.Method)
		if op == nil {
			t.Errorf("%s %s is not described", r.Method, r.Path)
			continue
		}
		if r.Needs != "" && !strings.Contains(op.Description, "Needs `"+string(r.Needs)+"`") {
			t.Errorf("%s %s needs %s; described is %q", r.Method, r.Path, r.Needs, op.Description)
		}
		if callers := doorsOf(r); callers != 1 || (r.key != nil) != (r.Needs != "") {
			t.Errorf("%s %s has %d callers and needs %q", r.Method, r.Path, callers, r.Needs)
		}
		if r.Needs != "" && !slices.Contains(tenants.Scopes(), r.Needs) {
			t.Errorf("%s %s needs the unknown scope %q", r.Method, r.Path, r.Needs)
		}
	}
}

// TestDescriptionListsFactsAndStates checks the described lists of facts, states and reasons.
func TestDescriptionListsFactsAndStates(t *testing.T) {
	t.Parallel()
	schemas := readContract(t).doc.Components.Schemas
	for name, c := range map[string]struct {
		described []any
		want      []string
	}{
		"facts":         {schemas["FactKind"].Value.Enum, texts(tenants.FactKinds)},
		"states":        {schemas["RingState"].Value.Enum, texts(tenants.RingStates)},
		"ends of calls": {schemas["Call"].Value.Properties["ended_by"].Value.Enum, switchboard.CallEndings()},
		"reasons":       {schemas["Ring"].Value.Properties["end_reason"].Value.Enum, texts(tenants.EndReasons())},
	} {
		var got []string
		for _, e := range c.described {
			if s, ok := e.(string); ok { // the reasons include null
				got = append(got, s)
			}
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: described %v, there are %v", name, got, c.want)
		}
	}
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}

func doorsOf(r Route) (n int) {
	for _, there := range []bool{r.key != nil, r.phone != nil, r.open != nil} {
		if there {
			n++
		}
	}
	return n
}

func TestNoMediaRoutesWithoutMedia(t *testing.T) {
	t.Parallel()
	for _, r := range (&API{}).routes() {
		if strings.HasSuffix(r.Path, "/answer") || strings.HasSuffix(r.Path, "/leg") {
			t.Errorf("%s is mounted without media", r.Path)
		}
	}
}

func TestNewRefusesMissingParts(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{PublicURL: "https://x"}); err == nil {
		t.Error("an API without a store was made")
	}
	c := Config{Store: new(store.Store), Board: new(switchboard.Board), Credentials: new(health.Credentials),
		CheckAgent:      func(tenants.Agent) error { return nil },
		CheckConnection: func(tenants.Connection) error { return nil }, Events: receivers{}, Feed: switchboard.Feed{},
		Now: time.Now, Log: slog.Default(), PublicURL: "https://x"}
	if _, err := New(c); err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{"", "carillon.example", "ftp://x"} {
		c.PublicURL = url
		if _, err := New(c); err == nil {
			t.Errorf("public URL %q was accepted", url)
		}
	}
}
