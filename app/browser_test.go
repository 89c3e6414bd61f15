package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"carillon/app/console"
	operatorpages "carillon/views/operator"
)

// browser starts a headless Chromium; the test is skipped where none is installed. .ci/run installs
// one.
func browser(t *testing.T) context.Context {
	t.Helper()
	name := ""
	for _, try := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(try); err == nil {
			name = found
			break
		}
	}
	if name == "" {
		t.Skip("no Chromium is installed; .ci/run installs it")
	}
	// Chromium's profile is chromedp's to make and to remove, which it tries more than once:
	// t.TempDir fails the test where a child of Chromium still writes as its folder goes.
	opts := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(name), chromedp.NoSandbox, chromedp.WSURLReadTimeout(2*time.Minute),
		chromedp.Flag("use-fake-ui-for-media-stream", true), chromedp.Flag("use-fake-device-for-media-stream", true),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"), chromedp.Flag("allow-loopback-in-peer-connection", true),
		chromedp.Flag("disable-quic", true), chromedp.Flag("mute-audio", true), chromedp.Flag("force-color-profile", "srgb"),
	)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 20*time.Minute)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// tab opens another page of the same browser.
func tab(t *testing.T, ctx context.Context) context.Context {
	t.Helper()
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// step is one thing to do in a page.
type step = chromedp.Action[chromedp.Void]

// do runs steps within three minutes, and takes a picture of where it stuck.
func do(t *testing.T, ctx context.Context, what string, steps ...step) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	if err := chromedp.Do(limited, steps...); err != nil {
		late, stop := context.WithTimeout(ctx, 5*time.Second)
		defer stop()
		where, _ := chromedp.Run(late, chromedp.Location())
		text, _ := chromedp.Run(late, chromedp.Evaluate[string](`document.body.innerText`))
		if picture, err := chromedp.Run(late, chromedp.CaptureScreenshot()); err == nil {
			save(t, "stuck.png", picture)
		}
		t.Fatalf("%s: %v at %s\n%s", what, err, where, text)
	}
}

// read runs one step that gives something.
func read[T any](t *testing.T, ctx context.Context, what string, a chromedp.Action[T]) T {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	v, err := chromedp.Run(limited, a)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return v
}

// holds waits until a JavaScript expression is true, also across pages: while one goes and the next
// comes, it asks again.
func holds(expression string) step {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			if ok, err := chromedp.Evaluate[bool](`!!(`+expression+`)`)(ctx, target); err == nil && ok {
				return nil
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("never held: %s: %w", expression, ctx.Err())
			case <-tick.C:
			}
		}
	})
}

func click(css string) step  { return settled(chromedp.Click(chromedp.CSS(css))) }
func submit(css string) step { return settled(chromedp.Submit(chromedp.CSS(css))) }
func choose(css, value string) step {
	return settled(chromedp.SetValue(chromedp.CSS(css), value))
}
func write(css, text string) step { return settled(chromedp.SendKeys(chromedp.CSS(css), text)) }

// settled takes a step in a page that is complete. Where another page loads between finding an
// element and using it, Chromium does not know the element's id; then nothing was done and the step
// is taken again.
func settled(act step) step {
	whole := holds(`document.readyState === "complete"`)
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		for {
			if _, err := whole(ctx, target); err != nil {
				return chromedp.Void{}, err
			}
			done, err := act(ctx, target)
			if fault := (*cdproto.Error)(nil); !errors.As(err, &fault) ||
				!strings.Contains(strings.ToLower(fault.Message), "node with given id") {
				return done, err
			}
		}
	}
}

// turns presses what leads to another page, maybe of the same address and name, and waits until
// that one is whole.
func turns(css string) step {
	mark, press := chromedp.Evaluate[bool](`window.before = true`), click(css)
	turned := holds(`!window.before && document.readyState === "complete"`)
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := mark(ctx, target); err != nil {
			return err
		}
		if _, err := press(ctx, target); err != nil {
			return err
		}
		_, err := turned(ctx, target)
		return err
	})
}

