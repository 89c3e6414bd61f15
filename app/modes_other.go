//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package app

import "io/fs"

// private does nothing here: the system has no mask of file modes.
func private() {}

// privateFolder and privateKey accept everything here: who may read a file is not in its mode.
func privateFolder(string) error { return nil }

func privateKey(string, fs.FileInfo, int) error { return nil }
