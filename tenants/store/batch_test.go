package store

import (
	"reflect"
	"testing"
)

// TestUsualValuesAreInTheText: rows that all hold the usual values are bound without them; with one
// other row, every row is bound whole.
func TestUsualValuesAreInTheText(t *testing.T) {
	t.Parallel()
	b := newBatch("facts", "id", "n", "detail", "erased").with(map[string]any{"n": int64(0), "detail": "", "erased": []byte{}})
	written := func(d dialect) (texts []string, args []any) {
		if err := b.flush(d, func(text string, some []any, _ int) error {
			texts, args = append(texts, text), append(args, some...)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return texts, args
	}
	check := func(what string, texts, want []string, args, wanted []any) {
		t.Helper()
		if !reflect.DeepEqual(texts, want) || !reflect.DeepEqual(args, wanted) {
			t.Errorf("%s: %q %v, want %q %v", what, texts, args, want, wanted)
		}
	}
	const into = "INSERT INTO facts (id, n, detail, erased) VALUES "
	for i := range 5 {
		b.add(uuid(nilUUID), int64(0), "")
		b.add([]byte{}[:i/9])
	}
	texts, args := written(lite)
	short := "(?, 0, '', x'')"
	check("all usual", texts, []string{into + short + ", " + short + ", " + short + ", " + short, into + short}, args,
		[]any{uuid(nilUUID), uuid(nilUUID), uuid(nilUUID), uuid(nilUUID), uuid(nilUUID)})

	for _, other := range [][]any{{uuid(""), int64(0), "it's", []byte{}}, {uuid(""), int64(1), "", []byte{}},
		{uuid(""), int64(0), "", []byte{1}}, {uuid(""), nil, "", []byte{}}} {
		b.add(uuid(""), int64(0), "", []byte{})
		b.add(other...)
		texts, args = written(lite)
		whole := "(?, ?, ?, ?)"
		check("one other", texts, []string{into + whole, into + whole}, args, append([]any{uuid(""), int64(0), "", []byte{}}, other...))
	}
	b.add(uuid(""), int64(0), "", []byte{})
	if texts, args = written(pg); len(args) != 4 || texts[0] != into+"(?, ?, ?, ?)" {
		t.Errorf("PostgreSQL: %q %v", texts, args)
	}
}
