package app

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"carillon/views"
	paths "carillon/views/operator"
)

// TestOperatorVerbs adds, lists, resets, disables and enables an operator at the command line.
func TestOperatorVerbs(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	wants(t, 0, "applied", "migrate", "up", "--data", data)
	add := []string{"operator", "add", "--data", data, "--name", "Sam Hill", "--email"}
	wants(t, 0, "There is no operator", "operator", "list", "--data", data)
	wants(t, 2, "CARILLON_OPERATOR_ADDR is empty", append(add, "sam@ops.example")...)
	at := []string{"--operator-addr", "127.0.0.1:8090"}
	wants(t, 2, "is not an email address", append(append(add, "sam"), at...)...)
	code, said := say(t, append(append(add, "Sam@ops.example", "--json"), at...)...)
	var m struct{ Email, Link string }
	if err := json.Unmarshal([]byte(said), &m); err != nil || code != 0 || m.Email != "sam@ops.example" ||
		!strings.HasPrefix(m.Link, "http://127.0.0.1:8090/welcome/crl_op_") {
		t.Fatalf("%d %s: %v", code, said, err)
	}
	wants(t, 1, "There is an operator with this address already", append(append(add, "sam@ops.example"), at...)...)
	one := []string{"--data", data, "--email", "sam@ops.example"}
	wants(t, 0, "https://ops.example/welcome/crl_op_", append([]string{"operator", "reset", "--operator-url", "https://ops.example",
		"--operator-addr", ":8090"}, one...)...)
	wants(t, 0, "SECOND STEP", "operator", "list", "--data", data)
	wants(t, 0, "has no passkeys", append([]string{"operator", "passkeys"}, one...)...)
	wants(t, 1, "has no passkey 01900000-0000-7000-8000-000000000000", append([]string{"operator", "passkeys", "--remove",
		"01900000-0000-7000-8000-000000000000"}, one...)...)
	wants(t, 0, "cannot sign in", append([]string{"operator", "disable"}, one...)...)
	wants(t, 1, "operator enable", append(append([]string{"operator", "reset"}, at...), one...)...)
	wants(t, 0, "disabled", "operator", "list", "--data", data)
	wants(t, 0, "can sign in", append([]string{"operator", "enable"}, one...)...)
	wants(t, 1, "no operator has the address", "operator", "disable", "--data", data, "--email", "nobody@ops.example")
}

// listenersAreApart asks for what the operator console has on the public listener, and the other
// way round.
func listenersAreApart(t *testing.T, s *server) {
	t.Helper()
	for base, all := range map[string][]string{
		s.ready.URL: {paths.PathTenants, paths.PathTenantsCSV, paths.PathHealth, paths.PathEvents, paths.PathPartners, paths.PathOperators,
			paths.PathCodes, views.PathSecond + "/x", paths.WelcomePath("x"), paths.ResendPath("1")},
		s.ready.OperatorURL: {views.PathOverview, views.PathRings, views.PathDevices, views.PathKeys, views.PathSettings, views.PathBilling,
			views.PathTrial, views.PathForgot, views.PathStorybook, "/v1/rings", "/mcp", "/docs/ios", "/healthz", "/webhooks/stripe"},
	} {
		for _, path := range all {
			res, err := http.Get(base + path)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode != http.StatusNotFound {
				t.Errorf("%s%s: %d, want 404", base, path, res.StatusCode)
			}
		}
	}
}
