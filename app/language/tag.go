package language

import (
	"bytes"
	"html"

	tokens "golang.org/x/net/html"
)

// tag is the start of an element.
type tag struct {
	raw          []byte
	name         string
	attrs        []attr
	untranslated bool // translate="no"
}

type attr struct{ key, value string }

func (t *tag) read(z *tokens.Tokenizer) {
	name, more := z.TagName()
	t.name = string(name)
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		t.attrs = append(t.attrs, attr{string(key), string(value)})
		t.untranslated = t.untranslated || string(key) == "translate" && string(value) == "no"
	}
}

// get is the value of an attribute; empty if there is none.
func (t *tag) get(key string) string {
	for _, a := range t.attrs {
		if a.key == key {
			return a.value
		}
	}
	return ""
}

// says tells whether people read or hear an attribute.
func (t *tag) says(a attr) bool {
	switch {
	case !spoken[a.key] || a.value == "":
		return false
	case t.untranslated && a.key != "aria-label": // that says what a button does with somebody's words; a title repeats them
		return false
	case a.key == "value":
		kind := t.get("type")
		return t.name == "input" && (kind == "submit" || kind == "button" || kind == "reset")
	case a.key == "content":
		return t.name == "meta" && (described[t.get("name")] || described[t.get("property")])
	case a.key == "title":
		return t.name != "time"
	}
	return true
}

// attributes is the tag with its attributes translated: the same bytes if there is nothing to say.
func (w *writer) attributes(t *tag) []byte {
	changed := false
	for i, a := range t.attrs {
		said := a.value
		switch {
		case t.name == "html" && a.key == "lang":
			said = w.c.Tag
		case t.says(a):
			said, _ = w.plain(a.value)
		}
		if said != a.value {
			t.attrs[i].value, changed = said, true
		}
	}
	if !changed {
		return t.raw
	}
	var b bytes.Buffer
	b.WriteString("<" + t.name)
	for _, a := range t.attrs {
		b.WriteString(" " + a.key + `="` + html.EscapeString(a.value) + `"`)
	}
	if bytes.HasSuffix(t.raw, []byte("/>")) {
		b.WriteByte('/')
	}
	b.WriteByte('>')
	return b.Bytes()
}
