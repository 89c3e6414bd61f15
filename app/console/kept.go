package console

import (
	"cmp"
	"sync"
)

// mostKept is how many entries a table keeps that says nothing else.
const mostKept = 4096

// table keeps an entry for each key, made when it is first asked for. A full one drops the entry
// that it made first. An entry has a lock of its own: the one who works an answer out holds it, so
// that others wait for the answer and do not work it out too. The zero table is ready.
type table[K comparable, E any] struct {
	most  int        // entries; 0 = mostKept
	mu    sync.Mutex // guards the rest
	kept  map[K]*E
	order []K // as they were made, from first on and round the end
	first int
}

func (t *table[K, E]) entry(k K) *E {
	t.mu.Lock()
	defer t.mu.Unlock()
	e, ok := t.kept[k]
	if ok {
		return e
	}
	if t.kept == nil {
		t.kept = map[K]*E{}
	}
	if most := cmp.Or(t.most, mostKept); len(t.order) < most {
		t.order = append(t.order, k)
	} else {
		delete(t.kept, t.order[t.first])
		t.order[t.first], t.first = k, (t.first+1)%most
	}
	e = new(E)
	t.kept[k] = e
	return e
}
