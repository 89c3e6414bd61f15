package app

import (
	"math"
	"os"
	"runtime/debug"
)

// budget divides what the process may use of memory. Go's heap is bounded by GOMEMLIMIT; SQLite
// keeps pages outside of it, and the runtime does not count them.
type budget struct {
	heap  int64 // bytes; 0 = no limit is known
	pages int64 // bytes of all connections of SQLite; 0 = as many as the store likes
}

const (
	// ofContainer is the part of a container's memory that is used. The rest is for the kernel's
	// buffers of connections, and what the runtime cannot keep to its limit.
	ofContainer = 0.9
	// programBytes are for the program's own pages, which count as memory once they are read.
	programBytes = 32 << 20
	pagesShare   = 8 // SQLite's pages get an eighth, pagesMost at most
	pagesMost    = 80 << 20
)

// budgetOf divides the memory of a container. set is a limit that was given by GOMEMLIMIT, which
// wins. 0 = none.
func budgetOf(container, set int64, sqlite bool) (b budget) {
	if container <= 0 && set <= 0 {
		return b
	}
	whole := max(container/2, int64(ofContainer*float64(container))-programBytes)
	if set > 0 {
		whole = set
	}
	if sqlite {
		b.pages = min(pagesMost, whole/pagesShare)
	}
	b.heap = set
	if set <= 0 {
		b.heap = whole - b.pages
	}
	return b
}

// limitMemory keeps the process within the memory of its container, if GOMEMLIMIT is not set, and
// returns how that memory is divided.
func limitMemory(sqlite bool) budget {
	var set int64
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		set = limit
	}
	container := int64(0)
	if os.Getenv("GOMEMLIMIT") == "" { // it may also be "off"
		container = containerMemory()
	}
	b := budgetOf(container, set, sqlite)
	if b.heap > 0 && set == 0 {
		debug.SetMemoryLimit(b.heap)
	}
	return b
}
