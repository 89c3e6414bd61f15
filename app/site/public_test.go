package site

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"carillon/app/page"
	"carillon/app/page/pagetest"
	"carillon/app/push"
	"carillon/static"
	"carillon/tenants"
	"carillon/tenants/store"
)

// nodes calls fn for every element, in document order.
func nodes(n *html.Node, fn func(n *html.Node, attr map[string]string)) {
	if n.Type == html.ElementNode {
		attr := map[string]string{}
		for _, a := range n.Attr {
			attr[a.Key] = a.Val
		}
		fn(n, attr)
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		nodes(c, fn)
	}
}

func packed(t *testing.T, text string) int {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	pagetest.Must(t, err)
	pagetest.Must(t, w.Close())
	return b.Len()
}

// TestTheFrontDoorIsWhole crawls every link from the front page, signed out: each resolves, each
// page has its own title and description, nothing inline, and weighs less than 100 kB with all that
// it loads.
func TestTheFrontDoorIsWhole(t *testing.T) {
	t.Parallel()
	h := open(t)
	w := h.Browser()
	seen, queue, titles := map[string]bool{"/": true}, []string{"/"}, map[string]string{}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		res := w.Get(at)
		if at == "/v1/openapi.yaml" { // mounted by another package
			continue
		}
		if res.StatusCode != 200 {
			t.Errorf("%s: %d", at, res.StatusCode)
			continue
		}
		if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
			continue
		}
		tree, err := html.Parse(strings.NewReader(res.Body))
		pagetest.Must(t, err)
		for _, to := range h.page(t, at, tree, packed(t, res.Body), titles) {
			if !seen[to] {
				seen[to] = true
				queue = append(queue, to)
			}
		}
	}
	for _, want := range []string{"/pricing", "/industries/behavioral-health", "/security", "/docs", "/status", "/terms", "/privacy",
		"/demo", "/trial", "/signin"} {
		if !seen[want] {
			t.Errorf("nothing on the front leads to %s", want)
		}
	}
}

