package web

import (
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// tightShare is the part of the memory limit that what lives may have before load is shed.
const tightShare = 0.85

// memorySample is how long one look at the memory serves.
const memorySample = int64(100 * time.Millisecond)

// tightSample is the same while memory is tight, because each look then collects garbage.
const tightSample = int64(time.Second)

// memory remembers the last look at the process's memory.
type memory struct {
	look  func() bool
	at    atomic.Int64 // of the last look, in Unix nanoseconds
	tight atomic.Bool
}

// isTight is what look said a moment ago.
func (m *memory) isTight(at time.Time) bool {
	now, serves := at.UnixNano(), memorySample
	if m.tight.Load() {
		serves = tightSample
	}
	last := m.at.Load()
	// A clock that was set back must not keep an old answer.
	if age := now - last; age >= 0 && age < serves || !m.at.CompareAndSwap(last, now) {
		return m.tight.Load()
	}
	m.tight.Store(m.look())
	return m.tight.Load()
}

// MemoryTight reports whether memory runs out: what lives, with the goroutines' stacks, takes more
// than tightShare of GOMEMLIMIT. Without a limit it is never tight. What lived at the last
// collection is known without work. Only if that was too much, it collects garbage and looks again:
// a server that sheds load allocates little, and would not collect for minutes.
func MemoryTight() bool {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 || !tight(lives(), limit) {
		return false
	}
	runtime.GC()
	return tight(lives(), limit)
}

// lives is how many bytes the heap had after the last collection, and the stacks have.
func lives() (used uint64) {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(samples)
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			used += s.Value.Uint64()
		}
	}
	return used
}

func tight(used uint64, limit int64) bool { return float64(used) > tightShare*float64(limit) }
