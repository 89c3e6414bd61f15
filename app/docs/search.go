package docs

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"carillon/views"
)

// The bounds of a search.
const (
	MaxQuery = 100 // bytes; what is longer is cut off
	maxTerms = 8
	maxHits  = 20
	snippet  = 180 // bytes of text around the first match
)

// section is one piece of the documentation that a search can find.
type section struct {
	page, title, href, text string
	top                     bool                                 // the page itself
	words                   struct{ page, title, text []string } // in alphabetical order
}

// index finds the words of a section, so that no search has to.
func (s *section) index() {
	s.words.page, s.words.title, s.words.text = words(s.page), words(s.title), words(s.text)
	for _, list := range [][]string{s.words.page, s.words.title, s.words.text} {
		slices.Sort(list)
	}
}

// Search finds the sections that contain every word of the query, its singular, or a word that
// starts with one of them. The best come first: a match in a title counts more than one in the
// text. If no section contains every word, all is false, and it finds those that contain the most.
func (d *Docs) Search(query string) (out []views.DocHit, all bool, err error) {
	l, err := d.library()
	if err != nil {
		return nil, false, err
	}
	want := asked(query)
	type hit struct {
		section      *section
		score, found int // found = how many of the words it contains
	}
	var hits []hit
	most := 1
	for i := range l.sections {
		n, found := l.sections[i].score(want)
		if found >= most {
			hits, most = append(hits, hit{&l.sections[i], n, found}), found
		}
	}
	hits = slices.DeleteFunc(hits, func(h hit) bool { return h.found < most })
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(b.score, a.score) })
	terms := slices.Concat(want...)
	for _, h := range hits[:min(len(hits), maxHits)] {
		s := h.section
		found := views.DocHit{Title: s.title, Href: s.href, Text: mark(excerpt(s.text, terms), terms)}
		if s.page != s.title {
			found.Page = s.page
		}
		out = append(out, found)
	}
	return out, most >= len(want), nil
}

// small are words of questions that say nothing of what is asked for.
var small = []string{"a", "an", "and", "are", "can", "do", "does", "for", "how", "i", "in", "is", "it", "my", "of", "on", "or", "the",
	"to", "what", "when", "where", "which", "why", "with"}

// asked are the words to look for, each with its singular. Small words count only where there are
// no others.
func asked(query string) (list [][]string) {
	all := words(query[:min(len(query), MaxQuery)])
	telling := slices.DeleteFunc(slices.Clone(all), func(w string) bool { return slices.Contains(small, w) })
	if len(telling) == 0 {
		telling = all
	}
	for _, w := range telling[:min(len(telling), maxTerms)] {
		list = append(list, append([]string{w}, singular(w)...))
	}
	return list
}

// singular is the singular of an English plural; nothing for a word that is none.
func singular(w string) []string {
	stem, plural := strings.CutSuffix(w, "s")
	if !plural || len(stem) < 3 || strings.HasSuffix(stem, "s") {
		return nil
	}
	if y, ok := strings.CutSuffix(stem, "ie"); ok {
		return []string{y + "y"}
	}
	return []string{stem}
}

// words splits a text into lower-case words of letters, digits and underscores.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !wordly(r) })
}

func wordly(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }

// score says how well the section answers, and how many of the words it contains. A whole word
// counts more than the start of one.
func (s *section) score(asked [][]string) (sum, found int) {
	for _, forms := range asked {
		best := 0
		for _, term := range forms {
			best = max(best, 12*count(s.words.title, term)+3*count(s.words.page, term)+min(count(s.words.text, term), 6))
		}
		if sum += best; best > 0 {
			found++
		}
	}
	if s.top {
		sum += 4
	}
	return sum, found
}

// count is how often the term begins one of the words, which are in alphabetical order; a whole
// word counts double.
func count(list []string, term string) int {
	n := 0
	first, _ := slices.BinarySearch(list, term)
	for _, w := range list[first:] {
		switch {
		case w == term:
			n += 2
		case strings.HasPrefix(w, term):
			n++
		default:
			return n
		}
	}
	return n
}

// excerpt is the part of a text around its first match, cut between words.
func excerpt(text string, terms []string) string {
	text = strings.Join(strings.Fields(text), " ")
	start := len(text)
	for _, at := range starts(text) {
		if hits(text[at:], terms) > 0 {
			start = at
			break
		}
	}
	if start == len(text) {
		start = 0
	}
	from := max(0, start-snippet/3)
	to := min(len(text), from+snippet)
	for from > 0 && text[from-1] != ' ' {
		from--
	}
	for to < len(text) && text[to] != ' ' {
		to++
	}
	out := text[from:to]
	if from > 0 {
		out = "… " + out
	}
	if to < len(text) {
		out += " …"
	}
	return out
}

// starts lists where words begin.
func starts(text string) (list []int) {
	before := ' '
	for i, r := range text {
		if wordly(r) && !wordly(before) {
			list = append(list, i)
		}
		before = r
	}
	return list
}

// hits is how many bytes at the start of text are one of the terms; the longest counts.
func hits(text string, terms []string) int {
	most := 0
	for _, term := range terms {
		if len(text) >= len(term) && strings.EqualFold(text[:len(term)], term) {
			most = max(most, len(term))
		}
	}
	return most
}

// mark splits a text into pieces that match and pieces that do not.
func mark(text string, terms []string) (pieces []views.DocPiece) {
	done := 0
	for _, at := range starts(text) {
		n := hits(text[at:], terms)
		if n == 0 || at < done {
			continue
		}
		pieces = append(pieces, views.DocPiece{Text: text[done:at]}, views.DocPiece{Text: text[at : at+n], Hit: true})
		done = at + n
	}
	return append(pieces, views.DocPiece{Text: text[done:]})
}
