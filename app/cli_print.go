package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// printWidth is what fits into the narrowest usual terminal.
const printWidth = 80

// member is one field of a JSON object, in the order in which the server sent it.
type member struct {
	name  string
	value any // nil, bool, string, json.Number, object or []any
}

type object []member

func (o object) get(path string) any {
	name, rest, deeper := strings.Cut(path, ".")
	for _, m := range o {
		if m.name == name && !deeper {
			return m.value
		}
		if inner, ok := m.value.(object); ok && m.name == name {
			return inner.get(rest)
		}
	}
	return nil
}

// ordered reads JSON and keeps the order of fields, which encoding/json would lose.
func ordered(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return orderedValue(d)
}

func orderedValue(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		o := object{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := orderedValue(d)
			if err != nil {
				return nil, err
			}
			o = append(o, member{fmt.Sprint(name), v})
		}
		_, err = d.Token()
		return o, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := orderedValue(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	return t, nil
}

// textOfValue is a scalar, or a list of scalars, as a person reads it. ok is false for anything
// else.
func textOfValue(v any) (text string, ok bool) {
	switch v := v.(type) {
	case nil:
		return "-", true
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return t.Local().Format("2006-01-02 15:04:05"), true
		}
		return printable(v), true
	case object:
		return "-", len(v) == 0
	case []any:
		words := make([]string, len(v))
		for i, x := range v {
			if _, nested := x.(object); nested {
				return "", false
			}
			if words[i], ok = textOfValue(x); !ok {
				return "", false
			}
		}
		if len(words) == 0 {
			return "-", true
		}
		return strings.Join(words, ", "), true
	}
	return fmt.Sprint(v), true
}

// printable replaces control characters, with which a stored text could steer the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
}

// printDetail prints a thing: its fields in lines, then what is nested in it. Fields without a
// value are left out.
func printDetail(w io.Writer, v any, indent int) {
	pad := strings.Repeat(" ", indent)
	switch v := v.(type) {
	case object:
		width := 0
		for _, m := range v {
			if _, flat := textOfValue(m.value); flat && m.value != nil {
				width = max(width, len(m.name))
			}
		}
		for _, m := range v {
			if text, flat := textOfValue(m.value); flat && m.value != nil && text != "" {
				fmt.Fprintf(w, "%s%-*s  %s\n", pad, width, m.name, wrapped(text, indent+width+2))
			}
		}
		for _, m := range v {
			if _, flat := textOfValue(m.value); !flat {
				fmt.Fprintf(w, "%s%s:\n", pad, m.name)
				printDetail(w, m.value, indent+2)
			}
		}
	case []any:
		if names, flat := columnsOf(v); flat {
			rows := tableRows(v, names)
			if widths, ok := fits(rows, names, indent); ok {
				printTable(w, rows, names, widths, indent)
				return
			}
		}
		for i, x := range v {
			if i > 0 {
				fmt.Fprintln(w)
			}
			printDetail(w, x, indent)
		}
	default:
		text, _ := textOfValue(v)
		fmt.Fprintln(w, pad+text)
	}
}

// columnsOf are the fields of a list of flat objects.
func columnsOf(list []any) (names []string, flat bool) {
	for _, x := range list {
		o, ok := x.(object)
		if !ok {
			return nil, false
		}
		for _, m := range o {
			if _, flat := textOfValue(m.value); !flat {
				return nil, false
			}
			if !slices.Contains(names, m.name) {
				names = append(names, m.name)
			}
		}
	}
	return names, len(names) > 0
}

// tableRows are the values of a list of objects at these paths.
func tableRows(list []any, paths []string) [][]string {
	rows := make([][]string, len(list))
	for i, x := range list {
		o, _ := x.(object)
		rows[i] = make([]string, len(paths))
		for j, path := range paths {
			for _, p := range strings.Split(path, "|") { // the first that has a value
				if rows[i][j] = cell(o.get(p)); rows[i][j] != "-" && rows[i][j] != "" {
					break
				}
			}
		}
	}
	return rows
}

// fits gives the widths of columns in which rows fit. The widest columns are cut, but never the
// first, which is the id that people copy, nor one to less than a time needs. ok is false if they
// are still too wide.
func fits(rows [][]string, heads []string, indent int) (widths []int, ok bool) {
	widths = make([]int, len(heads))
	for i, h := range heads {
		widths[i] = len(h)
		for _, r := range rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(r[i]))
		}
	}
	over := indent - printWidth - 2
	for _, w := range widths {
		over += w + 2
	}
	for ; over > 0; over-- {
		widest := len(widths) - 1
		for i := len(widths) - 1; i > 0; i-- {
			if widths[i] > widths[widest] {
				widest = i
			}
		}
		if widest == 0 || widths[widest] <= len(tableTime) {
			return widths, false
		}
		widths[widest]--
	}
	return widths, true
}

// tableTime is a time in a table; printed alone, it has its year.
const tableTime = "01-02 15:04:05"

// cell is a value in a table.
func cell(v any) string {
	text, _ := textOfValue(v)
	if s, ok := v.(string); ok {
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return t.Local().Format(tableTime)
		}
	}
	return text
}

// printTable prints rows in columns of these widths.
func printTable(w io.Writer, rows [][]string, heads []string, widths []int, indent int) {
	line := func(cells []string) {
		text := strings.Repeat(" ", indent)
		for i, c := range cells {
			if n := utf8.RuneCountInString(c); n > widths[i] {
				c = string([]rune(c)[:widths[i]-1]) + "…"
			} else if i < len(cells)-1 {
				c += strings.Repeat(" ", widths[i]-n)
			}
			if i > 0 {
				text += "  "
			}
			text += c
		}
		fmt.Fprintln(w, strings.TrimRight(text, " "))
	}
	upper := make([]string, len(heads))
	for i, h := range heads {
		upper[i] = strings.ToUpper(h)
	}
	line(upper)
	for _, r := range rows {
		line(r)
	}
}

// wrapped breaks a text between words, so that it fits behind a margin.
func wrapped(text string, margin int) string {
	var b strings.Builder
	at := margin
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+n > printWidth:
			b.WriteString("\n" + strings.Repeat(" ", margin))
			at = margin
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}
