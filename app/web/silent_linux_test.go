package web

import (
	"net"
	"syscall"
	"testing"
)

// TestSilentClientsAreGivenUp: the kernel ends a connection whose client confirms nothing for a
// while, so that a phone that lost its network does not hold the slot of its stream.
func TestSilentClientsAreGivenUp(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := NewListener(ln, ListenerConfig{})
	t.Cleanup(func() { _ = l.Close() })
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	raw, err := c.(*conn).Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var ms int
	var failed error
	err = raw.Control(func(fd uintptr) { ms, failed = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout) })
	if err != nil || failed != nil || int64(ms) != silentMost.Milliseconds() {
		t.Errorf("given up after %d ms, want %s: %v, %v", ms, silentMost, err, failed)
	}
}