// page looks at one page and gives what it links to.
func (h *server) page(t *testing.T, at string, tree *html.Node, weight int, titles map[string]string) (links []string) {
	title, description := "", ""
	nodes(tree, func(n *html.Node, attr map[string]string) {
		switch {
		case n.Data == "title":
			title = n.FirstChild.Data
		case n.Data == "meta" && attr["name"] == "description":
			description = attr["content"]
		case n.Data == "style", n.Data == "script" && n.FirstChild != nil && attr["type"] != "application/ld+json", attr["style"] != "",
			attr["onclick"] != "":
			t.Errorf("%s: inline %s", at, n.Data)
		case n.Data == "script" && attr["src"] != "" && attr["defer"] == "" && !has(n, "defer"):
			t.Errorf("%s: a script that holds up the page", at)
		}
		file := attr["src"]
		switch {
		case n.Data == "link" && attr["rel"] == "canonical":
			if attr["href"] != "http://127.0.0.1"+at {
				t.Errorf("%s: calls itself %s", at, attr["href"])
			}
		case n.Data == "link":
			file = attr["href"]
		case n.Data == "meta" && attr["property"] == "og:image":
			if _, ok := static.Open(strings.TrimPrefix(attr["content"], "http://127.0.0.1"+static.Prefix), ""); !ok {
				t.Errorf("%s: no picture at %s", at, attr["content"])
			}
		}
		if file != "" {
			a, ok := static.Open(strings.TrimPrefix(file, static.Prefix), "br") // as browsers ask
			if !ok {
				t.Errorf("%s: no file %s", at, file)
			}
			weight += len(a.Content)
		}
		if to := attr["href"]; n.Data == "a" && strings.HasPrefix(to, "/") {
			u, err := url.Parse(to)
			pagetest.Must(t, err)
			links = append(links, u.Path)
		}
	})
	if other := titles[title]; title == "" || other != "" {
		t.Errorf("%s has the title %q of %s", at, title, other)
	}
	titles[title] = at
	if n := len(description); at != "/signin" && at != "/forgot" && at != "/pair" && (n < 40 || n > 170) {
		t.Errorf("%s: a description of %d characters", at, n)
	}
	if icons, ok := static.Open(strings.TrimPrefix(static.Path("icons.svg"), static.Prefix), "br"); ok { // what <use> asks for
		weight += len(icons.Content)
	}
	t.Logf("%s weighs %d bytes", at, weight)
	if weight > 100_000 {
		t.Errorf("%s weighs %d bytes, which is more than 100 kB", at, weight)
	}
	return links
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func TestIndustriesSayTheirPolicy(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, i := range tenants.BuiltinIndustries().List() {
		res := h.Browser().Get("/industries/"+string(i.Slug)).Want(200).Has(i.Name, "&#34;call_id&#34;")
		if named := strings.Contains(res.Body, "&#34;from&#34;"); named == i.Rules.With(nil).Opaque() {
			t.Errorf("%s: its page says %v of the caller in the push", i.Slug, named)
		}
	}
	h.Browser().Get("/industries/mining").Want(404)
}

func TestPricesAreThoseOfThePlansFile(t *testing.T) {
	t.Parallel()
	h := open(t)
	res := h.Browser().Get("/pricing").Want(200).Has("$149", "$1,490", "$499", "$1,499", "$14,990", "2 months free", "14 days",
		"does not take payments", "500,000", "Unlimited")
	for _, p := range h.Store.Plans().Plans {
		res.Has(p.Name)
	}
	spanish := h.Browser()
	spanish.Headers = map[string]string{"Accept-Language": "es-US"}
	spanish.Get("/pricing").Want(200).Has("$1,490</strong> al año, 2 meses gratis").Lacks("a year")
}

func TestStatusTellsWhatFails(t *testing.T) {
	t.Parallel()
	h := openAs(t, "http://127.0.0.1", func(h *server, c *Config) {
		c.Parts = append(c.Parts, Part{"Voice", "Carries calls.", func(context.Context) error { return errors.New("stop") }})
	})
	h.Browser().Get("/status").Want(200).Has("1 part is not available", "Operational", "Not available").Lacks("stop")
}

func TestSitemapAndRobots(t *testing.T) {
	t.Parallel()
	h := openAt(t, "https://ring.example")
	var list struct {
		URLs []struct {
			Loc string `xml:"loc"`
		} `xml:"url"`
	}
	pagetest.Must(t, xml.Unmarshal([]byte(h.Browser().Get("/sitemap.xml").Want(200).Body), &list))
	if len(list.URLs) < 16 {
		t.Errorf("%d addresses", len(list.URLs))
	}
	for _, u := range list.URLs {
		path, ok := strings.CutPrefix(u.Loc, "https://ring.example")
		if !ok {
			t.Errorf("%s is not ours", u.Loc)
		}
		h.Browser().Get(path).Want(200).Has(`content="` + u.Loc + `"`)
	}
	h.Browser().Get("/robots.txt").Want(200).Has("Disallow: /v1/", "Sitemap: https://ring.example/sitemap.xml")
}

func TestUnknownAddressLeadsHome(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.Browser().Get("/nothing-here").Want(404).Has(`href="/"`)
}

// TestTheFrontPageForPrograms: its description for programs can be read, and holds nothing that
// would leave the script.
func TestTheFrontPageForPrograms(t *testing.T) {
	t.Parallel()
	_, after, found := strings.Cut(open(t).Browser().Get("/").Want(200).Body, `type="application/ld+json">`)
	text, _, closed := strings.Cut(after, "</script>")
	var about map[string]string
	if err := json.Unmarshal([]byte(text), &about); !found || !closed || err != nil || about["name"] != "Carillon" ||
		about["url"] != "http://127.0.0.1/" {
		t.Errorf("%v %v %v: %s", found, closed, err, text)
	}
}

// TestThePrivacyPageNamesEveryCookie: the names are those that the code sets.
func TestThePrivacyPageNamesEveryCookie(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, name := range []string{page.ThemeCookie, page.FlashCookie, viaCookie, signupCookie, "carillon", "carillon-known",
		"carillon-partner", "carillon-half", "carillon-passkey", "carillon-oidc", "carillon-look", "checklist"} {
		h.Browser().Get("/privacy").Want(200).Has("“" + name + "”")
	}
}

// TestThePrivacyPageSaysHowLongRingsAreKept: the same numbers as the loop that removes them.
func TestThePrivacyPageSaysHowLongRingsAreKept(t *testing.T) {
	t.Parallel()
	h := open(t)
	page := h.Browser().Get("/privacy").Want(200)
	for _, d := range []time.Duration{store.RingsKept, store.TalliesKept} {
		page.Has(fmt.Sprintf(" %d days", d/(24*time.Hour)))
	}
	page.Has(fmt.Sprintf("the latest %d requests are kept with their IP addresses, for 90 days at first, and never for more than 400.",
		tenants.KeyRequestsKept))
	page.Has("The audit log is deleted after the period that the organisation chooses: six years at first, and never less than one year.")
	for _, f := range h.Store.Industries().List() {
		if kept := f.Rules.Retention[tenants.DataAudits]; kept.Days != 2192 || kept.Least < 365 {
			t.Errorf("%s keeps the audit log for %d days, and at least %d: the privacy page says otherwise", f.Slug, kept.Days, kept.Least)
		}
		if kept := f.Rules.Retention[tenants.DataRequests]; kept.Days != 90 || kept.Most != 400 {
			t.Errorf("%s keeps requests of keys for %d days, and at most %d: the privacy page says otherwise", f.Slug, kept.Days, kept.Most)
		}
	}
}

// TestTheSecurityPageNamesEveryFieldOfAPush, with each library's names: a buyer compares the two.
func TestTheSecurityPageNamesEveryFieldOfAPush(t *testing.T) {
	t.Parallel()
	page := open(t).Browser().Get("/security").Want(200)
	now := time.Unix(1795510200, 0)
	for _, profile := range tenants.PayloadProfiles {
		body, err := push.PayloadFor(profile, "019ab2f4-6c1e-7d3a-9f24-1b7f0c9de210", now, now.Add(time.Minute), "Mirabelle")
		pagetest.Must(t, err)
		var fields map[string]any
		pagetest.Must(t, json.Unmarshal(body, &fields))
		_, said, _ := strings.Cut(page.Body, "Only IDs, times and a label")
		said, _, _ = strings.Cut(said, "</dd>")
		words := strings.FieldsFunc(said, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) })
		for name := range fields {
			if !slices.Contains(words, name) {
				t.Errorf("a push for %s has the field %s, and the page does not name it", profile, name)
			}
		}
	}
}

