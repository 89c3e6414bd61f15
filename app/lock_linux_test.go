package app

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// TestAFolderIsFreeAtOnce: also while a program that was just started still has the descriptor of
// the lock.
func TestAFolderIsFreeAtOnce(t *testing.T) {
	t.Parallel()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	another, err := syscall.Dup(descriptor(t, filepath.Join(dir, lockFile)))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(another)
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	unlock, err = lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

// descriptor is this process's of a file that it has open.
func descriptor(t *testing.T, file string) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		if at, err := os.Readlink(filepath.Join("/proc/self/fd", d.Name())); err == nil && at == file {
			n, err := strconv.Atoi(d.Name())
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("%s is not open", file)
	return 0
}
