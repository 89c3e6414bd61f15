package console

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"carillon/app/page"
	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

func signIn(email, password string) url.Values {
	return url.Values{"email": {email}, "password": {password}}
}

func TestSignInAnswersUnknownAndWrongAlike(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.bare("alpha", "Alpha")
	wrong := h.Browser().Post("/signin", signIn(a.Owner.Email, "not the passphrase")).Want(401)
	unknown := h.Browser().Post("/signin", signIn("nobody@alpha.example", "not the passphrase")).Want(401)
	same := strings.ReplaceAll(wrong.Body, a.Owner.Email, "nobody@alpha.example")
	if same != unknown.Body {
		t.Errorf("a wrong password and an unknown address are told apart:\n%s\n%s", same, unknown.Body)
	}
	unknown.Has(wrongSignIn)
	if len(wrong.Cookies()) > 0 || len(unknown.Cookies()) > 0 {
		t.Error("a refused sign-in sets a cookie")
	}
	h.Browser().Post("/signin", signIn("", "")).Want(401)
	h.Browser().Post("/signin", signIn(strings.Repeat("a", 9000)+"@x.example", "\x00\xff")).Want(401)
}

func TestSignInCookie(t *testing.T) {
	t.Parallel()
	for public, want := range map[string]string{"https://ring.example": "__Host-carillon", "http://127.0.0.1": "carillon"} {
		h := openAt(t, public)
		a := h.bare("alpha", "Alpha")
		res := h.Browser().Post("/signin", signIn(a.Owner.Email, pagetest.Secret)).Want(303)
		c := res.Cookies()[0]
		if c.Name != want || c.Secure != (want[0] == '_') || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" ||
			c.Domain != "" {
			t.Errorf("%s: cookie %+v", public, c)
		}
		if len(c.Value) < 43 {
			t.Errorf("token of %d characters has less than 256 bits", len(c.Value))
		}
		if strings.Contains(h.Dump(""), c.Value) {
			t.Error("the database holds a usable token")
		}
	}
}

func TestSignInTokenIsNeverKept(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.bare("alpha", "Alpha")
	b := h.Browser()
	b.Cookies["carillon"] = "planted-by-somebody"
	b.Post("/signin", signIn(a.Owner.Email, pagetest.Secret)).Leads("/overview")
	first := b.Cookies["carillon"]
	if first == "planted-by-somebody" {
		t.Fatal("sign-in kept a planted token")
	}
	b.Post("/signin", signIn(a.Owner.Email, pagetest.Secret)).Want(303)
	if b.Cookies["carillon"] == first {
		t.Fatal("a second sign-in kept the token")
	}
	old := h.Browser()
	old.Cookies["carillon"] = first
	old.Get("/overview").Leads("/signin?next=%2Foverview")
	b.Get("/overview").Want(200)
	b.Post("/signout", nil).Leads("/signin")
	if _, there := b.Cookies["carillon"]; there {
		t.Error("signing out left the cookie")
	}
}

func TestSignInEnds(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.bare("alpha", "Alpha")
	idle, busy := a.Quick(a.Owner), a.Quick(a.Owner)
	for range 20 { // busy does something every eight hours
		h.Clock.Pass(8 * time.Hour)
		if busy.Get("/settings").StatusCode != 200 {
			break
		}
	}
	if past := h.Clock.Now(); past.Before(time.Now().Add(6*24*time.Hour)) || busy.Get("/settings").StatusCode == 200 &&
		past.After(time.Now().Add(7*24*time.Hour)) {
		t.Errorf("a busy sign-in ended at %s", past)
	}
	idle.Get("/settings").Want(303)
	h.Clock.Pass(8 * time.Hour)
	busy.Get("/settings").Want(303)
}

