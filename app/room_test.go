package app

import (
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

// TestRoomFitsTheMachine: connections leave descriptors for the rest of the process, and memory.
func TestRoomFitsTheMachine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		files  int
		memory int64
		http   int // at least
	}{{0, 0, httpMost}, {200, 0, 100}, {256, 0, 120}, {1024, 0, 500}, {65536, 0, httpMost}, {1 << 20, 0, httpMost},
		{65536, 256 << 20, 1000}, {1024, 64 << 20, 400}} {
		r := roomOf(c.files, c.memory)
		if r.http < c.http || r.voice < 4 || r.metrics < 4 {
			t.Errorf("%d files, %d bytes: %+v, want %d for HTTP", c.files, c.memory, r, c.http)
		}
		if c.files > 0 && r.http+r.voice+r.metrics+keptFiles(c.files) > c.files {
			t.Errorf("%d files: %+v and %d kept", c.files, r, keptFiles(c.files))
		}
		if c.memory > 0 && int64(r.http)*connectionBytes > c.memory/2 {
			t.Errorf("%d bytes: %+v", c.memory, r)
		}
	}
}

// TestHasRoom: a node with descriptors, disk and memory has room, and counts its connections.
func TestHasRoom(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tight := false
	n := node{dataDir: t.TempDir(), now: time.Now, log: slog.New(slog.DiscardHandler), memoryTight: func() bool { return tight }}
	l := n.bound(ln, checked{}, 1, true)
	defer l.Close()
	if err := n.hasRoom(); err != nil {
		t.Error(err)
	}
	tight = true
	if err := n.hasRoom(); err == nil || !strings.Contains(err.Error(), "Memory runs out") || tenants.KindOf(err) != tenants.Unavailable {
		t.Errorf("without memory: %v", err)
	}
	tight = false
	accepted := make(chan error, 1)
	go func() { _, err := l.Accept(); accepted <- err }()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := <-accepted; err != nil {
		t.Fatal(err)
	}
	if n.listeners.len() != 1 {
		t.Errorf("%d connections", n.listeners.len())
	}
}
