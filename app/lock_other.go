//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package app

// lock does nothing: this system has no flock(2), so two servers on one folder are not prevented.
func lock(string) (unlock func() error, err error) { return func() error { return nil }, nil }

// writable always says yes here; a write shows the truth.
func writable(string) bool { return true }
