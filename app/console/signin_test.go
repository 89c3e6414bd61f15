package console

import (
	"carillon/app/page"

	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

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
	wrong := h.browser().post("/signin", signIn(a.owner.Email, "not the passphrase")).want(401)
	unknown := h.browser().post("/signin", signIn("nobody@alpha.example", "not the passphrase")).want(401)
	same := strings.ReplaceAll(wrong.body, a.owner.Email, "nobody@alpha.example")
	if same != unknown.body {
		t.Errorf("a wrong password and an unknown address are told apart:\n%s\n%s", same, unknown.body)
	}
	unknown.has(wrongSignIn)
	if len(wrong.Cookies()) > 0 || len(unknown.Cookies()) > 0 {
		t.Error("a refused sign-in sets a cookie")
	}
	h.browser().post("/signin", signIn("", "")).want(401)
	h.browser().post("/signin", signIn(strings.Repeat("a", 9000)+"@x.example", "\x00\xff")).want(401)
}

func TestSignInCookie(t *testing.T) {
	t.Parallel()
	for public, want := range map[string]string{"https://ring.example": "__Host-carillon", "http://127.0.0.1": "carillon"} {
		h := openAt(t, public)
		a := h.bare("alpha", "Alpha")
		res := h.browser().post("/signin", signIn(a.owner.Email, secret)).want(303)
		c := res.Cookies()[0]
		if c.Name != want || c.Secure != (want[0] == '_') || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" ||
			c.Domain != "" {
			t.Errorf("%s: cookie %+v", public, c)
		}
		if len(c.Value) < 43 {
			t.Errorf("token of %d characters has less than 256 bits", len(c.Value))
		}
		if strings.Contains(h.dump(""), c.Value) {
			t.Error("the database holds a usable token")
		}
	}
}

func TestSignInTokenIsNeverKept(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.bare("alpha", "Alpha")
	b := h.browser()
	b.cookies["carillon"] = "planted-by-somebody"
	b.post("/signin", signIn(a.owner.Email, secret)).leads("/overview")
	first := b.cookies["carillon"]
	if first == "planted-by-somebody" {
		t.Fatal("sign-in kept a planted token")
	}
	b.post("/signin", signIn(a.owner.Email, secret)).want(303)
	if b.cookies["carillon"] == first {
		t.Fatal("a second sign-in kept the token")
	}
	old := h.browser()
	old.cookies["carillon"] = first
	old.get("/overview").leads("/signin?next=%2Foverview")
	b.get("/overview").want(200)
	b.post("/signout", nil).leads("/signin")
	if _, there := b.cookies["carillon"]; there {
		t.Error("signing out left the cookie")
	}
}

func TestSignInEnds(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.bare("alpha", "Alpha")
	idle, busy := a.quick(a.owner), a.quick(a.owner)
	for range 20 { // busy does something every eight hours
		h.clock.pass(8 * time.Hour)
		if busy.get("/settings").StatusCode != 200 {
			break
		}
	}
	if past := h.clock.now(); past.Before(time.Now().Add(6*24*time.Hour)) || busy.get("/settings").StatusCode == 200 &&
		past.After(time.Now().Add(7*24*time.Hour)) {
		t.Errorf("a busy sign-in ended at %s", past)
	}
	idle.get("/settings").want(303)
	h.clock.pass(8 * time.Hour)
	busy.get("/settings").want(303)
}

func TestSignInIsSlowedDownNotLockedOut(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.bare("alpha", "Alpha")
	b := h.browser()
	slowed := 0
	for range 40 {
		res := b.post("/signin", signIn(a.owner.Email, "guess"))
		if res.StatusCode == 429 {
			slowed++
			if res.Header.Get("Retry-After") == "" {
				t.Fatal("429 without Retry-After")
			}
			res.has("Too many attempts")
		}
	}
	if slowed < 30 {
		t.Fatalf("%d of 40 guesses were slowed down", slowed)
	}
	h.clock.pass(time.Minute)
	b.post("/signin", signIn(a.owner.Email, secret)).leads("/overview")
}

