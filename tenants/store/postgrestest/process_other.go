//go:build !linux

package postgrestest

import "syscall"

// unprivileged is whom to run as: the user of this process.
func unprivileged(string) (*syscall.SysProcAttr, error) { return &syscall.SysProcAttr{}, nil }

// dies changes nothing: only Linux ends a process with the one that started it.
func dies(p *syscall.SysProcAttr) *syscall.SysProcAttr { return p }
