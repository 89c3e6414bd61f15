package app

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"runtime/debug"
	"sync"
)

// built is what the program was built from: the revision of its source, or its version. One that
// was built without both, as a container's is, is known by the hash of its file, so that two of
// them do not look alike.
var built = sync.OnceValue(func() string {
	info, _ := debug.ReadBuildInfo()
	if is := builtFrom(info); is != "" {
		return is
	}
	is, err := hashOf("/proc/self/exe") // also where another file has its name by now
	if err != nil {
		if path, e := os.Executable(); e == nil {
			is, _ = hashOf(path)
		}
	}
	return cmp.Or(is, "devel")
})

// builtFrom is the revision or the version that a build says; empty = it says none.
func builtFrom(info *debug.BuildInfo) string {
	if info == nil {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	if info.Main.Version == "(devel)" { // a build without a version
		return ""
	}
	return info.Main.Version
}

// hashOf is the beginning of a file's SHA-256.
func hashOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))[:12], nil
}
