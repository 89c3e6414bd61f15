package language

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// pattern is a key or a translation in parts: text, holes and marks of elements.
type pattern struct {
	parts []part
	holes int
	fixed int // bytes of text: the more, the more exactly it matches

	openings []string // one of them begins the text; none = any text does
}

// part is text, or a hole if name is set.
type part struct {
	text string
	name string // text2
	kind hole
}

type hole byte

// The kinds of holes.
const (
	noHole hole = iota
	numberHole
	textHole
	wordHole
	dateHole
)

var holes = map[string]hole{"n": numberHole, "text": textHole, "word": wordHole, "date": dateHole}

// compile reads a key or a translation. A brace that opens no hole is text.
func compile(s string) (pattern, error) {
	var p pattern
	seen := map[string]bool{}
	for s != "" {
		at := strings.IndexByte(s, '{')
		end := 0
		if at >= 0 {
			end = strings.IndexByte(s[at:], '}')
		}
		if at < 0 || end < 0 {
			p.text(s)
			break
		}
		name := s[at+1 : at+end]
		kind, known := holes[strings.TrimRight(name, "23456789")]
		if !known {
			p.text(s[:at+end+1])
			s = s[at+end+1:]
			continue
		}
		if seen[name] {
			return p, fmt.Errorf("{%s} is there twice", name)
		}
		seen[name] = true
		p.text(s[:at])
		if n := len(p.parts); n > 0 && p.parts[n-1].kind != noHole {
			return p, errors.New("two holes touch")
		}
		p.parts = append(p.parts, part{name: name, kind: kind})
		p.holes++
		s = s[at+end+1:]
	}
	return p, nil
}

func (p *pattern) text(s string) {
	if s == "" {
		return
	}
	p.fixed += len(s)
	if n := len(p.parts); n > 0 && p.parts[n-1].kind == noHole {
		p.parts[n-1].text += s
		return
	}
	p.parts = append(p.parts, part{text: s})
}

// agree compares the holes and elements of a key and its translation.
func agree(key, said pattern) error {
	if k, s := marks(key), marks(said); !slices.Equal(k, s) {
		return fmt.Errorf("the key has %s, the translation %s", k, s)
	}
	return nil
}

func marks(p pattern) []string {
	var out []string
	for _, one := range p.parts {
		if one.kind != noHole {
			out = append(out, "{"+one.name+"}")
			continue
		}
		for s := one.text; ; {
			mark, _, rest, found := nextMark(s)
			if !found {
				break
			}
			out, s = append(out, mark), rest
		}
	}
	slices.Sort(out)
	return out
}

// nextMark finds the next mark of an element: <1>, </1> or <1/>. Literal angle brackets never look
// like one, as keys spell them &lt;.
func nextMark(s string) (mark, before, after string, found bool) {
	at := strings.IndexByte(s, '<')
	if at < 0 {
		return "", s, "", false
	}
	end := strings.IndexByte(s[at:], '>')
	if end < 0 {
		return "", s, "", false
	}
	return s[at : at+end+1], s[:at], s[at+end+1:], true
}

// match gives what fills the holes, in their order. It is one pass from left to right, without
// going back: a hole ends where the text after it first occurs.
func (p *pattern) match(s string, fill []string) ([]string, bool) {
	fill = fill[:0]
	if p.openings != nil && !slices.ContainsFunc(p.openings, func(o string) bool { return strings.HasPrefix(s, o) }) {
		return nil, false
	}
	for i := 0; i < len(p.parts); i++ {
		one := p.parts[i]
		if one.kind == noHole {
			if !strings.HasPrefix(s, one.text) {
				return nil, false
			}
			s = s[len(one.text):]
			continue
		}
		end := len(s)
		if i+1 < len(p.parts) {
			end = closing(p.parts[i+1].text, i+2 == len(p.parts), one.kind, s)
		}
		if end <= 0 || !one.kind.takes(s[:end]) || one.kind == dateHole && p.fixed < fewFixed && !dated(s[:end]) {
			return nil, false
		}
		fill, s = append(fill, s[:end]), s[end:]
	}
	return fill, s == ""
}

// fewFixed is below how much text a pattern such as "{date} to {date2}" fits nearly any sentence:
// its holes then take nothing but moments.
const fewFixed = 8

// closing is where a hole ends that the text next follows; -1 if nowhere.
func closing(next string, last bool, kind hole, s string) int {
	switch {
	case last && strings.HasSuffix(s, next):
		return len(s) - len(next)
	case last:
		return -1
	case kind == numberHole:
		return numberEnd(s)
	}
	return strings.Index(s, next)
}

// takes tells whether s may fill a hole.
func (h hole) takes(s string) bool {
	if h == numberHole {
		return numberEnd(s) == len(s)
	}
	return strings.IndexByte(s, '<') < 0
}

// numberEnd is how long the number is that s begins with: digits with commas or a point between.
func numberEnd(s string) int {
	end := 0
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case ch >= '0' && ch <= '9':
			end = i + 1
		case ch == '-' && i == 0, (ch == ',' || ch == '.') && end == i && i > 0:
		default:
			return end
		}
	}
	return end
}

// entry is a key with its translation.
type entry struct {
	key  string
	from pattern
	to   pattern
}

// index finds the entry of a text: by the whole text, else by its first word, else by its last
// word. Texts that begin with a number have a list of their own.
type index struct {
	exact  map[string]*entry
	first  map[string][]*entry
	last   map[string][]*entry
	number []*entry
	other  []*entry // begin and end with a hole
}

func newIndex(n int) index {
	return index{exact: make(map[string]*entry, n), first: map[string][]*entry{}, last: map[string][]*entry{}}
}

func (x *index) add(key string, from, to pattern) {
	e := &entry{key, from, to}
	if from.holes == 0 {
		x.exact[key] = e
		return
	}
	begin, end := from.parts[0], from.parts[len(from.parts)-1]
	if word, _, whole := strings.Cut(begin.text, " "); whole {
		x.first[word] = append(x.first[word], e)
	} else if begin.kind == numberHole {
		x.number = append(x.number, e)
	} else if at := strings.LastIndexByte(end.text, ' '); at >= 0 {
		word := end.text[at+1:]
		x.last[word] = append(x.last[word], e)
	} else {
		x.other = append(x.other, e)
	}
}

// sort puts those first that say most.
func (x *index) sort() {
	order := func(list []*entry) {
		slices.SortFunc(list, func(a, b *entry) int {
			return cmp.Or(b.from.fixed-a.from.fixed, a.from.holes-b.from.holes, strings.Compare(a.key, b.key))
		})
	}
	for _, list := range x.first {
		order(list)
	}
	for _, list := range x.last {
		order(list)
	}
	order(x.number)
	order(x.other)
}

// find gives the entry of a text and what fills its holes.
func (x *index) find(s string) (*entry, []string) {
	if e := x.exact[s]; e != nil {
		return e, nil
	}
	word, _, _ := strings.Cut(s, " ")
	end := s[strings.LastIndexByte(s, ' ')+1:]
	lists := [...][]*entry{x.first[word], x.last[end], nil, x.other}
	if numberEnd(s) > 0 {
		lists[2] = x.number
	}
	var best *entry
	var fill, room []string
	for _, list := range lists {
		for _, e := range list {
			if best != nil && e.from.fixed <= best.from.fixed {
				break
			}
			if got, ok := e.from.match(s, room); ok {
				best, fill, room = e, got, nil
				break
			}
		}
	}
	return best, fill
}