func TestNextStaysHere(t *testing.T) {
	t.Parallel()
	for next, ok := range map[string]bool{
		"/rings?state=missed": true, "/devices/x#y": true, "//evil.example": false, "https://evil.example": false, `/\evil.example`: false,
		"/\t/evil.example": false, "javascript:alert(1)": false, "": false, "/signin": false, "/%2f%2fevil.example": false, "rings": false,
		"/ä": false, "/" + strings.Repeat("a", 1000): false,
	} {
		if got := ownPath(next) != ""; got != ok {
			t.Errorf("ownPath(%q) = %v", next, got)
		}
	}
	h := open(t)
	a := h.bare("alpha", "Alpha")
	f := signIn(a.owner.Email, secret)
	f.Set("next", "//evil.example")
	h.browser().post("/signin", f).leads("/overview")
	f.Set("next", "/rings?state=missed")
	h.browser().post("/signin", f).leads("/rings?state=missed")
	h.browser().get("/rings?state=missed").leads("/signin?next=%2Frings%3Fstate%3Dmissed")
	h.browser().get("/signin?next=//evil.example").want(200).lacks("evil")
}

func TestChangingThePasswordEndsOtherSignIns(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.bare("alpha", "Alpha")
	here, there := a.quick(a.owner), a.quick(a.owner)
	before := here.cookies["carillon"]
	here.post("/settings/password", url.Values{"current": {"wrong"}, "password": {"another long phrase"}}).want(422).has("current password " +
		"is wrong")
	here.post("/settings/password", url.Values{"current": {secret}, "password": {"short"}}).want(422).has("at least 12 characters")
	here.post("/settings/password", url.Values{"current": {secret}, "password": {"another long phrase"}}).leads("/settings")
	if here.cookies["carillon"] == before {
		t.Error("the token stayed the same over a change of password")
	}
	here.get("/settings").want(200).has("Your password was changed")
	there.get("/settings").want(303)
	h.browser().post("/signin", signIn(a.owner.Email, secret)).want(401)
	h.browser().post("/signin", signIn(a.owner.Email, "another long phrase")).want(303)
}

func TestOwnSignInsCanBeEnded(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, other := h.bare("alpha", "Alpha"), h.bare("beta", "Beta")
	here, there, stranger := a.quick(a.owner), a.quick(a.owner), other.quick(other.owner)
	page := here.get("/settings").want(200).body
	ids := between(page, `name="id" value="`, `"`)
	if len(ids) != 2 || ids[1] != "others" { // the one elsewhere, and all others
		t.Fatalf("sign-ins to end: %v", ids)
	}
	stranger.post("/settings/sign-ins/end", url.Values{"id": {ids[0]}}).want(404)
	there.get("/overview").want(200)
	here.post("/settings/sign-ins/end", url.Values{"id": {ids[0]}}).leads("/settings")
	there.get("/overview").want(303)
	here.get("/overview").want(200)
	again := a.quick(a.owner)
	here.post("/settings/sign-ins/end", url.Values{"id": {"others"}}).leads("/settings")
	again.get("/overview").want(303)
	here.get("/overview").want(200)
	stranger.get("/overview").want(200)
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
	must(t, b.scope().Members().Add(t.Context(), tenants.Member{Tenant: b.id, User: a.owner.ID, Role: tenants.Viewer,
		CreatedAt: h.clock.now()}))
	w := a.quick(a.owner)
	w.get("/settings").want(200).has("Alpha Homes", `value="`+string(b.id)+`"`).lacks("Gamma")
	before := w.cookies["carillon"]
	w.post("/tenant", url.Values{"tenant": {string(c.id)}}).want(404)
	w.post("/tenant", url.Values{"tenant": {string(b.id)}}).leads("/overview")
	if w.cookies["carillon"] == before {
		t.Error("the token stayed the same over a switch of tenant")
	}
	w.get("/settings").want(200).has("Beta Homes", "Viewer")
	w.post("/settings", url.Values{"name": {"x"}}).want(403)
	// Who is taken out of the tenant is out at once.
	must(t, b.scope().Members().Remove(t.Context(), a.owner.ID))
	w.get("/settings").want(303)
}