func TestSignInIsSlowedDownNotLockedOut(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.bare("alpha", "Alpha")
	b := h.Browser()
	slowed := 0
	for range 40 {
		res := b.Post("/signin", signIn(a.Owner.Email, "guess"))
		if res.StatusCode == 429 {
			slowed++
			if res.Header.Get("Retry-After") == "" {
				t.Fatal("429 without Retry-After")
			}
			res.Has("Too many attempts")
		}
	}
	if slowed < 30 {
		t.Fatalf("%d of 40 guesses were slowed down", slowed)
	}
	h.Clock.Pass(time.Minute)
	b.Post("/signin", signIn(a.Owner.Email, pagetest.Secret)).Leads("/overview")
}

func TestNextStaysHere(t *testing.T) {
	t.Parallel()
	for next, ok := range map[string]bool{
		"/rings?state=missed": true, "/devices/x#y": true, "//evil.example": false, "https://evil.example": false, `/\evil.example`: false,
		"/\t/evil.example": false, "javascript:alert(1)": false, "": false, "/signin": false, "/%2f%2fevil.example": false, "rings": false,
		"/ä": false, "/" + strings.Repeat("a", 1000): false,
	} {
		if got := page.OwnPath(next) != ""; got != ok {
			t.Errorf("OwnPath(%q) = %v", next, got)
		}
	}
	h := open(t)
	a := h.bare("alpha", "Alpha")
	f := signIn(a.Owner.Email, pagetest.Secret)
	f.Set("next", "//evil.example")
	h.Browser().Post("/signin", f).Leads("/overview")
	f.Set("next", "/rings?state=missed")
	h.Browser().Post("/signin", f).Leads("/rings?state=missed")
	h.Browser().Get("/rings?state=missed").Leads("/signin?next=%2Frings%3Fstate%3Dmissed")
	h.Browser().Get("/signin?next=//evil.example").Want(200).Lacks("evil")
}

func TestChangingThePasswordEndsOtherSignIns(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.bare("alpha", "Alpha")
	here, there := a.Quick(a.Owner), a.Quick(a.Owner)
	before := here.Cookies["carillon"]
	wrong := url.Values{"current": {"wrong"}, "password": {"another long phrase"}}
	here.Post("/account/password", wrong).Want(422).Has("current password is wrong")
	here.Post("/account/password", url.Values{"current": {pagetest.Secret}, "password": {"short"}}).Want(422).Has("at least 12 characters")
	here.Post("/account/password", url.Values{"current": {pagetest.Secret}, "password": {"another long phrase"}}).Leads("/account")
	if here.Cookies["carillon"] == before {
		t.Error("the token stayed the same over a change of password")
	}
	here.Get("/account").Want(200).Has("Your password was changed")
	there.Get("/settings").Want(303)
	h.Browser().Post("/signin", signIn(a.Owner.Email, pagetest.Secret)).Want(401)
	h.Browser().Post("/signin", signIn(a.Owner.Email, "another long phrase")).Want(303)
}

func TestOwnSignInsCanBeEnded(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, other := h.bare("alpha", "Alpha"), h.bare("beta", "Beta")
	here, there, stranger := a.Quick(a.Owner), a.Quick(a.Owner), other.Quick(other.Owner)
	page := here.Get("/account").Want(200).Body
	ids := between(page, `name="id" value="`, `"`)
	if len(ids) != 2 || ids[1] != "others" { // the one elsewhere, and all others
		t.Fatalf("sign-ins to end: %v", ids)
	}
	stranger.Post("/account/sessions/end", url.Values{"id": {ids[0]}}).Want(404)
	there.Get("/overview").Want(200)
	here.Post("/account/sessions/end", url.Values{"id": {ids[0]}}).Leads("/account")
	there.Get("/overview").Want(303)
	here.Get("/overview").Want(200)
	again := a.Quick(a.Owner)
	here.Post("/account/sessions/end", url.Values{"id": {"others"}}).Leads("/account")
	again.Get("/overview").Want(303)
	here.Get("/overview").Want(200)
	stranger.Get("/overview").Want(200)
}

