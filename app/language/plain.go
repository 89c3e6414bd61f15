package language

import (
	"slices"
	"strings"
)

// plain translates a text without elements: by its own entry, or in its parts. Parts are joined as
// pages join them: with a point in the middle, as sentences, with a semicolon, a colon or commas.
// ok is false if any part has no entry; the parts that have one are translated all the same, except
// within a sentence.
func (w *writer) plain(s string) (said string, ok bool) {
	var key strings.Builder
	squeeze(&key, strings.TrimSpace(s))
	k := key.String()
	if !words(k) {
		return s, true
	}
	said, ok = w.spelled(k)
	if said == k {
		return s, ok
	}
	return unspelled.Replace(said), ok
}

// spelled translates a text in the spelling of keys.
func (w *writer) spelled(k string) (said string, ok bool) {
	if !words(k) {
		return k, true
	}
	if said, ok = w.listed(k); ok {
		return said, true
	}
	parts := sentences(k)
	if said, ok = w.find(k, len(parts) > 1); ok {
		return said, true
	}
	if parts := strings.Split(k, " · "); len(parts) > 1 {
		return w.each(parts, " · ")
	}
	if len(parts) > 1 {
		return w.each(parts, " ")
	}
	for _, sign := range []string{"; ", ": ", ", "} {
		if parts := strings.Split(k, sign); len(parts) > 1 {
			if said, ok := w.all(parts, sign); ok {
				return said, true
			}
		}
	}
	w.missed(k)
	return k, false
}

// listed translates a list with semicolons in which each text has an entry without holes. It comes
// before entries with holes, one of which could take the whole list for somebody's words.
func (w *writer) listed(k string) (said string, ok bool) {
	parts := strings.Split(k, "; ")
	if len(parts) == 1 || w.c.index.exact[k] != nil {
		return "", false
	}
	for _, part := range parts {
		if w.c.index.exact[part] == nil {
			return "", false
		}
	}
	return w.all(parts, "; ")
}

func (w *writer) missed(k string) {
	if w.miss != nil {
		w.miss(k)
	}
}

// find translates a whole text by one entry, or as a moment. Of several sentences, no hole may take
// more than one: the end of one and the beginning of the next are no name.
func (w *writer) find(k string, several bool) (string, bool) {
	e, fill := w.c.index.find(k)
	if e == nil || several && slices.ContainsFunc(fill, func(s string) bool { return len(sentences(s)) > 1 }) {
		return w.c.words.moment(k)
	}
	var out strings.Builder
	for _, p := range e.to.parts {
		if p.kind == noHole {
			out.WriteString(p.text)
		} else {
			out.WriteString(w.filled(e, p.name, fill))
		}
	}
	return out.String(), true
}

// each translates parts that stand for themselves.
func (w *writer) each(parts []string, sign string) (string, bool) {
	all := true
	out := make([]string, len(parts))
	for i, part := range parts {
		said, ok := w.spelled(part)
		out[i], all = said, all && ok
	}
	return strings.Join(out, sign), all
}

// all translates parts of one sentence: every one, or none.
func (w *writer) all(parts []string, sign string) (string, bool) {
	out := make([]string, len(parts))
	for i, part := range parts {
		said, ok := part, true
		if words(part) {
			said, ok = w.find(part, false)
		}
		if !ok {
			return "", false
		}
		out[i] = said
	}
	return strings.Join(out, sign), true
}

// partly tells whether every text of a list has an entry of its own.
func (w *writer) partly(list []*node) bool {
	quiet := writer{c: w.c}
	for _, n := range list {
		if n.element && !n.whole && !quiet.partly(n.kids) {
			return false
		}
		if !n.element {
			if _, ok := quiet.plain(n.text); !ok {
				return false
			}
		}
	}
	return true
}

// sentences splits a text where a sentence ends and another begins.
func sentences(s string) []string {
	var out []string
	for from := 0; ; {
		at := -1
		for i := from; i+2 < len(s); i++ {
			if s[i+1] == ' ' && (s[i] == '.' && !title(s[from:i]) || s[i] == '?' || s[i] == '!') && begins(s[i+2:]) {
				at = i + 1
				break
			}
		}
		if at < 0 {
			return append(out, s[from:])
		}
		out, from = append(out, s[from:at]), at+1
	}
}

// title tells whether the point after s belongs to a title before a name, such as Dr. or Mrs.
func title(s string) bool {
	word := s[strings.LastIndexByte(s, ' ')+1:]
	return len(word) > 0 && len(word) <= 3 && word[0] >= 'A' && word[0] <= 'Z'
}

// begins tells whether a sentence may begin so: a capital letter, a digit or a quotation mark.
func begins(s string) bool {
	return s[0] >= 'A' && s[0] <= 'Z' || s[0] >= '0' && s[0] <= '9' || strings.HasPrefix(s, "“")
}
