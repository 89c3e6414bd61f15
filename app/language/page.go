package language

import (
	"bytes"
	"html"
	"strconv"
	"strings"
	"unicode"

	tokens "golang.org/x/net/html"
)

// within lists the elements that are part of a sentence. All others begin and end a block.
var within = map[string]bool{
	"a": true, "abbr": true, "b": true, "bdi": true, "cite": true, "del": true, "dfn": true, "em": true, "i": true, "ins": true,
	"mark": true, "q": true, "s": true, "small": true, "span": true, "strong": true, "sub": true, "sup": true, "u": true, "var": true,
}

// kept lists the elements whose content is no prose: they are kept as they are. Those that are
// false stand beside a sentence where they are at its edge.
var kept = map[string]bool{
	"code": true, "kbd": true, "samp": true, "time": true,
	"svg": false, "pre": false, "script": false, "style": false, "textarea": false, "iframe": false,
}

// void lists the elements without content that stand within a sentence.
var void = map[string]bool{"br": true, "img": true, "input": true, "wbr": true}

// spoken lists the attributes that people read or hear. The value of an input is only said where it
// is a button, and the content of a meta where it describes the page.
var spoken = map[string]bool{
	"alt": true, "aria-label": true, "aria-description": true, "aria-roledescription": true, "aria-valuetext": true, "content": true,
	"data-head": true, "data-drawer-title": true, "label": true, "placeholder": true, "title": true, "value": true,
}

// described lists the names of meta elements that say something to people.
var described = map[string]bool{
	"description": true, "og:title": true, "og:description": true, "og:image:alt": true, "twitter:title": true, "twitter:description": true,
}

// node is a part of a block: text, or an element with its content.
type node struct {
	text string // unescaped
	raw  []byte // as it stands in the page: text, an element that is kept, or the start of one
	end  []byte // of an element with content; nil until it is closed
	kids []*node

	element bool
	whole   bool // kept as it is
	inside  bool // belongs to the sentence also at its edge
}

// writer writes one page.
type writer struct {
	c     *Catalogue
	out   bytes.Buffer
	block []*node        // since the last edge of a block
	open  []*node        // elements within it that are not closed
	miss  func(s string) // gets what no entry matches; nil = nobody wants it
}

// Page translates a page, or a part of one. What no entry matches stays as it is.
func (c *Catalogue) Page(page []byte) []byte {
	w := writer{c: c}
	w.out.Grow(len(page) + len(page)/8)
	w.page(page)
	return w.out.Bytes()
}

// Untranslated lists the blocks of a page that no entry matches, as keys.
func (c *Catalogue) Untranslated(page []byte) []string {
	var list []string
	w := writer{c: c, miss: func(s string) { list = append(list, s) }}
	w.page(page)
	return list
}

func (w *writer) page(page []byte) {
	z := tokens.NewTokenizer(bytes.NewReader(page))
	for {
		switch kind := z.Next(); kind {
		case tokens.ErrorToken:
			w.edge(z.Raw()) // the beginning of a tag
			return
		case tokens.TextToken:
			w.push(&node{text: html.UnescapeString(string(z.Raw())), raw: bytes.Clone(z.Raw())})
		case tokens.StartTagToken, tokens.SelfClosingTagToken:
			w.start(z, kind == tokens.SelfClosingTagToken)
		case tokens.EndTagToken:
			raw := bytes.Clone(z.Raw())
			name, _ := z.TagName()
			w.close(string(name), raw)
		default: // comments and the doctype
			w.edge(bytes.Clone(z.Raw()))
		}
	}
}

// push adds to the innermost open element of the block.
func (w *writer) push(n *node) {
	if len(w.open) > 0 {
		top := w.open[len(w.open)-1]
		top.kids = append(top.kids, n)
		return
	}
	w.block = append(w.block, n)
}

// edge ends a block and writes what ended it.
func (w *writer) edge(raw []byte) {
	w.flush()
	w.out.Write(raw)
}

