package store

import "syscall"

// tcpUserTimeout is TCP_USER_TIMEOUT (RFC 5482): after so many milliseconds without a confirmation
// of what was sent, the connection is over. Keep-alives do not cover that case.
const tcpUserTimeout = 18

// unconfirmedMost sets it on a new socket.
func unconfirmedMost(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		// A Unix socket has no such option, and needs none.
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(silentMost.Milliseconds()))
	})
}