// TestTheFrontPageNamesTheKindsOfAgents that work.
func TestTheFrontPageNamesTheKindsOfAgents(t *testing.T) {
	t.Parallel()
	page := open(t).Browser().Get("/").Want(200)
	said := map[tenants.AgentKind]string{tenants.Builtin: "built-in agent", tenants.Stream: "WebSocket", tenants.WebRTC: "WebRTC",
		tenants.OpenAI: "OpenAI", tenants.Pipecat: "pipecat"}
	for _, kind := range tenants.AgentKinds {
		if said[kind] == "" {
			t.Errorf("the front page does not name agents of the kind %s", kind)
		}
		page.Has(said[kind])
	}
}

// TestLibrariesAreDownloaded: with an ETag, and only those that there are.
func TestLibrariesAreDownloaded(t *testing.T) {
	t.Parallel()
	w := open(t).Browser()
	got := w.Get("/docs/download/swift.zip").Want(200)
	if kind := got.Header.Get("Content-Type"); kind != "application/zip" || !strings.HasPrefix(got.Body, "PK") {
		t.Errorf("%s, %d bytes", kind, len(got.Body))
	}
	for _, no := range []string{"swift", "other.zip", "..zip", "swift.zip.zip"} {
		w.Get("/docs/download/" + no).Want(404)
	}
}
