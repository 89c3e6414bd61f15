//go:build unix

package bench

import "syscall"

// pause stops a process without its knowledge, as a machine does that hangs.
func pause(c *child) error { return c.cmd.Process.Signal(syscall.SIGSTOP) }

// unpause lets it go on.
func unpause(c *child) error { return c.cmd.Process.Signal(syscall.SIGCONT) }

// terminate asks a server to end in order.
func terminate(c *child) error { return c.cmd.Process.Signal(syscall.SIGTERM) }
