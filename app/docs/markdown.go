package docs

import (
	"bytes"
	"context"
	"html"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"carillon/views"
)

// Placeholders in the guides. They are replaced after rendering, so that one rendered page serves
// every reader.
const (
	holdBase   = "{{base}}"
	holdBundle = "{{bundle}}"
	holdDevice = "{{device}}"
)

// fill writes a reader's values into a rendered page.
func fill(page string, v Values) string {
	if v.Bundle == "" {
		v.Bundle = "com.example.app"
	}
	if v.Device == "" {
		v.Device = "DEVICE_ID"
	}
	return strings.NewReplacer(holdBundle, html.EscapeString(v.Bundle), holdDevice, html.EscapeString(v.Device)).Replace(page)
}

// newMarkdown returns the renderer of guides. HTML in the text is dropped, so what comes out is
// safe; code and tables are drawn as in the console.
func newMarkdown() goldmark.Markdown {
	return goldmark.New(
		goldmark.WithExtensions(extension.Table),
		goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithAttribute()),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(drawer{}, 100))),
	)
}

// render turns a guide into a page and the sections that search finds.
func render(g guide, base string) (*views.DocPage, []section, error) {
	source := []byte(strings.ReplaceAll(g.text, holdBase, base))
	md := newMarkdown()
	tree := md.Parser().Parse(text.NewReader(source))
	p := &views.DocPage{Slug: g.slug, Title: g.title, Group: g.group, Summary: g.summary}
	here := section{page: g.title, title: g.title, href: views.DocPath(g.slug), text: g.summary, top: true}
	var found []section
	for n := tree.FirstChild(); n != nil; n = n.NextSibling() {
		h, ok := n.(*ast.Heading)
		if list, _ := n.(*ast.List); list != nil && g.slug == changelog { // a section would have every word
			for item := list.FirstChild(); item != nil; item = item.NextSibling() {
				found = append(found, section{page: g.title, title: here.title, href: here.href, text: plain(item, source)})
			}
			continue
		}
		if !ok {
			here.text += " " + plain(n, source)
			continue
		}
		here.text = fill(here.text, Values{})
		found = append(found, here)
		id, _ := h.AttributeString("id")
		name, _ := id.([]byte)
		here = section{page: g.title, title: plain(h, source), href: views.DocPath(g.slug) + "#" + string(name)}
		if h.Level == 2 {
			p.Headings = append(p.Headings, views.Link{Text: here.title, Href: "#" + string(name)})
		}
	}
	var out bytes.Buffer
	if err := md.Renderer().Render(&out, source, tree); err != nil {
		return nil, nil, err
	}
	p.Body, here.text = out.String(), fill(here.text, Values{})
	return p, append(found, here), nil
}

// inline renders a few words of Markdown, such as a description in openapi.yaml.
func inline(words string) string {
	var out bytes.Buffer
	if err := newMarkdown().Convert([]byte(words), &out); err != nil {
		return html.EscapeString(words)
	}
	return out.String()
}

// plain is the text of a node without its marks.
func plain(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, enter bool) (ast.WalkStatus, error) { // the function returns no error
		switch n := n.(type) {
		case *ast.Text:
			if enter {
				b.Write(n.Segment.Value(source))
				if n.SoftLineBreak() {
					b.WriteByte(' ')
				}
			}
		case *ast.FencedCodeBlock:
			if enter {
				b.WriteString(lines(n, source))
			}
		}
		if !enter && n.Type() == ast.TypeBlock || !enter && n.Kind() == east.KindTableCell {
			b.WriteByte(' ')
		}
		return ast.WalkContinue, nil
	})
	return strings.TrimSpace(b.String())
}

func lines(n ast.Node, source []byte) string {
	var b strings.Builder
	for i := range n.Lines().Len() {
		part := n.Lines().At(i)
		b.Write(part.Value(source))
	}
	return b.String()
}

// drawer draws what differs from plain HTML: headings with a link to themselves, code with a button
// that copies it, and tables that scroll by themselves.
type drawer struct{}

// RegisterFuncs implements renderer.NodeRenderer.
func (d drawer) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindHeading, d.heading)
	r.Register(ast.KindFencedCodeBlock, d.code)
	r.Register(east.KindTable, d.table)
	r.Register(east.KindTableCell, d.cell)
}

func (drawer) heading(w util.BufWriter, _ []byte, n ast.Node, enter bool) (ast.WalkStatus, error) {
	tag := "h" + string(rune('0'+n.(*ast.Heading).Level))
	id, _ := n.AttributeString("id")
	name, _ := id.([]byte)
	if enter {
		_, _ = w.WriteString("<" + tag + ` id="` + html.EscapeString(string(name)) + `">`) // the flush reports it
		return ast.WalkContinue, nil
	}
	_, _ = w.WriteString(` <a class="docs-anchor" href="#` + html.EscapeString(string(name)) +
		`" aria-label="Link to this section">#</a></` + tag + ">\n")
	return ast.WalkContinue, nil
}

// titles name code by its language.
var titles = map[string]string{"sh": "Terminal", "json": "JSON", "go": "Go", "ts": "TypeScript", "python": "Python", "swift": "Swift",
	"dart": "Dart", "tsx": "React Native", "yaml": "YAML", "http": "HTTP", "text": "Text", "sdp": "SDP", "ini": "Settings",
	"objc": "Objective-C", "kotlin": "Kotlin", "toml": "TOML", "js": "JavaScript"}

// code draws a fenced block. Its first word is the language; title="…" names it.
func (drawer) code(w util.BufWriter, source []byte, n ast.Node, enter bool) (ast.WalkStatus, error) {
	if !enter {
		return ast.WalkContinue, nil
	}
	block := n.(*ast.FencedCodeBlock)
	title := titles[string(block.Language(source))]
	if block.Info != nil {
		if _, rest, ok := strings.Cut(string(block.Info.Segment.Value(source)), `title="`); ok {
			title, _, _ = strings.Cut(rest, `"`)
		}
	}
	if title == "" {
		title = "Example"
	}
	text := strings.TrimRight(lines(n, source), "\n")
	return ast.WalkContinue, views.CodeOf(title, text, coloured(string(block.Language(source)), text)).Render(context.Background(), w)
}

// cell names its column where a table has more than two: on a phone each row is a block, without
// the heads of the columns.
func (drawer) cell(w util.BufWriter, source []byte, n ast.Node, enter bool) (ast.WalkStatus, error) {
	tag, row := "td", n.Parent()
	if row.Kind() == east.KindTableHeader {
		tag = "th"
	}
	if !enter {
		_, _ = w.WriteString("</" + tag + ">\n") // the flush reports it
		return ast.WalkContinue, nil
	}
	_, _ = w.WriteString("<" + tag)
	if tag == "td" && row.ChildCount() > 2 && n.PreviousSibling() != nil {
		head := row.Parent().FirstChild().FirstChild()
		for before := n.PreviousSibling(); before != nil; before = before.PreviousSibling() {
			head = head.NextSibling()
		}
		_, _ = w.WriteString(` data-head="` + html.EscapeString(plain(head, source)) + `"`)
	}
	_, _ = w.WriteString(">")
	return ast.WalkContinue, nil
}

func (drawer) table(w util.BufWriter, _ []byte, _ ast.Node, enter bool) (ast.WalkStatus, error) {
	if enter {
		_, _ = w.WriteString(`<div class="docs-table" tabindex="0" role="group" aria-label="Table"><table class="table">` + "\n")
	} else {
		_, _ = w.WriteString("</table></div>\n")
	}
	return ast.WalkContinue, nil
}
