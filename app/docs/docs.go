// Package docs is the documentation site: guides written in Markdown, the reference of the API
// drawn from openapi.yaml, the table of error codes, and the search over all of them.
//
// It turns text into the structs that package views draws. It serves no address and knows nothing
// of HTTP or tenants: package site does. Start reading at New, then markdown.go.
package docs

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"

	"carillon/views"
)

// Home is the slug of the first page.
const Home = "overview"

// changelog is the slug of the page of changes.
const changelog = "changelog"

//go:embed pages/*.md
var pages embed.FS

// Config is what the site is made of, beside the guides in this package.
type Config struct {
	API       []byte // openapi.yaml; required
	Changelog string // CHANGELOG.md; empty = there is no page about changes
	Metrics   string // Markdown about the metrics and alerts; empty = there is no such page
	BaseURL   string // scheme and host of this server, shown in examples
}

// Docs is the documentation of this server. It is rendered when somebody first asks for a page.
type Docs struct {
	library func() (*library, error)
}

// New returns the documentation. It refuses a Config without API. Mistakes in the texts come out
// when the first page is asked for; tests read all pages.
func New(c Config) (*Docs, error) {
	if len(c.API) == 0 {
		return nil, errors.New("docs: API is required")
	}
	return &Docs{sync.OnceValues(func() (*library, error) { return open(c) })}, nil
}

// library is everything rendered.
type library struct {
	order    []*views.DocPage
	bySlug   map[string]*views.DocPage
	sections []section // what search finds
}

// guide is a page of Markdown with its front matter.
type guide struct {
	slug, title, group, summary string
	order                       int
	text                        string
}

// The groups of the menu, in order.
var groups = []string{"Start", "Agents", "Phones", "Integrations", "Operations", "Reference"}

func open(c Config) (*library, error) {
	l := &library{bySlug: map[string]*views.DocPage{}}
	list, err := guides(pages)
	if err != nil {
		return nil, err
	}
	if c.Changelog != "" {
		list = append(list, guide{slug: changelog, title: "Changelog", group: "Reference", order: 90,
			summary: "What changed in Carillon, with the newest first.", text: changes(c.Changelog)})
	}
	if c.Metrics != "" {
		list = append(list, guide{slug: "metrics", title: "Metrics and alerts", group: "Operations", order: 20,
			summary: "What the server measures, and what to do when an alert fires.", text: c.Metrics})
	}
	type entry struct {
		order int
		page  *views.DocPage
	}
	var all []entry
	for _, g := range list {
		g.text = scaled(g.text)
		p, found, err := render(g, c.BaseURL)
		if err != nil {
			return nil, fmt.Errorf("docs: %s: %w", g.slug, err)
		}
		all, l.sections = append(all, entry{g.order, p}), append(l.sections, found...)
	}
	reference, found, err := reference(c.API)
	if err != nil {
		return nil, fmt.Errorf("docs: %w", err)
	}
	for i, p := range reference {
		all = append(all, entry{i, p})
	}
	l.sections = append(l.sections, found...)
	errorsPage, found := problemsPage()
	all, l.sections = append(all, entry{80, errorsPage}), append(l.sections, found...)
	for i := range l.sections {
		l.sections[i].index()
	}
	slices.SortStableFunc(all, func(a, b entry) int {
		return cmp.Or(cmp.Compare(slices.Index(groups, a.page.Group), slices.Index(groups, b.page.Group)), cmp.Compare(a.order, b.order))
	})
	for _, e := range all {
		if l.bySlug[e.page.Slug] != nil || !slices.Contains(groups, e.page.Group) {
			return nil, fmt.Errorf("docs: %s is there twice, or its group %q is unknown", e.page.Slug, e.page.Group)
		}
		l.order, l.bySlug[e.page.Slug] = append(l.order, e.page), e.page
	}
	return l, nil
}

// changes is the changelog without its title and its words about the form.
func changes(text string) string {
	if i := strings.Index(text, "\n## "); i >= 0 {
		return text[i+1:]
	}
	return text
}

// guides reads all Markdown files.
func guides(files fs.FS) ([]guide, error) {
	names, err := fs.Glob(files, "pages/*.md")
	if err != nil {
		return nil, err
	}
	var list []guide
	for _, name := range names {
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		g, err := parse(string(body))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		g.slug = strings.TrimSuffix(strings.TrimPrefix(name, "pages/"), ".md")
		list = append(list, g)
	}
	return list, nil
}

// parse reads the front matter: lines of "key: value" between two lines of "---".
func parse(body string) (g guide, err error) {
	head, text, ok := strings.Cut(strings.TrimPrefix(body, "---\n"), "\n---\n")
	if !ok || !strings.HasPrefix(body, "---\n") {
		return g, errors.New("the file has no front matter")
	}
	g.text = text
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "title":
			g.title = value
		case "group":
			g.group = value
		case "summary":
			g.summary = value
		case "order":
			if g.order, err = strconv.Atoi(value); err != nil {
				return g, err
			}
		default:
			return g, fmt.Errorf("unknown key %q", key)
		}
	}
	if g.title == "" || g.group == "" || g.summary == "" {
		return g, errors.New("title, group and summary are required")
	}
	return g, nil
}

// Values are a reader's own values in examples.
type Values struct {
	Bundle string // of their app; empty = an example
	Device string // id of one of their devices; empty = an example
}

// Page returns the page of a slug, such as "webhooks" or "api/rings", with menu and neighbours, and
// without the Front. ok is false if there is none.
func (d *Docs) Page(slug string, v Values) (p views.DocPage, ok bool, err error) {
	l, err := d.library()
	if err != nil {
		return p, false, err
	}
	i := slices.IndexFunc(l.order, func(p *views.DocPage) bool { return p.Slug == slug })
	if i < 0 {
		return p, false, nil
	}
	p = *l.order[i]
	p.Body = fill(p.Body, v)
	p.Menu = l.menu(slug)
	if i > 0 {
		p.Prev = link(l.order[i-1])
	}
	if i+1 < len(l.order) {
		p.Next = link(l.order[i+1])
	}
	return p, true, nil
}

// Slugs lists all pages in the order of the menu.
func (d *Docs) Slugs() ([]string, error) {
	l, err := d.library()
	if err != nil {
		return nil, err
	}
	var list []string
	for _, p := range l.order {
		list = append(list, p.Slug)
	}
	return list, nil
}

// Menu lists the groups of pages, with none marked.
func (d *Docs) Menu() ([]views.DocGroup, error) {
	l, err := d.library()
	if err != nil {
		return nil, err
	}
	return l.menu(""), nil
}

func (l *library) menu(current string) []views.DocGroup {
	var menu []views.DocGroup
	for _, p := range l.order {
		if len(menu) == 0 || menu[len(menu)-1].Title != p.Group {
			menu = append(menu, views.DocGroup{Title: p.Group})
		}
		g := &menu[len(menu)-1]
		g.Links = append(g.Links, views.DocLink{Link: link(p), Current: p.Slug == current})
	}
	return menu
}

func link(p *views.DocPage) views.Link {
	return views.Link{Text: p.Title, Href: views.DocPath(p.Slug), Hint: p.Summary}
}
