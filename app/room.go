package app

import (
	"fmt"
	"net"
	"sync"

	"carillon/app/web"
	"carillon/tenants"
)

// room is how many connections each listener may have at once; 0 = the default of web.Listener.
type room struct{ http, voice, metrics int }

// Most connections of each listener, with descriptors to spare.
const (
	httpMost    = 16 << 10
	voiceMost   = 2 << 10
	metricsMost = 32
)

// keptFiles are the descriptors that connections may not take: those of the database, of
// connections to Apple and of files that are read.
func keptFiles(files int) int { return min(1024, max(48, files/3)) }

// connectionBytes is the memory to allow for one connection: its buffers and its goroutine.
const connectionBytes = 32 << 10

// roomOf divides what the process may have: open files, and bytes of memory. 0 = no limit is known.
func roomOf(files int, memory int64) room {
	r := room{http: httpMost, voice: voiceMost, metrics: metricsMost}
	if files > 0 {
		left := max(16, files-keptFiles(files))
		r.metrics = min(r.metrics, max(4, left/16))
		r.voice = min(r.voice, max(4, left/8))
		r.http = min(r.http, left-r.metrics-r.voice)
	}
	if memory > 0 {
		r.http = min(r.http, max(64, int(memory/2/connectionBytes)))
		r.voice = min(r.voice, max(16, r.http/8))
	}
	return r
}

// bound bounds the connections of a listener and lets ready ask it.
func (n *node) bound(ln net.Listener, c checked, total int, silent bool) *web.Listener {
	l := web.NewListener(ln, web.ListenerConfig{
		Total: total, TrustedProxies: prefixes(c.TrustedProxies), Silent: silent, Counts: &n.counts, Log: n.log, Now: n.now,
	})
	n.listeners.mu.Lock()
	defer n.listeners.mu.Unlock()
	n.listeners.all = append(n.listeners.all, l)
	return l
}

// listeners are those of a node: HTTP, voice over TCP and metrics.
type listeners struct {
	mu  sync.Mutex // guards all; metrics are read while the node is still being made
	all []*web.Listener
}

// len is how many connections are open.
func (l *listeners) len() (open int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.all {
		open += one.Len()
	}
	return open
}

// ready returns the first error of a listener.
func (l *listeners) ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.all {
		if err := one.Ready(); err != nil {
			return err
		}
	}
	return nil
}

// diskNone is when a disk counts as full: SQLite still needs room to end what is under way.
const diskNone = 16 << 20

// hasRoom returns an error when the process lacks descriptors, disk or memory. Its text is for
// strangers too.
func (n *node) hasRoom() error {
	if err := n.listeners.ready(); err != nil {
		return full("connections", "Connections were refused in the last seconds, or could not be accepted.", err)
	}
	if n.memoryTight() {
		return full("memory", "Memory runs out.", nil)
	}
	if n.dataDir == "" {
		return nil // PostgreSQL has its own disk
	}
	if free, err := diskFree(n.dataDir); err == nil && free < diskNone {
		return full("disk", "The disk is full.", fmt.Errorf("%s has %d MiB left", n.dataDir, free>>20))
	}
	return nil
}

func full(of, text string, why error) error {
	return &tenants.Error{Kind: tenants.Unavailable, Code: of + "_full", Msg: text, Err: why}
}
