package web

import (
	"math"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// tightShare is the part of the memory limit that what lives may have before load is shed.
const tightShare = 0.85

// memorySample is how long one look at the memory serves.
const memorySample = int64(100 * time.Millisecond)

// memory remembers the last look at the process's memory.
type memory struct {
	look  func() bool
	at    atomic.Int64 // of the last look, in Unix nanoseconds
	tight atomic.Bool
}

// isTight is what look said at most memorySample ago.
func (m *memory) isTight(at time.Time) bool {
	now := at.UnixNano()
	if last := m.at.Load(); now-last < memorySample || !m.at.CompareAndSwap(last, now) {
		return m.tight.Load()
	}
	m.tight.Store(m.look())
	return m.tight.Load()
}

// MemoryTight reports whether memory runs out, measured now: what lived after the last collection,
// with the goroutines' stacks, takes more than tightShare of GOMEMLIMIT. Without a limit it is
// never tight.
func MemoryTight() bool {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		return false
	}
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(samples)
	var used uint64
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			used += s.Value.Uint64()
		}
	}
	return tight(used, limit)
}

func tight(used uint64, limit int64) bool { return float64(used) > tightShare*float64(limit) }
