package app

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"carillon/app/billing/stripetest"
	"carillon/tenants/seal"
)

// say runs a command line and gives its code and what it said.
func say(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	code := Run(t.Context(), args, &out, &out)
	return code, out.String()
}

// wants runs a command line and looks at its end and words.
func wants(t *testing.T, code int, words string, args ...string) {
	t.Helper()
	if got, said := say(t, args...); got != code || !strings.Contains(said, words) {
		t.Errorf("%v ends with %d and %q; want %d and %q", args, got, said, code, words)
	}
}

func TestPlansAreShown(t *testing.T) {
	t.Parallel()
	wants(t, 0, "unlimited", "plans", "show")
	wants(t, 0, "1499.00", "plans", "show")
}

func TestPlansAndDoctor(t *testing.T) {
	t.Parallel()
	s, err := stripetest.New(stripetest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	data := t.TempDir()
	master := filepath.Join(t.TempDir(), "master.key")
	if err := os.WriteFile(master, []byte(seal.Generate()), 0o600); err != nil {
		t.Fatal(err)
	}
	wants(t, 0, "", "migrate", "up", "--data", data)
	money := []string{"--data", data, "--stripe-key", stripetest.Key, "--stripe-api-url", s.URL(), "--public-url", "https://ring.example"}
	doctor := slices.Concat([]string{"doctor", "--master-key-file", master, "--stripe-webhook-secret", stripetest.Secret,
		"--trusted-proxies", "127.0.0.1"}, money, outside(t))
	wants(t, 1, "the price carillon_growth_month is not at Stripe; run `carillon plans sync`", doctor...)
	wants(t, 0, "made the price carillon_growth_month", append([]string{"plans", "sync"}, money...)...)
	wants(t, 0, "Stripe already has everything", append([]string{"plans", "sync"}, money...)...)
	wants(t, 1, "no webhook endpoint at Stripe", doctor...)
	s.Endpoint("https://ring.example/webhooks/stripe", "enabled", "*")
	wants(t, 0, "points here", doctor...)
	wants(t, 1, "CARILLON_STRIPE_KEY is empty", "plans", "sync", "--data", data)
	wants(t, 1, "CARILLON_STRIPE_KEY: a Stripe key starts with", "serve", "--master-key-file", master, "--public-url",
		"https://x.example", "--stripe-key", "pk_live_x", "--data", data)
	wants(t, 1, "CARILLON_STRIPE_WEBHOOK_SECRET: each starts with whsec_", "serve", "--master-key-file", master,
		"--public-url", "https://x.example", "--stripe-key", "sk_live_x",
		"--stripe-webhook-secret", "x", "--data", data)
}

func TestPlansFile(t *testing.T) {
	t.Parallel()
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "plans.json")
	wants(t, 0, "", "migrate", "up", "--data", data)
	wants(t, 0, "Invitation", "tenant", "create", "--name", "A", "--slug", "aa", "--industry", "salon", "--email",
		"a@b.example", "--data", data)
	code, built := say(t, "plans", "show", "--json")
	if code != 0 {
		t.Fatal(built)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(built, `"code": "growth"`, `"code": "grown"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	plan := func(words string, code int, args ...string) {
		t.Helper()
		wants(t, code, words, append([]string{"tenant", "plan", "--data", data, "--slug", "aa"}, args...)...)
	}
	plan("has the plan grown", 0, "--plan", "grown", "--plans-file", file)
	plan(`there is no plan "grown"`, 1, "--plan", "grown")
	wants(t, 1, `has the plan "grown", which the plans file does not`, append([]string{"doctor", "--data", data}, outside(t)...)...)
	plan("has the plan scale", 0, "--plan", "scale", "--until", "2099-01-31")
	plan("has the plan starter", 0, "--plan", "trial")
	plan("no limits", 0, "--plan", "none")
	wants(t, 1, `there is no tenant "bb"`, "tenant", "plan", "--data", data, "--slug", "bb", "--plan", "scale")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	wants(t, 1, "the plans file does not have the form of the built-in one", "plans", "show", "--plans-file", file)
}