func TestADisabledPersonIsOut(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.bare("alpha", "Alpha")
	w := a.quick(a.owner)
	w.get("/overview").want(200)
	gone := a.owner
	gone.DisabledAt = h.clock.now()
	must(t, h.store.Users().Set(t.Context(), gone))
	w.get("/overview").want(303)
	h.browser().post("/signin", signIn(a.owner.Email, secret)).want(401).has(wrongSignIn)
}

func TestInvitations(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.bare("alpha", "Alpha"), h.bare("beta", "Beta")
	link := func(x *tenant, email string) string {
		s := tenants.NewSecret(tenants.InvitationPrefix)
		must(t, x.scope().Invitations().Add(t.Context(), store.Invitation{
			Hash: s.Hash(), Tenant: x.id, Email: email, Role: tenants.Admin, CreatedAt: h.clock.now(), ExpiresAt: h.clock.now().Add(invitationTime)}))
		return "/invitations/" + string(s)
	}
	fresh := link(a, "new@alpha.example")
	w := h.browser()
	w.get(fresh).want(200).has("Alpha Homes", "new@alpha.example", "Choose a password")
	w.post(fresh, url.Values{"name": {"Neo"}, "password": {"short"}}).want(422).has("at least 12")
	w.post(fresh, url.Values{"name": {"Neo\n"}, "password": {""}}).want(422)
	w.post(fresh, url.Values{"name": {"Neo"}, "password": {secret}}).leads("/overview")
	w.get("/overview").want(200).has("Alpha Homes", "Neo", "Administrator")
	h.browser().get(fresh).want(410).has("no longer works")
	h.browser().post(fresh, url.Values{"name": {"Eve"}, "password": {secret}}).want(410)

	// The link alone does not open an account that is there.
	known := link(a, b.owner.Email)
	h.browser().get(known).want(200).has("has an account here").lacks("Your name")
	h.browser().post(known, url.Values{"name": {"Eve"}, "password": {"a password of Eve's"}}).want(422).has("The password is wrong")
	if u, err := h.store.Users().Get(t.Context(), b.owner.ID); err != nil || u.Password != h.phc {
		t.Fatal("an invitation changed somebody's password")
	}
	joined := h.browser()
	joined.post(known, url.Values{"password": {secret}}).leads("/overview")
	joined.get("/overview").has("Alpha Homes", "Beta Homes")

	late := link(a, "late@alpha.example")
	h.clock.pass(invitationTime)
	h.browser().get(late).want(410)
	h.browser().get("/invitations/nonsense").want(410)
}

func TestPasswordsThatAreGuessedFirst(t *testing.T) {
	t.Parallel()
	who := page.About{Email: "ana.ruiz@mail.lindenhof.example", Name: "Ana Ruiz", Company: "Hart & Okafor"}
	for password, ok := range map[string]bool{
		"a long enough passphrase": true, "zwölf Buchstaben": true, "bells in the morning": true, "correct horse battery": true, "monkey " +
			"dragon sunshine summer": true,
		"tr0ubador&three": true, "Heart and oak for tea": true, "vX9!kq2$mzTp": true, "mein Hund heißt Nudel": true,
		"short": false, "aaaaaaaaaaaaaaaa": false, "123456789012": false, "qwertyuiopas": false, strings.Repeat("ab", 101): false,
		"password1234": false, "P@ssw0rd2024!": false, "Passwort123456": false, "qwerty123456": false, "iloveyou2024": false, "welcome-welcome": false,
		"adminadmin123": false, "Summer2026!!!": false, "1qaz2wsx3edc": false, "letmeinplease1": false, "changeme12345": false, "abcdefghijkl": false, "000000000000": false,
		"ana.ruiz@mail.lindenhof.example": false, "my ana.ruiz@mail.lindenhof.example": false, "anaruiz-2026-xk": false, "Ana Ruiz " +
			"12345": false, "lindenhof likes bells": false,
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

func TestNetworks(t *testing.T) {
	t.Parallel()
	if page.Network("2001:db8:1:2:3::4") != page.Network("2001:db8:1:2:ffff::1") || page.Network("192.0.2.1") == page.Network("192.0.2.2") {
		t.Error("networks are told apart wrongly")
	}
}
