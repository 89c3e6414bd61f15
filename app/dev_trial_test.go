package app

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"carillon/tenants"
	"carillon/views"
)

// TestDevTrialHasAPhone: a trial that is opened in dev mode has a browser phone of its own. The
// test ring proposes it, its page opens beside the button, and a ring to it shows the organisation.
func TestDevTrialHasAPhone(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	s := start(t, "--data", data)
	g := (&market{server: s}).guest()
	sent := g.sends("POST", "/trial", url.Values{"company": {"Hart & Okafor Law"}, "name": {"Ana Hart"}, "email": {"ana@hart.example"},
		"password": {"bells in the morning"}, "time_zone": {"UTC"}, "industry": {string(tenants.Legal)}, "code": {""}}, 200)
	link := regexp.MustCompile(`/trial/[A-Za-z0-9_-]{20,}`).FindString(sent)
	g.leads(g.submits(link, nil), "/overview")
	g.leads(g.sends("GET", "/phone", nil, 303), "/phone/hart-okafor-law")
	if page := g.opens("/phone/hart-okafor-law"); !strings.Contains(page, "Hart &amp; Okafor Law") {
		t.Error("the phone belongs to another organisation")
	}
	form := g.opens("/rings/test")
	device := regexp.MustCompile(`name="device" value="([0-9a-f-]{36})" checked`).FindStringSubmatch(form)
	if device == nil || !strings.Contains(form, "Ana Hart (this browser)") || !strings.Contains(form, `href="/phone/hart-okafor-law"`) {
		t.Fatalf("the test ring proposes %v:\n%s", device, form)
	}
	live := g.opens(g.submits(views.PathTestRing, url.Values{"device": {device[1]}}))
	for _, want := range []string{`test-phone-face" translate="no">HO<`,
		`test-phone-name" translate="no">Hart &amp; Okafor Law<`, `href="/phone/hart-okafor-law"`} {
		if !strings.Contains(live, want) {
			t.Errorf("the page of the ring lacks %s", want)
		}
	}
	s.stop()
	again := start(t, "--data", data)
	if page := (&market{server: again}).guest().opens("/phone/hart-okafor-law"); !strings.Contains(page, "Hart &amp; Okafor Law") {
		t.Error("the phone is forgotten at the next start")
	}
}