// save writes a picture to the folder that git ignores.
func save(t *testing.T, name string, picture []byte) {
	t.Helper()
	dir := filepath.Join("..", "screenshots")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

func signIn(t *testing.T, ctx context.Context, s *server) {
	t.Helper()
	do(t, ctx, "sign in",
		chromedp.Navigate(s.ready.URL+"/signin"),
		write(`input[name=email]`, s.ready.Login.Email),
		write(`input[name=password]`, s.ready.Login.Password),
		submit(`input[name=password]`),
		holds(`location.pathname === "/overview"`),
	)
}

// TestTheStoryInABrowser: an admin signs in and presses Ring; the phone page rings and answers,
// hears the bells and hangs up; the console shows every hop. Then every page is looked at: in both
// themes, wide and narrow, with axe-core.
func TestTheStoryInABrowser(t *testing.T) {
	t.Parallel()
	s := start(t)
	phone := browser(t)
	do(t, phone, "the phone waits", look("light", 1100), chromedp.Navigate(s.ready.PhoneURL),
		holds(`document.body.innerText.includes("Waiting for pushes")`))
	admin := tab(t, phone)
	do(t, admin, "a wide window", look("light", 1440))
	signIn(t, admin, s)

	do(t, admin, "press Ring",
		chromedp.Navigate(s.ready.URL+"/rings/test?device="+string(s.ready.DeviceID)),
		click(`input[name=device][value="`+string(s.ready.DeviceID)+`"]`),
		submit(`input[name=device]`),
		holds(`/^\/rings\/[0-9a-f-]{36}\/test$/.test(location.pathname)`),
	)
	do(t, phone, "the phone rings", holds(`document.body.dataset.screen === "incoming"`))
	picture(t, phone, s, "phone-incoming")
	do(t, phone, "answer", click(`#phone-accept`), holds(`document.body.dataset.screen === "call"`))
	do(t, phone, "hear the bells", holds(`parseFloat(document.body.dataset.audioEnergy) > 0.001`))
	picture(t, phone, s, "phone-call")
	do(t, admin, "the console sees the call live", holds(`document.body.innerText.includes("Both could hear each other")`))
	picture(t, admin, s, "test-ring-live")
	do(t, phone, "hang up", click(`#phone-hangup`), holds(`document.body.dataset.screen !== "call"`))
	do(t, admin, "the call is over", holds(`/hung up/i.test(document.body.innerText)`))
	path := strings.TrimSuffix(strings.TrimPrefix(read(t, admin, "where", chromedp.Location()), s.ready.URL), "/test")
	do(t, admin, "the ring's page", chromedp.Navigate(s.ready.URL+path))
	text := read(t, admin, "read the ring's page", chromedp.Evaluate[string](`document.querySelector("main").innerText`))
	for _, hop := range []string{"Accepted", "Woke", "Shown", "Answered", "hung up"} {
		if !strings.Contains(strings.ToLower(text), strings.ToLower(hop)) {
			t.Errorf("the ring's page does not tell of %q:\n%s", hop, text)
		}
	}
	s.missed(t)
	aside(t, admin, s)
	tour(t, admin, s, path)
}

// aside opens a ring beside the list by keyboard, meanwhile another is placed, and closes it again:
// the list waits with what is new, and draws it when asked.
func aside(t *testing.T, ctx context.Context, s *server) {
	t.Helper()
	do(t, ctx, "the list is live", chromedp.Navigate(s.ready.URL+"/rings"),
		holds(`document.querySelector("[data-live]").dataset.live === "live"`))
	const link = `a[data-drawer]`
	rows := read(t, ctx, "count the rows", chromedp.Evaluate[int](`document.querySelectorAll("[data-ring]").length`))
	do(t, ctx, "open the first at the side",
		settled(chromedp.Focus(chromedp.CSS(link))), write(link, "\r"),
		holds(`document.querySelector("dialog.drawer[open] .drawer-page")?.innerText.includes("Timeline")`),
		holds(`location.href === document.querySelector("`+link+`").href`),
	)
	axe, err := os.ReadFile(filepath.Join("testdata", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	read(t, ctx, "axe", chromedp.Evaluate[int](string(axe)+`;0`))
	for _, fault := range read(t, ctx, "axe", chromedp.Evaluate[[]string](faults, chromedp.EvalAwaitPromise)) {
		t.Errorf("the drawer: %s", fault)
	}
	picture(t, ctx, s, "drawer")
	s.place(fmt.Sprintf(`{"to":{"device":"%s"},"ttl_s":5}`, s.ready.DeviceID))
	do(t, ctx, "the list waits behind it", holds(`document.querySelector("[data-live-new]").textContent === "1 new"`))
	do(t, ctx, "Escape",
		write(`dialog.drawer`, "\u001b"),
		holds(`!document.querySelector("dialog[open]") && location.pathname === "/rings" && document.activeElement.matches("`+link+`")`),
	)
	do(t, ctx, "draw what is new", click(`[data-live-new]`),
		holds(fmt.Sprintf(`document.querySelectorAll("[data-ring]").length === %d`, rows+1)+
			` && document.querySelector("[data-live-new]").hidden`))
}

// missed rings the seeded phones that do not answer, so that the pages have failures to show.
func (s *server) missed(t *testing.T) {
	t.Helper()
	var list struct {
		Data []struct{ ID, Platform string }
	}
	s.call("GET", "/v1/devices", s.ready.APIKey, "", &list)
	for _, d := range list.Data {
		if d.Platform == "ios" {
			r := s.place(fmt.Sprintf(`{"to":{"device":"%s"},"ttl_s":5,"reference":"lead-2041"}`, d.ID))
			s.until(r.ID, func(r toldRing) bool { return r.EndReason != "" })
		}
	}
	s.call("POST", "/v1/rings", s.ready.APIKey, fmt.Sprintf(`{"to":{"device":"%s"}}`, s.ready.DeviceID), nil)
}

// tour visits every page in light and dark, wide and narrow, keeps a picture and lets axe-core look
// for faults.
func tour(t *testing.T, ctx context.Context, s *server, ring string) {
	first := func(what string) string {
		var list struct{ Data []struct{ ID string } }
		s.call("GET", "/v1/"+what, s.ready.APIKey, "", &list)
		if len(list.Data) == 0 {
			t.Fatalf("no %s", what)
		}
		return list.Data[0].ID
	}
	_, id, _ := strings.Cut(ring, "/rings/")
	pages := map[string]string{
		"rings-empty": "/rings?q=nothing-like-this", "story-overview": "/storybook/overview",
		"story-alerts": "/storybook/alerts", "story-phone-health": "/storybook/phone-health",
		"story-device": "/storybook/device", "story-probed": "/storybook/credential-probed",
		"story-replace": "/storybook/credential-replace", "storybook": "/storybook",
		"operator-tenant": "/storybook/operator-tenant", "operator-health": "/storybook/operator-health",
		"operator-events": "/storybook/operator-events", "operator-partner": "/storybook/operator-partner",
		"missing": "/rings/01900000-0000-7000-8000-000000000000", "phone": "/phone/harbor-pine",
	}
	for _, p := range console.Pages(map[string]string{"rings": id, "devices": first("devices"), "credentials": first("credentials"),
		"agents": first("agents")}) {
		if strings.Contains(p, "?") || strings.HasSuffix(p, "/cancel") || strings.HasSuffix(p, "/rollback") {
			continue // the same page again, and questions that only fit another ring or credential
		}
		names := strings.NewReplacer(id, "one", first("devices"), "one", first("credentials"), "one", first("agents"), "one", "/", "-")
		pages[names.Replace(p[1:])] = p
	}
	do(t, ctx, "the menu stays at the side of a long page", look("light", 1440), chromedp.Navigate(s.ready.URL+"/overview"),
		holds(`scrollY > 100 && Math.abs(document.querySelector(".side").getBoundingClientRect().top) < 1 || scrollTo(0, 1e6)`))
	visit(t, ctx, s, pages)
	for _, one := range operatorpages.Samples(time.Now()) {
		if pages[one.Name] == "" {
			glance(t, ctx, s, "/storybook/"+one.Name, "en", 1440)
		}
	}
	do(t, ctx, "choose Spanish", chromedp.Navigate(s.ready.URL+"/account"), choose(`select[name=language]`, "es"),
		submit(`select[name=language]`), holds(`document.documentElement.lang === "es"`))
	for _, path := range []string{"/overview", "/rings", ring, "/analytics", "/devices", "/groups", "/alerts", "/audit", "/people",
		"/account", "/settings", "/billing"} {
		glance(t, ctx, s, path, "es", 390)
	}
}

// glance lets axe-core look once at a page, which is in a language, and takes no picture.
func glance(t *testing.T, ctx context.Context, s *server, path, lang string, width int64) {
	t.Helper()
	axe, err := os.ReadFile(filepath.Join("testdata", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	do(t, ctx, path, look("light", width), chromedp.Navigate(s.ready.URL+path), holds(`document.readyState === "complete"`))
	read(t, ctx, path, chromedp.Evaluate[int](string(axe)+`;0`))
	for _, fault := range read(t, ctx, path, chromedp.Evaluate[[]string](faults, chromedp.EvalAwaitPromise)) {
		t.Errorf("%s in %q: %s", path, lang, fault)
	}
	if got := read(t, ctx, path, chromedp.Evaluate[string](`document.documentElement.lang`)); got != lang {
		t.Errorf("%s says that it is in %q, want %q", path, got, lang)
	}
	if read(t, ctx, path, chromedp.Evaluate[bool](scrollsSideways)) {
		t.Errorf("%s in %q scrolls sideways", path, lang)
	}
}

// visit looks at pages, by name, in light and dark, wide and narrow. A page is loaded once for each
// width, and takes the other theme as it stands: only colours change with the theme.
func visit(t *testing.T, ctx context.Context, s *server, pages map[string]string) {
	axe, err := os.ReadFile(filepath.Join("testdata", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		for _, width := range []int64{1440, 390} {
			do(t, ctx, name, look("light", width), chromedp.Navigate(s.ready.URL+pages[name]),
				holds(`document.readyState === "complete"`))
			read(t, ctx, name, chromedp.Evaluate[int](string(axe)+`;0`))
			for i, theme := range []string{"light", "dark"} {
				shot, ask := fmt.Sprintf("%s-%s-%d", name, theme, width), []string{faults, colourFaults}[i]
				do(t, ctx, shot, look(theme, width), holds(`matchMedia("(prefers-color-scheme: `+theme+`)").matches`))
				for _, fault := range read(t, ctx, shot, chromedp.Evaluate[[]string](ask, chromedp.EvalAwaitPromise)) {
					t.Errorf("%s: %s", shot, fault)
				}
				if read(t, ctx, shot, chromedp.Evaluate[bool](scrollsSideways)) {
					t.Errorf("%s scrolls sideways", shot)
				}
				picture(t, ctx, s, shot)
			}
		}
	}
}

// scrollsSideways is true if the page is wider than the window.
const scrollsSideways = `document.documentElement.scrollWidth > document.documentElement.clientWidth`

// faults asks axe-core what is wrong with the page, a line for each rule. colourFaults asks only
// the rules that look at colours.
const (
	faults       = `axe.run(document, {resultTypes: ["violations"]})` + eachRule
	colourFaults = `axe.run(document, {resultTypes: ["violations"], ` +
		`runOnly: ["color-contrast", "link-in-text-block"]})` + eachRule
	eachRule = `.then(r => r.violations.map(v => v.id + ": " + v.nodes.map(n => n.target.join(" ")).join(", ")))`
)

// look sets width and colour scheme, and stops what moves.
func look(theme string, width int64) step {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: width, Height: 900, DeviceScaleFactor: 1, Mobile: width < 500,
		})
		if err != nil {
			return err
		}
		_, err = cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return err
	})
}

// picture keeps what the page shows.
func picture(t *testing.T, ctx context.Context, _ *server, name string) {
	t.Helper()
	whole, quick := strings.HasSuffix(name, "-390") || strings.HasSuffix(name, "-1440"), true
	png := read(t, ctx, "picture of "+name, func(ctx context.Context, target *chromedp.Target) ([]byte, error) {
		r, err := cdp.Call(ctx, target, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &whole,
			OptimizeForSpeed: &quick})
		if err != nil {
			return nil, err
		}
		return r.Data, nil
	})
	save(t, name+".png", png)
}
