package tenants

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Speaker is who said a line of a call.
type Speaker string

// The two speakers of a call.
const (
	SpeakerAgent  Speaker = "agent"
	SpeakerPerson Speaker = "person"
)

// NoteLine is one thing that was said in a call.
type NoteLine struct {
	Who  Speaker
	At   time.Time
	Text string
}

// Notes are what an agent wrote down about a call: what was said, and a summary.
type Notes struct {
	Lines   []NoteLine // by time
	Summary string     // empty = none
}

// The bounds of notes. An hour of talk is about 60 KB in 1,000 lines.
const (
	MaxNoteLines   = 2000
	MaxNoteText    = 4 << 10   // bytes of one line
	MaxNoteSummary = 16 << 10  // bytes
	MaxNoteBytes   = 256 << 10 // of all texts of a call
)

// Clean returns the notes in their stored form. Line ends become "\n". Control characters and marks
// that change the direction of the text around them are removed, because text from speech
// recognition is shown and downloaded as it is. Times are stored to the microsecond, in UTC.
func (n Notes) Clean() Notes {
	out := Notes{Lines: make([]NoteLine, len(n.Lines)), Summary: cleanNote(n.Summary)}
	for i, l := range n.Lines {
		out.Lines[i] = NoteLine{l.Who, l.At.UTC().Truncate(time.Microsecond), cleanNote(l.Text)}
	}
	return out
}

func cleanNote(s string) string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n").Replace(s)
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		directs := r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
		if r == utf8.RuneError || directs || unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s))
}

// Check refuses notes that break a rule, naming every wrong field, at most ten. It expects what
// Clean returned.
func (n Notes) Check() error {
	var f faults
	f.add(len(n.Lines) > 0 || n.Summary != "", "lines", "at least one line, or a summary")
	f.add(len(n.Lines) <= MaxNoteLines, "lines", "at most "+FormatCount(MaxNoteLines)+" lines")
	f.add(len(n.Summary) <= MaxNoteSummary, "summary", "at most 16 KiB")
	for i, l := range n.Lines {
		if len(f) >= 10 {
			break
		}
		name := fmt.Sprintf("lines.%d.", i)
		f.add(l.Who == SpeakerAgent || l.Who == SpeakerPerson, name+"who", "agent or person")
		f.add(l.At.Year() >= 2000 && l.At.Year() < 2200, name+"at", "the time it was said, in the years 2000 to 2199")
		f.add(l.Text != "" && len(l.Text) <= MaxNoteText, name+"text", "1 byte to 4 KiB of text")
	}
	return f.err()
}

// Merge adds notes to those of the same call, and reports how many lines are new. A line that is
// there already, with the same speaker, time and text, is not added, so a request can be repeated.
// A summary takes the place of the one before. Merge refuses notes that would be too many.
func (n Notes) Merge(more Notes) (all Notes, added int, err error) {
	all = Notes{Lines: slices.Clone(n.Lines), Summary: cmp.Or(more.Summary, n.Summary)}
	seen := make(map[NoteLine]bool, len(n.Lines)+len(more.Lines))
	size := len(all.Summary)
	for _, l := range n.Lines {
		seen[l] = true
		size += len(l.Text)
	}
	for _, l := range more.Lines {
		if seen[l] {
			continue
		}
		seen[l] = true
		all.Lines = append(all.Lines, l)
		size += len(l.Text)
		added++
	}
	if len(all.Lines) > MaxNoteLines || size > MaxNoteBytes {
		return n, 0, Refuse(Unprocessable, "notes_full",
			"With these, the notes of this call would have %s lines and %d KiB of text; they may have %s lines and %d KiB. Nothing was "+
				"stored. Send fewer or shorter lines.",
			FormatCount(len(all.Lines)), (size+1023)>>10, FormatCount(MaxNoteLines), MaxNoteBytes>>10)
	}
	slices.SortStableFunc(all.Lines, func(a, b NoteLine) int { return a.At.Compare(b.At) })
	return all, added, nil
}

// Find returns the lines with a text in them, in any case of letters.
func (n Notes) Find(text string) []NoteLine {
	text = strings.ToLower(text)
	return slices.DeleteFunc(slices.Clone(n.Lines), func(l NoteLine) bool { return !strings.Contains(strings.ToLower(l.Text), text) })
}