// between lists what stands between two texts.
func between(s, from, to string) (out []string) {
	for {
		_, rest, ok := strings.Cut(s, from)
		if !ok {
			return out
		}
		var word string
		word, s, _ = strings.Cut(rest, to)
		out = append(out, word)
	}
}

func TestSwitchingTheTenant(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b, c := h.bare("alpha", "Alpha"), h.bare("beta", "Beta"), h.bare("gamma", "Gamma")
	pagetest.Must(t, b.Scope().Members().Add(t.Context(), tenants.Member{Tenant: b.Id, User: a.Owner.ID, Role: tenants.Viewer,
		CreatedAt: h.Clock.Now()}))
	w := a.Quick(a.Owner)
	w.Get("/settings").Want(200).Has("Alpha Homes", `value="`+string(b.Id)+`"`).Lacks("Gamma")
	before := w.Cookies["carillon"]
	w.Post("/tenant", url.Values{"tenant": {string(c.Id)}}).Want(404)
	w.Post("/tenant", url.Values{"tenant": {string(b.Id)}}).Leads("/overview")
	if w.Cookies["carillon"] == before {
		t.Error("the token stayed the same over a switch of tenant")
	}
	w.Get("/settings").Want(200).Has("Beta Homes", "Viewer")
	w.Post("/settings", url.Values{"name": {"x"}}).Want(403)
	// Who is taken out of the tenant is out at once.
	pagetest.Must(t, b.Scope().Members().Remove(t.Context(), a.Owner.ID))
	w.Get("/settings").Want(303)
}

func TestADisabledPersonIsOut(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.bare("alpha", "Alpha")
	w := a.Quick(a.Owner)
	w.Get("/overview").Want(200)
	gone := a.Owner
	gone.DisabledAt = h.Clock.Now()
	pagetest.Must(t, h.Store.Users().Set(t.Context(), gone))
	w.Get("/overview").Want(303)
	h.Browser().Post("/signin", signIn(a.Owner.Email, pagetest.Secret)).Want(401).Has(wrongSignIn)
}

func TestForgottenPassword(t *testing.T) {
	t.Parallel()
	h := mailing(t)
	a := h.bare("alpha", "Alpha")
	w := a.Quick(a.Owner)
	h.Browser().Get("/signin").Want(200).Has(`href="/forgot"`)
	h.Browser().Get("/forgot").Want(200).Has("Send link")
	h.Browser().Post("/forgot", url.Values{"email": {"nonsense"}}).Want(422)
	ask := func(email string) string {
		t.Helper()
		h.Clock.Pass(11 * time.Minute) // the limit of a network
		return strings.ReplaceAll(h.Browser().Post("/forgot", url.Values{"email": {email}}).Want(200).Body, email, "ADDRESS")
	}
	if known, unknown := ask(a.Owner.Email), ask("nobody@alpha.example"); known != unknown {
		t.Errorf("the page tells who has an account:\n%s", diff(known, unknown))
	}
	if n := len(h.Mails.To("nobody@alpha.example")); n != 0 {
		t.Errorf("%d mails to an address without an account", n)
	}
	link, _ := h.Link(a.Owner.Email)
	h.Browser().Get(link).Want(200).Has("New password", a.Owner.Email)
	former := h.Browser().Get(strings.Replace(link, "/forgot/", "/forgot-password/", 1)).Want(308)
	if to := former.Header.Get("Location"); !strings.HasSuffix(link, to) || former.Header.Get("Cache-Control") != "no-store" ||
		former.Header.Get("Referrer-Policy") != "same-origin" {
		t.Errorf("an older link leads to %q: %v", to, former.Header)
	}
	h.Browser().Get("/forgot-password").Want(308)
	h.Browser().Post(link, url.Values{"password": {"short"}}).Want(422).Has("at least 12")
	reset := h.Browser()
	reset.Post(link, url.Values{"password": {"bells before breakfast"}}).Leads("/signin")
	reset.Get("/signin").Has("Your password was changed")
	w.Get("/overview").Want(303)
	h.Browser().Get(link).Want(410).Has("no longer works")
	h.Browser().Post("/signin", signIn(a.Owner.Email, pagetest.Secret)).Want(401)
	h.Browser().Post("/signin", signIn(a.Owner.Email, "bells before breakfast")).Want(303)
	rows, _, err := a.Scope().Audits().List(t.Context(), store.AuditQuery{Action: "user.reset"})
	pagetest.Must(t, err)
	if len(rows) != 1 || rows[0].Target != string(a.Owner.ID) || rows[0].IP == "" {
		t.Errorf("audit rows: %+v", rows)
	}

	ask(a.Owner.Email)
	link, _ = h.Link(a.Owner.Email)
	h.Clock.Pass(tenants.ResetTTL)
	h.Browser().Get(link).Want(410)
	h.Clock.Pass(time.Hour)
	for range 4 { // one more than at once: while they pass, less than two become free again
		ask("flood@alpha.example")
	}
	for _, email := range []string{"flood@alpha.example"} { // the same with and without an account
		h.Browser().Post("/forgot", url.Values{"email": {email}}).Want(429).Has("Too many attempts")
	}
	open(t).Browser().Get("/forgot").Want(200).Has("sends no email")
}

