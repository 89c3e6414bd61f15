package app

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/push/apnstest"
	"carillon/tenants/seal"
)

// TestKeysAndBackups: while rings are placed, the master key is changed and the folder is backed
// up, and no ring is refused. The restored folder is served with the new key alone, with every ring
// that was answered before the backup began.
func TestKeysAndBackups(t *testing.T) {
	t.Parallel()
	apple, err := apnstest.New(apnstest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer apple.Close()
	data, files := t.TempDir(), t.TempDir()
	old, fresh := filepath.Join(files, "old.key"), filepath.Join(files, "new.key")
	for name, text := range map[string]string{old: testMasterKey, fresh: seal.Generate()} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, m := produce(t, []string{"--data", data}, apple)
	device := s.furnish(apple, m)
	run := func(want int, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		if code := Run(t.Context(), args, &out, &out); code != want {
			t.Fatalf("%v: exit code %d\n%s", args, code, out.String())
		}
		return out.String()
	}
	rotate := []string{"keys", "rotate", "--data", data, "--master-key-file", fresh, "--master-key-file-old", old}
	if said := run(1, rotate...); !strings.Contains(said, "restart every server") {
		t.Errorf("a rotation before the server knows the new key:\n%s", said)
	}
	s.stop()
	both := []string{"--data", data, "--master-key-file", fresh, "--master-key-file-old", old}
	s = serves(t, both, apple)
	s.ready.APIKey = m.APIKey
	first := s.place(`{"to":{"person":"front-desk"}}`)
	stop := make(chan struct{})
	var busy sync.WaitGroup
	busy.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if status := s.call("POST", "/v1/rings", m.APIKey, `{"to":{"person":"front-desk"}}`, nil); status != 201 && status != 429 {
					t.Errorf("a ring is refused meanwhile: %d", status)
				}
			}
		}
	})
	said := run(0, rotate...)
	file := filepath.Join(files, "backup.tar.gz")
	backup := []string{"backup", file, "--data", data}
	packed := run(0, backup...)
	close(stop)
	busy.Wait()
	if !strings.Contains(said, "credentials: 1 of 1") || !strings.Contains(run(0, rotate...), "Everything is sealed") {
		t.Errorf("the rotation says\n%s", said)
	}
	id, _, _ := strings.Cut(fileText(t, fresh), ":")
	if !strings.Contains(packed, "this key is needed: "+id) {
		t.Errorf("the backup says\n%s", packed)
	}
	if said := run(1, backup...); !strings.Contains(said, "exists already") {
		t.Errorf("a second backup of the name:\n%s", said)
	}
	if said := run(1, "backup", file+"2", "--database-url", "postgres://a@127.0.0.1/a"); !strings.Contains(said, "pg_dump") {
		t.Errorf("a backup of PostgreSQL:\n%s", said)
	}
	restoreRefuses(t, run, file, data, old)
	restored := filepath.Join(t.TempDir(), "restored")
	said = run(0, "restore", file, "--data", restored, "--master-key-file", fresh)
	if !strings.Contains(said, "needs the master key "+id) {
		t.Errorf("the restore says\n%s", said)
	}
	again := serves(t, []string{"--data", restored, "--master-key-file", fresh}, apple)
	again.ready.APIKey = m.APIKey
	if status := again.call("GET", "/v1/rings/"+first.ID, m.APIKey, "", nil); status != 200 {
		t.Errorf("the copy answers %d for a ring from before it", status)
	}
	ring := again.place(`{"to":{"device":"` + device.ID + `"}}`)
	again.until(ring.ID, func(r toldRing) bool { return r.State == "pushed" })
}

// TestBackupsThatWereKilled: the next backup removes what they left, and leaves alone what may be
// under way.
func TestBackupsThatWereKilled(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Now()
	ages := map[string]time.Duration{unfinished + "killed": 13 * time.Hour, unfinished + "now": time.Hour, "other": 99 * time.Hour}
	for name, age := range ages {
		file := filepath.Join(dir, name, "packed")
		err := errors.Join(os.Mkdir(filepath.Dir(file), 0o700), os.WriteFile(file, nil, 0o600))
		for _, path := range []string{file, filepath.Dir(file)} {
			err = errors.Join(err, os.Chtimes(path, now.Add(-age), now.Add(-age)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// A folder that is old, with a file that still grows.
	growing := filepath.Join(dir, unfinished+"growing")
	if err := errors.Join(os.Mkdir(growing, 0o700), os.WriteFile(filepath.Join(growing, "packed"), nil, 0o600),
		os.Chtimes(growing, now.Add(-99*time.Hour), now.Add(-99*time.Hour)), removeLeft(dir, now)); err != nil {
		t.Fatal(err)
	}
	var left []string
	list, err := os.ReadDir(dir)
	for _, f := range list {
		left = append(left, f.Name())
	}
	if want := []string{unfinished + "growing", unfinished + "now", "other"}; err != nil || !slices.Equal(left, want) {
		t.Errorf("left are %q, want %q: %v", left, want, err)
	}
}

// restoreRefuses: nothing is restored over a folder that is in use, nor from a file that is not
// whole, nor with the wrong key.
func restoreRefuses(t *testing.T, run func(int, ...string) string, file, living, wrongKey string) {
	t.Helper()
	whole := []byte(fileText(t, file))
	bad := func(change func([]byte) []byte) string {
		name := filepath.Join(t.TempDir(), "bad.tar.gz")
		if err := os.WriteFile(name, change(bytes.Clone(whole)), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	empty := filepath.Join(t.TempDir(), "empty")
	for want, args := range map[string][]string{
		"is not empty":              {file, "--data", living},
		"does not hold: give":       {file, "--data", empty, "--master-key-file", wrongKey},
		"is no whole backup: it is": {bad(func([]byte) []byte { return []byte("text") }), "--data", empty},
		"cannot be read to its end": {bad(func(b []byte) []byte { return b[:len(b)*9/10] }), "--data", empty},
		"is no whole backup: the": {bad(func(b []byte) []byte {
			b[len(b)/2] ^= 1
			return b
		}), "--data", empty},
		"take it away": {file, "--data", empty, "--database-url", "postgres://a@127.0.0.1/a"},
	} {
		if said := run(1, append([]string{"restore"}, args...)...); !strings.Contains(said, want) {
			t.Errorf("%v does not say %q:\n%s", args, want, said)
		}
		if left, err := os.ReadDir(empty); err == nil && len(left) > 1 {
			t.Errorf("%v left %v", args, left)
		}
	}
}

func fileText(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
