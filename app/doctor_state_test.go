package app

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"carillon/app/bus/natstest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// TestDoctorFindings: each thing that doctor looks at says the cause and the cure.
func TestDoctorFindings(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	ends := func(in time.Duration) []tenants.Credential {
		return []tenants.Credential{{Kind: tenants.P12, Bundle: "com.example.elm", State: tenants.CredentialActive, NotAfter: now.Add(in)}}
	}
	day := 24 * time.Hour
	for in, want := range map[time.Duration]string{40 * day: "no certificate", 20 * day: "ends on 2026-06-21; make a new one",
		-day: "ended on 2026-05-31, so Apple takes no push"} {
		got := certificates(ends(in), now)
		if len(got) != 1 || !strings.Contains(got[0].Text, want) || got[0].OK != (in > 30*day) {
			t.Errorf("a certificate that ends in %v: %+v", in, got)
		}
	}
	many := []tenants.Credential{}
	for range 20 {
		many = append(many, ends(day)...)
	}
	if got := certificates(many, now); len(got) != certificatesMost+1 {
		t.Errorf("%d findings about many certificates", len(got))
	}
	for in, good := range map[time.Duration]bool{100 * day: true, 20 * day: false, -day: false} {
		if got := months(now.Add(in), false, now); len(got) != 1 || got[0].OK != good {
			t.Errorf("tables of months that end in %v: %+v", in, got)
		}
	}
	if got := months(now.Add(100*day), true, now); len(got) != 2 || got[1].OK || !strings.Contains(got[1].Text, "rings_others") {
		t.Errorf("rings without a table of their month: %+v", got)
	}
	dir := t.TempDir()
	for text, want := range map[string]string{"": "no backup of this folder",
		`{"made_at":"2026-05-31T12:00:00Z","file":"a"}`: "24h0m0s old (a)",
		`{"made_at":"2026-05-01T12:00:00Z"}`:            "31 days old", "x": "cannot be read"} {
		if text != "" {
			if err := os.WriteFile(filepath.Join(dir, lastBackup), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		} else if err := os.RemoveAll(filepath.Join(dir, lastBackup)); err != nil {
			t.Fatal(err)
		}
		if got := backupAge(dir, now); !strings.Contains(got.Text, want) {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

// TestDoctorComparesNodes: each node is named with what it is, and clocks and versions that differ
// are faults.
func TestDoctorComparesNodes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	a := store.Node{Name: "a", Program: "abc123", Step: 68, Started: now.Add(-5 * time.Hour), ClockOff: 300 * time.Millisecond}
	b := a
	if got := unlike([]store.Node{a, b}, nil, now); len(got) != 0 {
		t.Errorf("two alike: %+v", got)
	}
	if got := whatNode(a); got != "build abc123, schema 68, clock +0.3 s" {
		t.Error(got)
	}
	b.Program, b.Step, b.ClockOff, b.Started = "", 0, -2*time.Second, now.Add(-3*time.Hour)
	if got := whatNode(b); !strings.Contains(got, "earlier version") {
		t.Error(got)
	}
	got := unlike([]store.Node{a, b}, nil, now)
	if len(got) != 2 || got[0].OK || got[1].OK || !strings.Contains(got[0].Text, "2.3 s apart") ||
		!strings.Contains(got[1].Text, "2 versions have run beside each other for 3h0m0s") {
		t.Errorf("a clock and a version differ: %+v", got)
	}
}

// TestDoctorAsksNATS: a server that speaks NATS is named with its version, and another one is not
// taken for it.
func TestDoctorAsksNATS(t *testing.T) {
	t.Parallel()
	for says, want := range map[string]string{"INFO {\"version\":\"2.10.1\"}\r\n": "answers (version 2.10.1)",
		"SSH-2.0-x\r\n": "does not speak the protocol of NATS"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan struct{})
		go func() {
			defer close(served)
			if conn, err := l.Accept(); err == nil {
				_, _ = conn.Write([]byte(says))
				_ = conn.Close()
			}
		}()
		got := askNATS(t.Context(), "nats://user:canary@"+l.Addr().String())
		if !strings.Contains(got.Text, want) || strings.Contains(got.Text, "canary") {
			t.Errorf("%q: %+v", says, got)
		}
		<-served
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	if got := askNATS(t.Context(), "nats://"+freeAddr(t)); got.OK || !strings.Contains(got.Text, "start it, or correct CARILLON_NATS_URL") {
		t.Errorf("nobody listens: %+v", got)
	}
}

// TestDoctorConnectsToNATS: one that asks for what we do not have is bad, and says what to correct.
func TestDoctorConnectsToNATS(t *testing.T) {
	t.Parallel()
	ours, err := natstest.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	s, err := natstest.NewSecure(ours, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, ours.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	for ca, want := range map[string]string{file: "answers (version", "": "authority that is not known here; correct CARILLON_NATS_URL"} {
		c := Cluster{NATSCAFile: ca}
		if got := c.tryNATS(askNATS(t.Context(), s.URL()), s.URL()); got.OK != (ca != "") || !strings.Contains(got.Text, want) {
			t.Errorf("with the authority %q: %+v", ca, got)
		}
	}
}
