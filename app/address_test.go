//go:build unix

package app

import (
	"net"
	"strconv"
	"syscall"
	"testing"
)

// freeAddr is one that nobody listens on until the test lets somebody, for a server that must know
// its address before it starts. The port is held until the test ends by a socket that does not
// listen: a program that asks the system for a free port gets another, a caller is refused, and
// a server that listens on this very port, as net.Listen does with SO_REUSEADDR, gets it.
func freeAddr(t *testing.T) string {
	t.Helper()
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(s) })
	syscall.CloseOnExec(s)
	if err := syscall.SetsockoptInt(s, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(s, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(s)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(at.(*syscall.SockaddrInet4).Port))
}

// TestAFreeAddressIsKept: callers are refused, nobody else is given it, and a server can listen on
// it, again and again.
func TestAFreeAddressIsKept(t *testing.T) {
	t.Parallel()
	at := freeAddr(t)
	for range 3 {
		if c, err := net.Dial("tcp", at); err == nil {
			c.Close()
			t.Fatal("somebody listens")
		}
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		l.Close()
	}
	for range 2000 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if l.Close(); l.Addr().String() == at {
			t.Fatal("it was given to somebody else")
		}
	}
}
