package app

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"carillon/app/push/apnstest"
)

// outside gives the flags of what doctor asks outside of this machine: an Apple, and a clock that
// is right.
func outside(t *testing.T) []string {
	t.Helper()
	apple, err := apnstest.New(apnstest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = apple.Close() })
	ca := filepath.Join(t.TempDir(), "apple.pem")
	if err := os.WriteFile(ca, apple.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--apns-ca-file", ca, "--apns-production-url", apple.URL(apnstest.Production),
		"--apns-sandbox-url", apple.URL(apnstest.Sandbox), "--time-server", clock(t, 0)}
}

// clock is an NTP server that is off.
func clock(t *testing.T, off time.Duration) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { _ = conn.Close(); <-done })
	go func() {
		defer close(done)
		packet := make([]byte, 48)
		for {
			_, from, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			packet[0], packet[1] = 4<<3|4, 1
			binary.BigEndian.PutUint32(packet[40:], uint32(time.Now().Add(off).Sub(ntpEpoch)/time.Second))
			_, _ = conn.WriteTo(packet, from)
		}
	}()
	return conn.LocalAddr().String()
}

// contentsOf is what a folder holds.
func contentsOf(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	files := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		files[name] = sha256.Sum256(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestDoctor: doctor finds a wrong master key, a key file that does not open what is stored, a host
// that does not answer and a wrong clock, and changes nothing.
func TestDoctor(t *testing.T) {
	t.Parallel()
	apple, err := apnstest.New(apnstest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer apple.Close()
	data := t.TempDir()
	s, m := produce(t, []string{"--data", data}, apple)
	s.furnish(apple, m)
	if code := s.stop(); code != 0 {
		t.Fatal("the server did not stop well")
	}
	keys := t.TempDir()
	right, wrong := filepath.Join(keys, "right.key"), filepath.Join(keys, "wrong.key")
	for file, text := range map[string]string{right: testMasterKey, wrong: strings.Replace(testMasterKey, "AAEC", "BBEC", 1)} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := contentsOf(t, data)
	doctor := func(key string, more ...string) (int, string) {
		var out, errs bytes.Buffer
		args := append([]string{"doctor", "--data", data, "--public-url", "http://127.0.0.1", "--master-key-file", key}, outside(t)...)
		code := Run(t.Context(), append(args, more...), &out, &errs)
		return code, out.String()
	}
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, c := range []struct {
		key  string
		more []string
		code int
		says []string
	}{
		{right, nil, 0, []string{"ok   the newest .p8 credential opens", "ok   Apple's host", "ok   the clock agrees"}},
		{wrong, nil, 1, []string{"BAD  the database: the master key is not the one this database was used with"}},
		{right, []string{"--time-server", clock(t, 5*time.Minute)}, 1, []string{"BAD  the clock is -", "ok   Apple's host"}},
		{right, []string{"--apns-sandbox-url", "https://" + freeAddr(t)}, 1, []string{"BAD  Apple's host", "ok   Apple's host"}},
		{right, []string{"--rtc-ice-servers", "stun:" + silent.LocalAddr().String()}, 1, []string{"does not help phones"}},
		{right, []string{"--public-url", "https://ring.example.com"}, 1, []string{"BAD  CARILLON_TRUSTED_PROXIES is empty"}},
		{right, []string{"--public-url", "https://ring.example.com", "--trusted-proxies", "127.0.0.1"}, 0, nil},
		{right, []string{"--data", filepath.Join(data, "none")}, 1, []string{"BAD  the database: there is no database in"}},
	} {
		code, said := doctor(c.key, c.more...)
		for _, want := range c.says {
			if !strings.Contains(said, want) {
				t.Errorf("%v: %q is not said in\n%s", c.more, want, said)
			}
		}
		if code != c.code {
			t.Errorf("%v: exit code %d\n%s", c.more, code, said)
		}
		if strings.Contains(said, "on this database") {
			t.Errorf("%v: doctor knows of no server on SQLite, and says\n%s", c.more, said)
		}
	}
	after := contentsOf(t, data)
	for name, sum := range after {
		if before[name] != sum {
			t.Errorf("doctor changed %s", name)
		}
	}
	if _, err := os.Stat(filepath.Join(data, "none")); len(after) != len(before) || err == nil {
		t.Errorf("doctor left %v, there was %v", after, before)
	}
}
