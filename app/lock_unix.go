//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockFile is locked by the one server that runs on a data folder. The file alone means nothing.
const lockFile = "carillon.lock"

// lock reserves a data folder for one server until unlock is called or the process ends in any way:
// the system frees a flock(2) with the last descriptor of its file. Two servers on one folder would
// both act on the same calls and pushes. Short verbs beside a server take no lock; SQLite's own are
// enough for them.
func lock(dir string) (unlock func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the data folder %s cannot be made: %w", dir, err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the data folder %s cannot be locked; make the user who runs carillon its owner: %w", dir, err)
	}
	for {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = fmt.Errorf("another carillon is running on the data folder %s; stop it, or choose another folder with "+
			"--data or CARILLON_DATA", dir)
	case err != nil:
		err = fmt.Errorf("the data folder %s cannot be locked; put it on a disk of this machine: %w", dir, err)
	default:
		return func() error { return errors.Join(free(f), f.Close()) }, nil
	}
	return nil, errors.Join(err, f.Close())
}

// free unlocks even if another process holds the descriptor: a child that this process is starting
// has it too, until exec.
func free(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// writable reports whether this process may make files in a folder (access(2), W_OK and X_OK).
func writable(dir string) bool { return syscall.Access(dir, 3) == nil }
