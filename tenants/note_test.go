package tenants

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func lines(texts ...string) (n Notes) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i, text := range texts {
		n.Lines = append(n.Lines, NoteLine{Who: SpeakerPerson, At: at.Add(time.Duration(i) * time.Second), Text: text})
	}
	return n
}

// What speech recognition sends is made fit to be shown, and not refused.
func TestNotesClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		" a\r\nb\rc ":         "a\nb\nc",
		"a\x00\x1b[31mb":      "a[31mb",
		"pay \u202e001\u202c": "pay 001",
		"\u2066x\u2069":       "x",
		"سلام\u200f!":         "سلام\u200f!",
		"half \xff":           "half",
		"tab\there":           "tab\there",
	} {
		if got := lines(in).Clean().Lines[0].Text; got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	zone := time.FixedZone("", 7200)
	n := Notes{Lines: []NoteLine{{SpeakerAgent, time.Date(2026, 1, 1, 2, 0, 0, 1999, zone), "x"}}}.Clean()
	if want := time.Date(2026, 1, 1, 0, 0, 0, 1000, time.UTC); n.Lines[0].At != want {
		t.Errorf("time: %s", n.Lines[0].At)
	}
}

func TestNotesCheck(t *testing.T) {
	t.Parallel()
	who, at, long := lines("x"), lines("x"), lines(strings.Repeat("x", MaxNoteText+1))
	who.Lines[0].Who = "caller"
	at.Lines[0].At = time.Time{}
	many := lines(make([]string, MaxNoteLines+1)...)
	for field, n := range map[string]Notes{
		"lines": {}, "lines.0.who": who, "lines.0.at": at, "lines.0.text": long, "lines.1.text": lines("x", ""),
		"summary": {Summary: strings.Repeat("x", MaxNoteSummary+1)},
	} {
		var e *Error
		if err := n.Check(); !errors.As(err, &e) || e.Kind != Invalid || len(e.Fields) != 1 || e.Fields[0].Name != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	var e *Error
	if err := many.Check(); !errors.As(err, &e) || e.Fields[0].Name != "lines" || len(e.Fields) != 10 {
		t.Errorf("too many: %v", err)
	}
	for _, n := range []Notes{lines("x"), {Summary: "x"}, lines(strings.Repeat("x", MaxNoteText))} {
		if err := n.Check(); err != nil {
			t.Error(err)
		}
	}
}

func TestNotesMerge(t *testing.T) {
	t.Parallel()
	first, added, err := Notes{}.Merge(lines("a", "b"))
	if err != nil || added != 2 {
		t.Fatal(added, err)
	}
	again, added, err := first.Merge(Notes{Lines: lines("a", "x", "c").Lines, Summary: "s"})
	var texts []string
	for _, l := range again.Lines {
		texts = append(texts, l.Text)
	}
	if err != nil || added != 2 || strings.Join(texts, "") != "abxc" || again.Summary != "s" || len(first.Lines) != 2 {
		t.Errorf("%d %v %v", added, texts, err)
	}
	if kept, _, _ := again.Merge(lines("d")); kept.Summary != "s" {
		t.Error("lines without a summary took it away")
	}
	piece := strings.Repeat("x", MaxNoteText-1)
	full := Notes{}
	for i := range MaxNoteBytes / MaxNoteText {
		full.Lines = append(full.Lines, NoteLine{SpeakerAgent, time.Unix(int64(i), 0), piece})
	}
	for name, c := range map[string]struct {
		have, more Notes
		ok         bool
	}{
		"to the last byte":   {full, lines(strings.Repeat("y", 64)), true},
		"a byte too many":    {full, lines(strings.Repeat("y", 65)), false},
		"to the last line":   {lines(make([]string, MaxNoteLines-1)...), lines("y"), true},
		"a line too many":    {lines(make([]string, MaxNoteLines)...), lines("y"), false},
		"the same when full": {lines(make([]string, MaxNoteLines)...), lines(""), true},
	} {
		all, _, err := c.have.Merge(c.more)
		if (err == nil) != c.ok || !c.ok && (KindOf(err) != Unprocessable || len(all.Lines) != len(c.have.Lines)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNotesFind(t *testing.T) {
	t.Parallel()
	n := lines("Guten Tag", "Übermorgen?", "tag")
	if got := n.Find("TAG"); len(got) != 2 || len(n.Lines) != 3 || n.Lines[1].Text != "Übermorgen?" {
		t.Errorf("%v", got)
	}
	if got := n.Find("über"); len(got) != 1 {
		t.Errorf("%v", got)
	}
}
