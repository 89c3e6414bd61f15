//go:build !linux

package app

// containerMemory is not known here: control groups are Linux's.
func containerMemory() int64 { return 0 }
