package app

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

// TestBuilt: a build is known by its revision, by its version, or by its file.
func TestBuilt(t *testing.T) {
	t.Parallel()
	revision := []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "0123456789abcdef0123"}}
	for want, info := range map[string]*debug.BuildInfo{
		"0123456789ab": {Main: debug.Module{Version: "(devel)"}, Settings: revision},
		"v1.2.3":       {Main: debug.Module{Version: "v1.2.3"}},
		"":             {Main: debug.Module{Version: "(devel)"}},
	} {
		if got := builtFrom(info); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := builtFrom(nil); got != "" {
		t.Errorf("without information: %q", got)
	}
	path := filepath.Join(t.TempDir(), "carillon")
	for text, want := range map[string]string{"one": "sha256:7692c3ad3540", "two": "sha256:3fc4ccfe7458"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := hashOf(path); err != nil || got != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	if _, err := hashOf(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there has a hash")
	}
	if is := built(); is == "" || is == "devel" {
		t.Errorf("this program is %q", is)
	}
}
