//go:build unix

package app

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestOpenFoldersAreRefused: no verb uses a data folder that all users of the machine can read, and
// each says the command that closes it.
func TestOpenFoldersAreRefused(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "it's data")
	wants(t, 0, "applied", "migrate", "up", "--data", data)
	if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder that migrate makes: %v, %v", info.Mode(), err)
	}
	apple := outside(t)
	for _, mode := range []os.FileMode{0o755, 0o701, 0o704, 0o777 | os.ModeSticky} {
		chmod(t, data, mode)
		cure := "run `chmod 700 '" + strings.ReplaceAll(data, "'", `'\''`) + "'`"
		if mode&os.ModeSticky != 0 {
			cure = "set CARILLON_DATA='" + strings.ReplaceAll(data, "'", `'\''`) + "/carillon'"
		}
		for _, verb := range [][]string{{"serve"}, {"migrate", "up"}, {"migrate", "status"}, append([]string{"doctor"}, apple...),
			{"user", "disable", "--email", "a@b.example"}} {
			code, said := say(t, append(verb, "--data", data)...)
			if code != 1 || !strings.Contains(said, cure) || !strings.Contains(said, "CARILLON_DATA: "+data+" is open to all users") {
				t.Errorf("%s with mode %o: %d, want %s in\n%s", verb, mode, code, cure, said)
			}
		}
	}
	for _, mode := range []os.FileMode{0o700, 0o750, 0o770 | os.ModeSetgid} { // the last is a volume of Kubernetes
		chmod(t, data, mode)
		wants(t, 0, "up to date", "migrate", "up", "--data", data)
	}
}

func chmod(t *testing.T, name string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}

// TestOpenKeysAreRefused: the master key is readable by its owner only.
func TestOpenKeysAreRefused(t *testing.T) {
	t.Parallel()
	key := filepath.Join(t.TempDir(), "master.key")
	if err := os.WriteFile(key, []byte(testMasterKey), 0o600); err != nil {
		t.Fatal(err)
	}
	apple := outside(t)
	for mode, who := range map[os.FileMode]string{0o600: "", 0o400: "", 0o640: "its group", 0o440: "its group", 0o620: "its group",
		0o644: "all users of this machine", 0o604: "all users of this machine", 0o602: "all users of this machine"} {
		chmod(t, key, mode)
		for _, verb := range []string{"serve", "doctor"} {
			args := []string{verb, "--master-key-file", key, "--data", t.TempDir()} // and no --public-url: it is not started
			if verb == "doctor" {
				args = append(args, apple...)
			}
			_, said := say(t, args...)
			refused := strings.Contains(said, "CARILLON_MASTER_KEY_FILE: "+key+" is open to "+who) &&
				strings.Contains(said, "run `chmod 600 "+key+"`")
			if refused != (who != "") {
				t.Errorf("%s with mode %o:\n%s", verb, mode, said)
			}
		}
	}
}

// mounted is a file as the system shows it.
type mounted struct {
	mode fs.FileMode
	uid  int
}

func (m mounted) Name() string       { return "master.key" }
func (m mounted) Size() int64        { return 0 }
func (m mounted) Mode() fs.FileMode  { return m.mode }
func (m mounted) ModTime() time.Time { return time.Time{} }
func (m mounted) IsDir() bool        { return false }
func (m mounted) Sys() any           { return &syscall.Stat_t{Uid: uint32(m.uid)} }

// TestKeysOfRoot: root may give a key to the group of a service, as secrets of Kubernetes and
// credentials of systemd are given. The user of the service may not be root then.
func TestKeysOfRoot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		file mounted
		uid  int
		cure string // "" = accepted
	}{
		{mounted{0o440, 0}, 1000, ""}, {mounted{0o640, 0}, 1000, ""}, {mounted{0o400, 1000}, 1000, ""},
		{mounted{0o440, 0}, 0, "`chmod 600 /run/master.key`"},
		{mounted{0o460, 0}, 1000, "set fsGroup, and defaultMode: 0400"}, {mounted{0o444, 0}, 1000, "chmod 440 /run/master.key`"},
		{mounted{0o440, 1000}, 1000, "`chmod 600 /run/master.key`"}, {mounted{0o440, 7}, 1000, "`chown 1000 /run/master.key && chmod 600"},
	} {
		err := privateKey("/run/master.key", c.file, c.uid)
		if c.cure == "" && err != nil || c.cure != "" && (err == nil || !strings.Contains(err.Error(), c.cure)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestDevClosesItsFolder: dev mode closes an empty folder and its own, and refuses another's.
func TestDevClosesItsFolder(t *testing.T) {
	t.Parallel()
	own, foreign := filepath.Join(t.TempDir(), "own"), t.TempDir()
	for _, files := range [][]string{nil, {keyName, "carillon.db"}} {
		if err := os.MkdirAll(own, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if err := os.WriteFile(filepath.Join(own, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			chmod(t, filepath.Join(own, name), 0o644)
		}
		chmod(t, own, 0o755)
		if err := ownFolder(own); err != nil {
			t.Error(err)
		}
		for _, name := range append([]string{"."}, files[:min(1, len(files))]...) {
			if info, err := os.Stat(filepath.Join(own, name)); err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(foreign, "letter.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	chmod(t, foreign, 0o755)
	wants(t, 1, "--data: "+foreign+" is open to all users", "dev", "--data", foreign, "--addr", "127.0.0.1:0")
	if info, err := os.Stat(foreign); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("another's folder became %v, %v", info.Mode(), err)
	}
}
