package docs

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"golang.org/x/net/html"

	"carillon/app/deploy"
	"carillon/views"
)

// whole is the documentation as the program has it.
func whole(t *testing.T) *Docs {
	t.Helper()
	d, err := New(Config{API: read(t, "../api/openapi.yaml"), Changelog: string(read(t, "../../CHANGELOG.md")),
		Metrics: deploy.Page([]deploy.Metric{{Name: "carillon_room", Type: "gauge", Help: "Room."}}), BaseURL: "https://ring.example"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// drawn is one page as a tree.
type drawn struct {
	page  views.DocPage
	ids   map[string]bool
	links []string
}

// draw draws every page, by its address.
func draw(t *testing.T, d *Docs) map[string]drawn {
	t.Helper()
	slugs, err := d.Slugs()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]drawn{}
	for _, slug := range slugs {
		p, ok, err := d.Page(slug, Values{})
		if err != nil || !ok {
			t.Fatalf("%s: %v %v", slug, ok, err)
		}
		var out bytes.Buffer
		if err := views.Docs(p).Render(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		root, err := html.Parse(&out)
		if err != nil {
			t.Fatal(err)
		}
		one := drawn{page: p, ids: map[string]bool{}}
		for n := range root.Descendants() {
			for _, a := range n.Attr {
				switch {
				case a.Key == "id" && one.ids[a.Val]:
					t.Errorf("%s: the id %s is there twice", slug, a.Val)
				case a.Key == "id":
					one.ids[a.Val] = true
				case a.Key == "href" && n.Data == "a":
					one.links = append(one.links, a.Val)
				case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
					t.Errorf("%s: the attribute %s would be blocked", slug, a.Key)
				}
			}
		}
		all[views.DocPath(slug)] = one
	}
	return all
}

// elsewhere are addresses that are not part of the documentation but of this server.
var elsewhere = regexp.MustCompile(`^/(static/.*|v1/openapi\.yaml|demo|industries(/.*)?|pricing|security|status|terms|privacy|` +
	`trial|affiliate|signin)?$`)

// TestEveryLinkLeadsToItsPlace holds each link of each page, and each anchor, against the pages.
func TestEveryLinkLeadsToItsPlace(t *testing.T) {
	t.Parallel()
	pages := draw(t, whole(t))
	if len(pages) < 20 {
		t.Fatalf("only %d pages", len(pages))
	}
	console := drawn{}
	for _, g := range views.DeveloperGuides {
		for _, l := range g.Links {
			console.links = append(console.links, l.Href)
		}
	}
	pages[views.PathDevelopers] = console
	for at, p := range pages {
		for _, to := range p.links {
			path, anchor, _ := strings.Cut(to, "#")
			if path == "" {
				path = at
			}
			target, ok := pages[path]
			switch {
			case strings.HasPrefix(path, "https://"), elsewhere.MatchString(path), strings.HasPrefix(path, views.PathDocs+"/download/"),
				path == views.PathDocSearch:
			case !ok:
				t.Errorf("%s: no page %s", at, to)
			case anchor != "" && anchor != "main" && !target.ids[anchor]:
				t.Errorf("%s: no place %s", at, to)
			}
		}
	}
}

// TestPagesHaveTheirNeighbours walks from the first page to the last.
func TestPagesHaveTheirNeighbours(t *testing.T) {
	t.Parallel()
	d := whole(t)
	slugs, err := d.Slugs()
	if err != nil {
		t.Fatal(err)
	}
	for i, slug := range slugs {
		p, _, err := d.Page(slug, Values{})
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && p.Prev.Href != views.DocPath(slugs[i-1]) || i+1 < len(slugs) && p.Next.Href != views.DocPath(slugs[i+1]) {
			t.Errorf("%s lies between %q and %q", slug, p.Prev.Href, p.Next.Href)
		}
		if n := len(p.Summary); n < 40 || n > 170 {
			t.Errorf("%s: a summary of %d characters", slug, n)
		}
		marked := 0
		for _, g := range p.Menu {
			for _, l := range g.Links {
				if l.Current {
					marked++
				}
			}
		}
		if marked != 1 {
			t.Errorf("%s: %d entries of the menu are marked", slug, marked)
		}
	}
	if _, ok, err := d.Page("nothing", Values{}); ok || err != nil {
		t.Errorf("a page that is not there: %v %v", ok, err)
	}
}

// TestValuesAreWritten fills a reader's values into examples, as text.
func TestValuesAreWritten(t *testing.T) {
	t.Parallel()
	d := whole(t)
	p, _, err := d.Page("quickstart", Values{Device: `01936f2a"><script>`})
	if err != nil || !strings.Contains(p.Body, "https://ring.example/v1/rings") ||
		!strings.Contains(p.Body, "01936f2a&#34;&gt;&lt;script&gt;") ||
		strings.Contains(p.Body, "{{") || strings.Contains(p.Body, "<script>") {
		t.Errorf("%v %s", err, p.Body)
	}
}

// TestHTMLInAGuideIsDropped: what a page draws is safe whatever is written in its text.
func TestHTMLInAGuideIsDropped(t *testing.T) {
	t.Parallel()
	text := "a <script>alert(1)</script> [b](javascript:alert(1))\n\n<img onerror=x>\n\n```sh title=\"<b>\"\n<i>\n```\n"
	p, _, err := render(guide{slug: "x", text: text}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "javascript:", "<img", "<b>", "<i>"} {
		if strings.Contains(p.Body, bad) {
			t.Errorf("%s in %s", bad, p.Body)
		}
	}
}

func TestAGuideNeedsFrontMatter(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "# A", "---\ntitle: A\n---\n", "---\ntitle: A\ngroup: B\nsummary: C\ncolour: red\n---\n",
		"---\ntitle: A\ngroup: B\nsummary: C\norder: first\n---\n"} {
		if g, err := parse(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, g)
		}
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a Config without API is taken")
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	d := whole(t)
	for query, want := range map[string]string{
		"Idempotency-Key":          "/docs/errors#idempotency_key",
		"device_disabled":          "/docs/errors#device_disabled",
		"transfer":                 "/docs/calls#transfer",
		"place ring POST /v1/ring": "/docs/api/rings#placeRing",
		"  PIPECAT  ":              "/docs/pipecat",
		"callkit report":           "/docs/ios#report-every-push-to-callkit",

		"How do I rotate the secrets?": "/docs/api/connections#rotateSecret",
		"libraries":                    "/docs/libraries",
		"webhook policies replay":      "/docs/api/connections#replay", // nothing has all three
	} {
		hits, all, err := d.Search(query)
		if all == strings.Contains(query, "policies") {
			t.Errorf("%q: every word was found: %v", query, all)
		}
		if err != nil || !slices.ContainsFunc(hits[:min(len(hits), 3)], func(h views.DocHit) bool { return h.Href == want }) {
			t.Errorf("%q finds %v %+v", query, err, hits[:min(len(hits), 3)])
		}
		if len(hits) > maxHits {
			t.Errorf("%q finds %d", query, len(hits))
		}
		marked := false
		for _, piece := range hits[0].Text {
			marked = marked || piece.Hit
		}
		if !marked && !strings.Contains(strings.ToLower(hits[0].Title), asked(query)[0][0]) {
			t.Errorf("%q marks nothing in %+v", query, hits[0])
		}
	}
	for _, query := range []string{"", "   ", "!!", "nothinglikethis", strings.Repeat("ring ", 1000) + "x",
		"\xff\xfe", strings.Repeat("é", 60)} {
		if hits, _, err := d.Search(query); err != nil || len(hits) > maxHits || strings.Contains(query, "nothing") && len(hits) > 0 {
			t.Errorf("%.20q finds %v %d", query, err, len(hits))
		}
	}
}

// TestExamplesInJSON parses each JSON block of the guides, and holds one with a schema against the
// description of the API.
func TestExamplesInJSON(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData(read(t, "../api/openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := guides(pages)
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, g := range list {
		for _, block := range regexp.MustCompile("(?s)```json([^\n]*)\n(.*?)```").FindAllStringSubmatch(g.text, -1) {
			var value any
			if err := json.Unmarshal([]byte(block[2]), &value); err != nil {
				t.Errorf("%s: %v in %s", g.slug, err, block[2])
				continue
			}
			m := regexp.MustCompile(`schema=(\w+)`).FindStringSubmatch(block[1])
			if m == nil {
				continue
			}
			schema := doc.Components.Schemas[m[1]]
			if schema == nil {
				t.Errorf("%s: no schema %s", g.slug, m[1])
				continue
			}
			checked++
			if err := schema.Value.VisitJSON(value, openapi3.EnableJSONSchema2020()); err != nil {
				t.Errorf("%s: %v", g.slug, err)
			}
		}
	}
	if checked < 6 {
		t.Errorf("only %d blocks are checked", checked)
	}
}

// TestExamplesAreThoseThatRun: a block with from=FILE is a part of that file, which other tests run
// or compile.
func TestExamplesAreThoseThatRun(t *testing.T) {
	t.Parallel()
	list, err := guides(pages)
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, g := range list {
		for _, block := range regexp.MustCompile("(?s)```\\w+ from=(\\S+)[^\n]*\n(.*?)```").FindAllStringSubmatch(g.text, -1) {
			file := string(read(t, "../../"+block[1]))
			outdented := strings.ReplaceAll(file, "\n\t", "\n") // the body of a function in Go
			if !strings.Contains(file, block[2]) && !strings.Contains(outdented, block[2]) {
				t.Errorf("%s: %s does not contain\n%s", g.slug, block[1], block[2])
			}
			compared++
		}
	}
	if compared < 5 {
		t.Errorf("only %d blocks are compared", compared)
	}
}

// TestCodeIsColoured: the text of code stays as it is, with the placeholders in one piece, and a
// language that is not known has no colours.
func TestCodeIsColoured(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ language, code, want string }{
		{"json", `{"id": "{{device}}", "n": 5, "on": true}`, `{<span class="code-word">&#34;id&#34;</span>: ` +
			`<span class="code-string">&#34;{{device}}&#34;</span>, <span class="code-word">&#34;n&#34;</span>: ` +
			`<span class="code-value">5</span>, <span class="code-word">&#34;on&#34;</span>: <span class="code-value">true</span>}`},
		{"go", "// why\nreturn \"<a>\"", `<span class="code-comment">// why</span>` + "\n" + `<span class="code-word">return</span> ` +
			`<span class="code-string">&#34;&lt;a&gt;&#34;</span>`},
		{"nothing", "a < {{bundle}}", "a &lt; {{bundle}}"},
		{"sh", "carillon ring --to {{device}}", "carillon ring --to {{device}}"},
	} {
		if got := coloured(row.language, row.code); got != row.want {
			t.Errorf("%s: %s\nwant %s", row.language, got, row.want)
		}
	}
}

// TestTheReferenceIsColoured: examples of operations and objects have the colours of the guides,
// and text that is no JSON has none.
func TestTheReferenceIsColoured(t *testing.T) {
	t.Parallel()
	pages, _, err := reference(read(t, "../api/openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var all []views.DocExample
	for _, p := range pages {
		for _, o := range p.Operations {
			all = append(all, o.Body.Examples...)
			for _, a := range o.Answers {
				all = append(all, a.Example)
			}
		}
		for _, o := range p.Objects {
			all = append(all, o.Example)
		}
	}
	marked := 0
	for _, x := range all {
		switch {
		case x.Marked == "":
			if json.Valid([]byte(x.Text)) {
				t.Errorf("%s has no colours: %s", x.Name, x.Text)
			}
			continue
		case html.UnescapeString(tagPattern.ReplaceAllString(x.Marked, "")) != x.Text:
			t.Errorf("%s reads %s, and is copied as %s", x.Name, x.Marked, x.Text)
		}
		marked++
	}
	if marked < 80 || marked == len(all) {
		t.Errorf("%d of %d examples have colours", marked, len(all))
	}
}
