package console

import (
	"cmp"
	"sync"
)

// mostKept is how many entries a table keeps that says nothing else; a full one is emptied.
const mostKept = 4096

// table keeps an entry for each key, made when it is first asked for. An entry has a lock of its
// own: the one who works an answer out holds it, so that others wait for the answer and do not work
// it out too. The zero table is ready.
type table[K comparable, E any] struct {
	most int        // entries; 0 = mostKept
	mu   sync.Mutex // guards kept
	kept map[K]*E
}

func (t *table[K, E]) entry(k K) *E {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, ok := t.kept[k]
	if !ok {
		if t.kept == nil || len(t.kept) >= cmp.Or(t.most, mostKept) {
			t.kept = map[K]*E{}
		}
		e = new(E)
		t.kept[k] = e
	}
	return e
}
