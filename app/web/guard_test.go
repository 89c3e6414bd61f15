package web

import (
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

func TestCrossSite(t *testing.T) {
	t.Parallel()
	guard, err := CrossSite("https://carillon.example")
	if err != nil {
		t.Fatal(err)
	}
	app := New(Config{})
	app.Use(guard)
	app.All("/form", func(c *fiber.Ctx) error { return c.SendString("ok") })
	for _, tc := range []struct {
		method, site, origin string
		want                 int
	}{
		{"GET", "cross-site", "https://evil.example", 200},
		{"POST", "same-origin", "", 200},
		{"POST", "none", "", 200},
		{"POST", "cross-site", "", 403},
		{"POST", "same-site", "", 403},
		{"DELETE", "cross-site", "https://evil.example", 403},
		{"POST", "cross-site", "https://carillon.example", 200},
		{"POST", "", "https://evil.example", 403},
		{"POST", "", "null", 403},
		{"POST", "", "http://here.example", 200},
		{"POST", "", "https://carillon.example", 200},
		{"POST", "", "", 200},
	} {
		r := request(t, tc.method, "http://here.example/form", "")
		if tc.site != "" {
			r.Header.Set("Sec-Fetch-Site", tc.site)
		}
		if tc.origin != "" {
			r.Header.Set("Origin", tc.origin)
		}
		resp, err := app.Test(r, noTimeout)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != tc.want {
			t.Errorf("%+v: %d", tc, resp.StatusCode)
		}
	}
	if _, err := CrossSite("not an origin"); err == nil {
		t.Error("a wrong origin was accepted")
	}
}

func TestKeyInQuery(t *testing.T) {
	t.Parallel()
	key := string(tenants.NewSecret(tenants.LivePrefix))
	hidden := strings.NewReplacer("c", "%63", "_", "%5F").Replace(key)
	for query, want := range map[string][2]bool{ // under /v1, and on a page
		"api_key=x":        {true, false},
		"%61pi_key=x":      {true, false},
		"%2561pi_key=x":    {true, false},
		"a=1;API%5fKEY=x":  {true, false},
		"+api_key=x":       {true, false},
		"api_key%00=x":     {true, false},
		"token":            {true, false},
		"x=crl%5Flive_abc": {true, false},
		"x=crl_device_":    {true, false},
		"x=" + key:         {true, true},
		"x=" + hidden:      {true, true},
		"x=" + strings.ReplaceAll(hidden, "%", "%25"): {true, true},
		"x=Bearer%20" + key + "%22":                   {true, true},
		key + "=1":                                    {true, true},
		"q=crl_live":                                  {false, false},
		// on a page a person may search for a key by its name
		"q=crl_live_front+desk":        {true, false},
		"limit=5&after=api_key&keys=3": {false, false},
		"q=100%":                       {false, false},
		"q=%zz%4":                      {false, false},
	} {
		if got := [2]bool{keyIn(query, true), keyIn(query, false)}; got != want {
			t.Errorf("%s: %v, want %v", query, got, want)
		}
	}
}

func FuzzKeyInQuery(f *testing.F) {
	f.Add("%61pi_key=x", byte(1))
	f.Add("a=%2563rl_", byte(2))
	f.Fuzz(func(t *testing.T, around string, layers byte) {
		key := string(tenants.NewSecret(tenants.TestPrefix))
		for range layers % encodingLayers {
			key = strings.ReplaceAll(strings.ReplaceAll(key, "%", "%25"), "_", "%5f")
		}
		// characters that would join the key or form an encoding
		around = strings.Map(func(r rune) rune {
			if r == '_' || r == '%' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
				return '-'
			}
			return r
		}, around)
		if !keyIn(around+key+around, false) {
			t.Fatalf("%q hides a key", around+key+around)
		}
	})
}
