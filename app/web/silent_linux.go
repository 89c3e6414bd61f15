package web

import (
	"net"
	"syscall"
)

// tcpUserTimeout is TCP_USER_TIMEOUT (RFC 5482): after so many milliseconds without a confirmation
// of what was sent, the connection is over.
const tcpUserTimeout = 18

// boundSilence ends a connection whose client confirms nothing for silentMost. Without it the
// kernel sends again for a quarter of an hour, and the next heartbeat of a stream still finds room
// in its buffer.
func boundSilence(c net.Conn) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return // it is closed already
	}
	_ = raw.Control(func(fd uintptr) {
		// A Unix socket has no such option, and needs none.
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(silentMost.Milliseconds()))
	})
}