func TestPasswordsThatAreGuessedFirst(t *testing.T) {
	t.Parallel()
	who := page.About{Email: "ana.ruiz@mail.lindenhof.example", Name: "Ana Ruiz", Company: "Hart & Okafor"}
	for password, ok := range map[string]bool{
		"a long enough passphrase": true, "zwölf Buchstaben": true, "bells in the morning": true, "correct horse battery": true,
		"monkey dragon sunshine summer": true,
		"tr0ubador&three":               true, "Heart and oak for tea": true, "vX9!kq2$mzTp": true, "mein Hund heißt Nudel": true,
		"short": false, "aaaaaaaaaaaaaaaa": false, "123456789012": false, "qwertyuiopas": false, strings.Repeat("ab", 101): false,
		"password1234": false, "P@ssw0rd2024!": false, "Passwort123456": false, "qwerty123456": false, "iloveyou2024": false,
		"welcome-welcome": false,
		"adminadmin123":   false, "Summer2026!!!": false, "1qaz2wsx3edc": false, "letmeinplease1": false, "changeme12345": false,
		"abcdefghijkl": false, "000000000000": false,
		"ana.ruiz@mail.lindenhof.example": false, "my ana.ruiz@mail.lindenhof.example": false, "anaruiz-2026-xk": false,
		"Ana Ruiz 12345": false, "lindenhof likes bells": false,
		"Hart+Okafor 99": false, "we are hart okafor": false, "carillon carillon": false, "Carillon2026!": false,
	} {
		if got := page.NewPassword(password, who); (got == "") != ok {
			t.Errorf("newPassword(%q) = %q", password, got)
		}
	}
	if got := page.NewPassword("beta at the beach", page.About{Email: "b@beta.example", Name: "B", Company: "B"}); got != "" {
		t.Errorf("a short hint refuses a sentence: %q", got)
	}
}

// FuzzPassword: whatever is typed is judged, and soon.
func FuzzPassword(f *testing.F) {
	f.Add("password1234", "a@b.example", "A")
	f.Add(strings.Repeat("a", 200), "@", "\xff")
	f.Add("ÄÖÜ€—password", "", "")
	f.Fuzz(func(t *testing.T, password, email, company string) {
		if got := page.NewPassword(password, page.About{Email: email, Name: "",
			Company: company}); utf8.RuneCountInString(password) < page.LeastPassword && got == "" {
			t.Errorf("%q passes", password)
		}
	})
}
