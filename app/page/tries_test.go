package page_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/app/web/webtest"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// fixture is a server whose only routes try a password: right or wrong is in the address.
type fixture struct {
	*testing.T
	common *page.Common
	store  *store.Store
	log    *bytes.Buffer
	user   tenants.UserID // whose failures are noted
	now    time.Time
	url    string
}

func triesFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t, now: time.Now().Truncate(time.Second), log: &bytes.Buffer{}}
	now := func() time.Time { return f.now }
	f.store = storetest.OpenConfig(t, store.Config{Dir: t.TempDir(), Now: now})
	f.serve()
	return f
}

// serve starts the server of the fixture's store.
func (f *fixture) serve() {
	f.Helper()
	var err error
	f.common, err = page.NewCommon(page.CommonConfig{Store: f.store, PublicURL: "http://127.0.0.1",
		Now: func() time.Time { return f.now }, Log: slog.New(slog.NewTextHandler(f.log, nil))})
	if err != nil {
		f.Fatal(err)
	}
	app := web.New(web.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	app.Get("/try", func(c *fiber.Ctx) error {
		email := web.Query(c, "email")
		try, err := f.common.Try(c, email)
		if err != nil {
			return err
		}
		if web.Query(c, "right") == "" {
			f.common.Failed(c, f.user, email)
			return c.SendStatus(401)
		}
		try.Worked()
		user := tenants.User{ID: f.user, Email: email, Name: "Ana"}
		return f.common.Admit(c.UserContext(), c, user, theTenant)
	})
	f.url = webtest.Serve(f.T, app)
}

// try makes one attempt and returns its status, its text and the cookie of a known browser.
func (f *fixture) try(query, from, cookie string) (status int, body, known string) {
	f.Helper()
	req, err := http.NewRequestWithContext(f.Context(), "GET", f.url+"/try?"+query, nil)
	if err != nil {
		f.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", from)
	if cookie != "" {
		req.AddCookie(&http.Cookie{Name: "carillon-known", Value: cookie})
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		f.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range res.Cookies() {
		if c.Name == "carillon-known" {
			known = c.Value
		}
	}
	return res.StatusCode, string(text), known
}

// TestAStrangerLocksNobodyOut: many wrong passwords from many networks stop strangers at the
// account, but not a browser in which its owner signed in before.
func TestAStrangerLocksNobodyOut(t *testing.T) {
	t.Parallel()
	f := triesFixture(t)
	f.tenant()
	status, body, known := f.try("email=ana@a.example&right=1", "192.0.2.1", "")
	if status != 200 || known == "" {
		t.Fatalf("%d %s, cookie %q", status, body, known)
	}
	refused := 0
	for i := range 100 {
		if status, _, _ := f.try("email=ana@a.example", fmt.Sprintf("198.51.%d.9", i), ""); status == 429 {
			refused++
		}
	}
	if refused != 40 {
		t.Errorf("%d of 100 guesses were refused, want 40", refused)
	}
	status, body, _ = f.try("email=ana@a.example&right=1", "203.0.113.5", "")
	if status != 429 || !strings.Contains(body, "signed in before") {
		t.Errorf("a stranger with the right password: %d %s", status, body)
	}
	for _, other := range []string{"", "." + strings.Split(known, ".")[1], known[1:], strings.Split(known, ".")[0] + "."} {
		if status, _, _ := f.try("email=ana@a.example&right=1", "203.0.113.5", other); status != 429 {
			t.Errorf("the cookie %q is one of a known browser", other)
		}
	}
	if status, body, _ := f.try("email=ana@a.example&right=1", "203.0.113.5", known); status != 200 {
		t.Errorf("the known browser: %d %s", status, body)
	}
	// The cookie is of one account; and it does not let a thief guess without an end.
	if status, _, _ := f.try("email=ben@a.example", "203.0.113.5", known); status != 401 {
		t.Errorf("another account: %d", status)
	}
	refused = 0
	for range 40 {
		if status, _, _ := f.try("email=ana@a.example", "203.0.113.5", known); status == 429 {
			refused++
		}
	}
	if refused < 25 {
		t.Errorf("%d of 40 guesses from a known browser were refused", refused)
	}
	f.now = f.now.Add(time.Minute)
	if status, body, _ := f.try("email=ana@a.example&right=1", "203.0.113.5", ""); status != 200 {
		t.Errorf("a minute later: %d %s", status, body)
	}
}

// TestAStrangerGuessesThroughSeveralNodes: all nodes together let as many wrong passwords through
// as one does.
func TestAStrangerGuessesThroughSeveralNodes(t *testing.T) {
	t.Parallel()
	for _, count := range []int{1, 2, 3} {
		f := triesFixture(t)
		for i := range count {
			self := store.Node{ID: tenants.NewID[tenants.NodeID](f.now), Name: fmt.Sprint(i), Shared: true}
			if _, err := f.store.Nodes().Start(t.Context(), self); err != nil {
				t.Fatal(err)
			}
		}
		passed := 0
		for range count {
			node := &fixture{T: t, store: f.store, log: &bytes.Buffer{}, now: f.now}
			node.serve()
			for i := range 65 {
				if status, _, _ := node.try("email=ana@a.example", fmt.Sprintf("198.51.%d.9", i), ""); status == 401 {
					passed++
				}
			}
		}
		if passed != 60 {
			t.Errorf("%d guesses passed at %d nodes, want 60", passed, count)
		}
	}
}

// TestRightPasswordsCostTheAccountNothing: only failures count against an account.
func TestRightPasswordsCostTheAccountNothing(t *testing.T) {
	t.Parallel()
	f := triesFixture(t)
	f.tenant()
	for i := range 30 {
		if status, body, _ := f.try("email=ana@a.example&right=1", "192.0.2.1", ""); status != 200 {
			t.Fatalf("sign-in %d: %d %s", i, status, body)
		}
	}
}

// TestOneProviderCannotTakeAllTries: a /56 and a /48 have bounds, and others are served meanwhile.
func TestOneProviderCannotTakeAllTries(t *testing.T) {
	t.Parallel()
	f := triesFixture(t)
	f.tenant()
	passed := 0
	for i := range 250 {
		if status, _, _ := f.try(fmt.Sprintf("email=u%d@a.example", i), fmt.Sprintf("2001:db8:0:%x::1", i%256), ""); status == 401 {
			passed++
		}
	}
	if passed != 120 {
		t.Errorf("%d tries of one /56 passed, want 120", passed)
	}
	for i := range 250 {
		from := fmt.Sprintf("2001:db8:1:%x::1", i*256)
		if status, _, _ := f.try(fmt.Sprintf("email=v%d@a.example", i), from, ""); status == 401 {
			passed++
		}
	}
	if passed > 200 {
		t.Errorf("%d tries passed, the server's most is 200", passed)
	}
	f.now = f.now.Add(time.Second)
	if status, body, _ := f.try("email=ana@a.example&right=1", "192.0.2.1", ""); status != 200 {
		t.Errorf("somebody else: %d %s", status, body)
	}
}

// TestFailedSignInsAreRecorded: with network and hashed address; what was typed is written nowhere.
func TestFailedSignInsAreRecorded(t *testing.T) {
	t.Parallel()
	f := triesFixture(t)
	f.tenant()
	for range 3 {
		f.try("email=ana@a.example", "192.0.2.9", "")
	}
	f.try("email=ana@a.example", "2001:db8::7", "")
	f.user = ""
	f.try("email=my-secret-password", "192.0.2.9", "")
	if err := f.common.RecordFailures(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, _, err := f.store.For(theTenant).Audits().List(t.Context(), store.AuditQuery{Action: "user.sign_in_failed"})
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	if d := all[0].Detail; !strings.HasPrefix(d, "4 times from 192.0.2.9 2001:db8::/64, address hash ") || strings.Contains(d, "ana@") {
		t.Errorf("detail is %q", d)
	}
	log := f.log.String()
	if !strings.Contains(log, "nobody has") || !strings.Contains(log, "192.0.2.9") || strings.Contains(log, "my-secret") {
		t.Errorf("the log is %s", log)
	}
	if err := f.common.RecordFailures(t.Context()); err != nil {
		t.Fatal(err)
	}
	again, _, err := f.store.For(theTenant).Audits().List(t.Context(), store.AuditQuery{Action: "user.sign_in_failed"})
	if err != nil || len(again) != 1 {
		t.Errorf("recorded again: %+v, %v", again, err)
	}
}

// theTenant is the one that tenant makes.
const theTenant tenants.TenantID = "0190aaaa-0000-7000-8000-000000000001"

// tenant makes a tenant with a member.
func (f *fixture) tenant() {
	ctx := f.Context()
	f.Helper()
	must := func(err error) {
		if err != nil {
			f.Fatal(err)
		}
	}
	f.user = tenants.NewID[tenants.UserID](f.now)
	owner := tenants.User{ID: f.user, Email: "ana@a.example", Name: "Ana", Theme: "auto", CreatedAt: f.now}
	t := tenants.Tenant{ID: theTenant, Slug: "alpha", Name: "Alpha", Industry: tenants.Healthcare, State: tenants.TenantActive,
		TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: f.now}
	must(f.store.Tenants().Add(ctx, store.Who{Actor: tenants.System}, t))
	must(f.store.Users().Add(ctx, owner))
	must(f.store.For(theTenant).Members().Add(ctx, tenants.Member{Tenant: t.ID, User: owner.ID, Role: tenants.Owner, CreatedAt: f.now}))
}
