package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// asking is what each verb has that asks the API once.
type asking struct {
	apiFlags
	JSON bool `name:"json" help:"Print the answer of the API as one line of JSON."`
}

// one is the id of the thing that a verb is about.
type one struct {
	ID string `arg:"" help:"Its id."`
}

// paging is what each list has.
type paging struct {
	Limit int    `help:"How many, 1 to 200." default:"50"`
	After string `help:"The next of the page before." placeholder:"NEXT"`
	All   bool   `help:"Every page."`
}

// query makes a query of names and values, without the empty ones.
func query(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

// fields makes a body of names and values. A nil pointer and an empty list are left out.
func fields(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name := pairs[i].(string)
		switch v := pairs[i+1].(type) {
		case *string:
			if v != nil {
				m[name] = *v
			}
		case *bool:
			if v != nil {
				m[name] = *v
			}
		case *int:
			if v != nil {
				m[name] = *v
			}
		case []string:
			if len(v) > 0 {
				m[name] = v
			}
		default:
			m[name] = v
		}
	}
	return m
}

// idPath is an address of the API with an id in it.
func idPath(format, id string) string { return fmt.Sprintf(format, url.PathEscape(id)) }

// ask sends one request and prints the answer.
func (a *asking) ask(ctx context.Context, c terminal, method, path string, q url.Values, body any) error {
	answer, err := a.do(ctx, method, path, q, body)
	if err != nil {
		return err
	}
	return a.print(c, answer)
}

func (a *asking) do(ctx context.Context, method, path string, q url.Values, body any) (json.RawMessage, error) {
	api, err := a.open()
	if err != nil {
		return nil, err
	}
	answer, err := api.Do(ctx, method, path, q, body)
	if err != nil {
		return nil, a.cure(err)
	}
	return answer, nil
}

func (a *asking) get(ctx context.Context, c terminal, path string, q url.Values) error {
	return a.ask(ctx, c, http.MethodGet, path, q, nil)
}

// print prints one thing.
func (a *asking) print(c terminal, answer json.RawMessage) error {
	if len(answer) == 0 { // 204
		if !a.JSON {
			fmt.Fprintln(c.out, "done")
		}
		return nil
	}
	if a.JSON {
		return printJSON(c, answer)
	}
	v, err := ordered(answer)
	if err != nil {
		return err
	}
	printDetail(c.out, v, 0)
	return nil
}

func printJSON(c terminal, text json.RawMessage) error {
	var line bytes.Buffer
	if err := json.Compact(&line, text); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.out, line.String())
	return err
}

// printed prints what a method of the client gave.
func (a *asking) printed(c terminal, v any, err error) error {
	if err != nil {
		return a.cure(err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return a.print(c, text)
}

// listPage is one page of a list.
type listPage struct {
	Data []json.RawMessage `json:"data"`
	Next *string           `json:"next"`
}

// list prints a list as a table of columns: paths into each entry, "a|b" for the first with a
// value. With --all it prints every page as one.
func (a *asking) list(ctx context.Context, c terminal, p paging, path string, q url.Values, columns ...string) error {
	all := listPage{Data: []json.RawMessage{}}
	q.Set("limit", strconv.Itoa(p.Limit))
	for after := p.After; ; {
		if after != "" {
			q.Set("after", after)
		}
		answer, err := a.do(ctx, http.MethodGet, path, q, nil)
		if err != nil {
			return err
		}
		var one listPage
		if err := json.Unmarshal(answer, &one); err != nil {
			return err
		}
		all.Data, all.Next = append(all.Data, one.Data...), one.Next
		if !p.All || one.Next == nil {
			break
		}
		after = *one.Next
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	if a.JSON {
		return printJSON(c, text)
	}
	return printList(c, text, columns)
}

func printList(c terminal, text []byte, columns []string) error {
	v, err := ordered(text)
	if err != nil {
		return err
	}
	data, _ := v.(object).get("data").([]any)
	next, more := v.(object).get("next").(string)
	switch {
	case len(data) == 0 && more:
		fmt.Fprintln(c.out, "Nothing on this page.")
		fmt.Fprintf(c.err, "The list goes on: --all, or --after %s\n", next)
		return nil
	case len(data) == 0:
		fmt.Fprintln(c.out, "nothing found")
		return nil
	}
	heads := make([]string, len(columns))
	for i, path := range columns {
		first, _, _ := strings.Cut(path, "|")
		heads[i] = first[strings.LastIndexByte(first, '.')+1:]
	}
	rows := tableRows(data, columns)
	widths, _ := fits(rows, heads, 0)
	printTable(c.out, rows, heads, widths, 0)
	if more {
		fmt.Fprintf(c.err, "There are more: --all, or --after %s\n", next)
	}
	return nil
}

// contentOf reads a value that may be a file: @NAME, or - for standard input.
func contentOf(value string) ([]byte, error) {
	if value == "-" {
		return io.ReadAll(os.Stdin)
	}
	if name, ok := strings.CutPrefix(value, "@"); ok {
		return os.ReadFile(name)
	}
	return []byte(value), nil
}

// errSettings refuses settings whose place in the body is not known.
var errSettings = errors.New("--settings: give --kind too, which says what they are settings of")

// settings reads a JSON object that a flag gives.
func settings(flag, value string) (map[string]any, error) {
	if value == "" {
		return nil, nil
	}
	text, err := contentOf(value)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, misused{fmt.Errorf("--%s: not a JSON object: %w", flag, err)}
	}
	return m, nil
}