func (w *writer) start(z *tokens.Tokenizer, closed bool) {
	t := tag{raw: bytes.Clone(z.Raw())}
	t.read(z)
	belongs, keep := kept[t.name]
	closed = closed && t.name != "script"
	switch {
	case t.name == "noscript":
		w.edge(t.raw)
		if z.Next() == tokens.TextToken { // the tokenizer reads no tags in it
			inner := writer{c: w.c, miss: w.miss}
			inner.page(bytes.Clone(z.Raw()))
			w.out.Write(inner.out.Bytes())
		} else {
			w.out.Write(z.Raw())
		}
	case t.untranslated && !closed && !void[t.name] && !empty[t.name]:
		inside := within[t.name] || belongs
		w.keep(z, &t, inside, inside)
	case keep && !closed:
		w.keep(z, &t, belongs, belongs || t.name == "svg")
	case keep, void[t.name]:
		w.push(&node{raw: w.attributes(&t), element: true, whole: true})
	case within[t.name] && !closed:
		n := &node{raw: w.attributes(&t), element: true, inside: t.name != "span" && t.name != "small"}
		w.push(n)
		w.open = append(w.open, n)
	default:
		w.edge(w.attributes(&t))
	}
}

// empty lists the elements that end where they begin and that are no part of a sentence.
var empty = map[string]bool{"area": true, "base": true, "col": true, "hr": true, "link": true, "meta": true, "source": true, "track": true}

// keep copies an element up to its end. A moment is written as the language writes it, also in a
// drawing, and what the parts of a drawing say when they are pointed at is translated.
func (w *writer) keep(z *tokens.Tokenizer, t *tag, inside, flows bool) {
	name, titled, dated := t.name, false, false
	raw := bytes.Clone(w.attributes(t))
	for depth := 1; depth > 0; {
		kind := z.Next()
		part := z.Raw()
		if kind == tokens.ErrorToken {
			raw = append(raw, part...)
			break
		}
		switch kind {
		case tokens.StartTagToken:
			part = bytes.Clone(part)
			got, _ := z.TagName()
			if string(got) == name && !void[name] && !empty[name] {
				depth++
			}
			titled = name == "svg" && string(got) == "title" && !t.untranslated
			dated = name == "svg" && string(got) == "text" && !t.untranslated
		case tokens.EndTagToken:
			part = bytes.Clone(part)
			if got, _ := z.TagName(); string(got) == name {
				depth--
			}
		case tokens.TextToken:
			if name == "time" || dated {
				if said, ok := w.c.words.moment(string(part)); ok {
					part = []byte(said)
				}
			}
			if text := html.UnescapeString(string(part)); titled {
				if said, _ := w.plain(text); said != text {
					part = []byte(html.EscapeString(said))
				}
			}
		}
		raw = append(raw, part...)
	}
	n := &node{raw: raw, element: true, whole: true, inside: inside}
	if flows {
		w.push(n)
		return
	}
	w.edge(raw)
}

func (w *writer) close(name string, raw []byte) {
	if within[name] && len(w.open) > 0 {
		last := len(w.open) - 1
		w.open[last].end, w.open = raw, w.open[:last]
		return
	}
	if void[name] {
		w.push(&node{raw: raw, element: true, whole: true})
		return
	}
	w.edge(raw)
}

// flush writes the block that ends here. An element that is still open, as a link around a
// paragraph is, begins outside of the blocks in it.
func (w *writer) flush() {
	list := w.block
	w.block, w.open = nil, nil
	w.run(list)
}

// run writes a list of nodes, as one sentence if it is one.
func (w *writer) run(list []*node) {
	for len(list) > 0 && list[0].beside() {
		w.alone(list[0])
		list = list[1:]
	}
	end := len(list)
	for end > 0 && list[end-1].beside() {
		end--
	}
	if text := list[:end]; len(text) == 1 || !spelled(text) {
		for _, n := range text {
			w.alone(n)
		}
	} else {
		w.sentence(text)
	}
	for _, n := range list[end:] {
		w.alone(n)
	}
}

// beside tells of what is no part of the sentence that it stands at the edge of.
func (n *node) beside() bool {
	if !n.element {
		return strings.TrimSpace(n.text) == ""
	}
	return !n.inside || n.end == nil && !n.whole
}

// spelled tells whether a list has text of its own, outside of elements.
func spelled(list []*node) bool {
	for _, n := range list {
		if !n.element && words(n.text) {
			return true
		}
	}
	return false
}

// words tells whether there is a letter.
func words(s string) bool { return strings.IndexFunc(s, unicode.IsLetter) >= 0 }

