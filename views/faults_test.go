package views

import (
	"bytes"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"golang.org/x/net/html"
)

// draw renders a page and reads it back as a tree.
func draw(t *testing.T, c templ.Component) (*html.Node, []byte) {
	t.Helper()
	var page bytes.Buffer
	if err := c.Render(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	tree, err := html.Parse(bytes.NewReader(page.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return tree, page.Bytes()
}

// each calls fn for every element, in document order.
func each(n *html.Node, fn func(*html.Node)) {
	if n.Type == html.ElementNode {
		fn(n)
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		each(c, fn)
	}
}

func attr(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func text(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		b.WriteString(text(c))
	}
	return strings.TrimSpace(b.String())
}

// inside tells whether n lies in an element of that name.
func inside(n *html.Node, name string) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		if p.Data == name {
			return true
		}
	}
	return false
}

// faults lists what a page does wrong: inline style or script, a field without a label, an id
// twice, a reference to nothing, a heading level left out, a time without its machine form, a
// button without a name.
func faults(tree *html.Node) []string {
	var out []string
	say := func(what string, n *html.Node) {
		var b bytes.Buffer
		_ = html.Render(&b, n)
		out = append(out, what+": "+b.String()[:min(160, b.Len())])
	}
	ids, labels := map[string]int{}, map[string]bool{}
	each(tree, func(n *html.Node) {
		if id, ok := attr(n, "id"); ok {
			ids[id]++
			if ids[id] > 1 {
				say("id twice", n)
			}
		}
		if target, ok := attr(n, "for"); ok && n.Data == "label" {
			labels[target] = true
		}
	})
	level := 0
	each(tree, func(n *html.Node) {
		policy(n, say)
		names(n, ids, labels, say)
		if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' && !inside(n, "dialog") {
			now := int(n.Data[1] - '0')
			if now > level+1 {
				say("heading level left out", n)
			}
			level = now
		}
	})
	return out
}

// described tells of a block of data that is never run: what search engines read.
func described(n *html.Node) bool {
	kind, _ := attr(n, "type")
	return kind == "application/ld+json"
}

// addresses tells of a link that says an address and loads nothing.
func addresses(n *html.Node) bool {
	rel, _ := attr(n, "rel")
	return n.Data == "link" && rel == "canonical"
}

// policy holds a page to the content security policy: nothing inline, nothing from elsewhere.
func policy(n *html.Node, say func(string, *html.Node)) {
	for _, a := range n.Attr {
		if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
			say("inline "+a.Key, n)
		}
		if n.Data == "audio" && strings.HasPrefix(a.Val, PathRings+"/") { // a recording
			continue
		}
		if (a.Key == "src" || n.Data == "link" && a.Key == "href") && !addresses(n) && !strings.HasPrefix(a.Val, "/static/") {
			say("not from this server", n)
		}
	}
	if n.Data == "style" || n.Data == "script" && n.FirstChild != nil && !described(n) {
		say("inline "+n.Data, n)
	}
}

// names checks that whatever a person works with has a name, and that references lead somewhere.
func names(n *html.Node, ids map[string]int, labels map[string]bool, say func(string, *html.Node)) {
	id, _ := attr(n, "id")
	label, labelled := attr(n, "aria-label")
	kind, _ := attr(n, "type")
	switch n.Data {
	case "input", "select", "textarea":
		if kind != "hidden" && !labels[id] && !labelled && !inside(n, "label") {
			say("field without a label", n)
		}
	case "button", "a":
		if text(n) == "" && label == "" && !named(n) {
			say("no name", n)
		}
	case "time":
		_, hasTime := attr(n, "datetime")
		if _, filled := attr(n, "data-timer"); !hasTime && !filled {
			say("time without datetime", n)
		}
	}
	for _, ref := range []string{"aria-describedby", "aria-labelledby", "data-open", "for"} {
		value, _ := attr(n, ref)
		for _, target := range strings.Fields(value) {
			if ids[target] == 0 {
				say(ref+" leads nowhere", n)
			}
		}
	}
}

// named finds an image with a text inside.
func named(n *html.Node) bool {
	found := false
	each(n, func(c *html.Node) {
		if alt, ok := attr(c, "alt"); ok && alt != "" {
			found = true
		}
	})
	return found
}

// TestFaultsAreFound keeps the checker honest.
func TestFaultsAreFound(t *testing.T) {
	t.Parallel()
	for name, page := range map[string]string{
		"style":   `<p style="color:red">x</p>`,
		"script":  `<script>alert(1)</script>`,
		"handler": `<p onclick="x()">x</p>`,
		"foreign": `<img src="https://example.com/x.png" alt="">`,
		"label":   `<input name="q">`,
		"id":      `<p id="a">x</p><p id="a">y</p>`,
		"heading": `<h1>a</h1><h3>b</h3>`,
		"button":  `<button><svg></svg></button>`,
		"ref":     `<p aria-describedby="gone">x</p>`,
		"time":    `<time>now</time>`,
	} {
		tree, err := html.Parse(strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		if len(faults(tree)) == 0 {
			t.Errorf("%s was not found", name)
		}
	}
}