// alone writes a node that is no part of a sentence.
func (w *writer) alone(n *node) {
	switch {
	case !n.element:
		w.text(n)
	case n.whole:
		w.out.Write(n.raw)
	default:
		w.out.Write(n.raw)
		w.run(n.kids)
		w.out.Write(n.end)
	}
}

// text writes one text with the space around it.
func (w *writer) text(n *node) {
	s := n.text
	bare := strings.TrimSpace(s)
	at := strings.Index(s, bare)
	said, _ := w.plain(bare)
	if said == bare {
		w.out.Write(n.raw)
		return
	}
	w.out.WriteString(s[:at])
	w.out.WriteString(html.EscapeString(said))
	w.out.WriteString(s[at+len(bare):])
}

// sentence writes nodes that are one sentence: text with elements in it.
func (w *writer) sentence(list []*node) {
	var key strings.Builder
	var marks []*node
	spell(&key, &marks, list)
	k := strings.TrimSpace(key.String())
	e, fill := w.c.index.find(k)
	if e == nil {
		miss := w.miss
		if len(marks) > 0 && miss != nil && !w.partly(list) {
			miss(k)
			w.miss = nil // the parts belong to it
		}
		for _, n := range list {
			w.alone(n)
		}
		w.miss = miss
		return
	}
	if first := list[0]; !first.element {
		w.out.WriteString(first.text[:len(first.text)-len(strings.TrimLeft(first.text, spaces))])
	}
	w.say(e, fill, marks)
	if last := list[len(list)-1]; !last.element {
		w.out.WriteString(last.text[len(strings.TrimRight(last.text, spaces)):])
	}
}

const spaces = " \t\r\n"

// spell writes the key of nodes, with the elements numbered as they begin.
func spell(key *strings.Builder, marks *[]*node, list []*node) {
	for _, n := range list {
		if !n.element {
			squeeze(key, n.text)
			continue
		}
		*marks = append(*marks, n)
		number := strconv.Itoa(len(*marks))
		if n.whole {
			key.WriteString("<" + number + "/>")
			continue
		}
		key.WriteString("<" + number + ">")
		spell(key, marks, n.kids)
		key.WriteString("</" + number + ">")
	}
}

// squeeze writes a text with single spaces, in the spelling of keys.
func squeeze(key *strings.Builder, s string) {
	space := false
	for i, r := range s {
		switch {
		case strings.ContainsRune(spaces, r):
			space = true
			continue
		case space && key.Len() > 0 && !strings.HasSuffix(key.String(), " "):
			key.WriteByte(' ')
		}
		space = false
		switch {
		case r == '<':
			key.WriteString("&lt;")
		case r == '&' && strings.HasPrefix(s[i:], "&lt;"):
			key.WriteByte(0) // somebody wrote these four signs
		default:
			key.WriteRune(r)
		}
	}
	if space && key.Len() > 0 && !strings.HasSuffix(key.String(), " ") {
		key.WriteByte(' ')
	}
}

// say writes a translation with its elements.
func (w *writer) say(e *entry, fill []string, marks []*node) {
	for _, p := range e.to.parts {
		if p.kind != noHole {
			w.out.WriteString(escape(w.filled(e, p.name, fill)))
			continue
		}
		s := p.text
		for {
			mark, before, rest, found := nextMark(s)
			w.out.WriteString(escape(before))
			if !found {
				break
			}
			s = rest
			number, err := strconv.Atoi(strings.Trim(mark, "</>"))
			if err != nil || number < 1 || number > len(marks) {
				continue
			}
			switch n := marks[number-1]; {
			case strings.HasPrefix(mark, "</"):
				w.out.Write(n.end)
			default:
				w.out.Write(n.raw)
			}
		}
	}
}

// filled is what a hole of a translation says, in the spelling of keys.
func (w *writer) filled(e *entry, name string, fill []string) string {
	at := 0
	for _, p := range e.from.parts {
		if p.kind == noHole {
			continue
		}
		if p.name != name {
			at++
			continue
		}
		switch p.kind {
		case wordHole:
			said, _ := w.spelled(fill[at])
			return said
		case dateHole:
			said, _ := w.c.words.moment(fill[at])
			return said
		}
		return fill[at]
	}
	return ""
}

// unspelled gives what a text in the spelling of keys says.
var unspelled = strings.NewReplacer("&lt;", "<", "\x00", "&")

func escape(s string) string { return html.EscapeString(unspelled.Replace(s)) }
