package tenants_test

import (
	"bytes"
	"crypto/ed25519"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

const chainTenant tenants.TenantID = "0190aaaa-0000-7000-8000-000000000001"

type (
	rows  = []tenants.Audit
	heads = []tenants.AuditHead
)

// chainOf is a chain of n rows, and a head of each row that signed names.
func chainOf(key ed25519.PrivateKey, n int, signed ...int64) (rows []tenants.Audit, heads []tenants.AuditHead) {
	at := time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)
	var before tenants.AuditHash
	for i := range n {
		a := tenants.Audit{Seq: int64(i + 1), At: at.Add(time.Duration(i) * time.Second), Times: 1, Action: "device.set",
			Actor: tenants.Actor{Kind: tenants.ActorUser, ID: "0190aaaa-0000-7000-8000-00000000000e", Name: "Ana"}, IP: "192.0.2.7",
			Target: "0190aaaa-0000-7000-8000-00000000000d", TargetName: "Front desk", Detail: "name",
			Changes: []tenants.Change{{Field: "name", Before: "Desk", After: "Front desk"}}, Refused: i%5 == 4}
		a.Salt()
		a.Hash = a.Chained(before, chainTenant)
		before = a.Hash
		rows = append(rows, a)
		for _, s := range signed {
			if s == a.Seq {
				heads = append(heads, headOf(key, a))
			}
		}
	}
	return rows, heads
}

func headOf(key ed25519.PrivateKey, a tenants.Audit) tenants.AuditHead {
	h := tenants.AuditHead{Seq: a.Seq, Hash: a.Hash, At: a.At, Key: tenants.AuditKeyID(key.Public().(ed25519.PublicKey))}
	h.Signature = ed25519.Sign(key, h.Signed(chainTenant))
	return h
}

func exportOf(t testing.TB, key ed25519.PublicKey, rows []tenants.Audit, heads []tenants.AuditHead) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := tenants.NewAuditWriter(&out, chainTenant, key, tenants.AuditHead{})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range heads {
		if err := w.Head(h); err != nil {
			t.Fatal(err)
		}
	}
	for i := range rows {
		if err := w.Row(&rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestVerifierNamesTheFault: for each thing that is done to a chain the verifier names the first
// bad row and what happened to it.
func TestVerifierNamesTheFault(t *testing.T) {
	t.Parallel()
	public, private, _ := ed25519.GenerateKey(nil)
	otherPublic, otherPrivate, _ := ed25519.GenerateKey(nil)
	fresh := func() ([]tenants.Audit, []tenants.AuditHead) { return chainOf(private, 20, 7, 20) }
	rewrite := func(rows []tenants.Audit) {
		var before tenants.AuditHash
		for i := range rows {
			rows[i].Hash = rows[i].Chained(before, chainTenant)
			before = rows[i].Hash
		}
	}
	for name, c := range map[string]struct {
		do   func(rows, heads) (rows, heads)
		seq  int64
		code string
	}{
		"nothing": {func(r rows, h heads) (rows, heads) { return r, h }, 0, ""},
		"a bit of a text": {func(r rows, h heads) (rows, heads) {
			r[4].TargetName = "Gront desk"
			return r, h
		}, 5, "changed"},
		"a value before": {func(r rows, h heads) (rows, heads) {
			r[4].Changes = []tenants.Change{{Field: "name", Before: "Tesk", After: "Front desk"}}
			return r, h
		}, 5, "changed"},
		"an erased value": {func(r rows, h heads) (rows, heads) {
			r[4].Erase(tenants.AuditActorName)
			return r, h
		}, 0, ""},
		"a moment": {func(r rows, h heads) (rows, heads) {
			r[4].At = r[3].At
			return r, h
		}, 5, "changed"},
		"a refusal": {func(r rows, h heads) (rows, heads) {
			r[4].Refused = false
			return r, h
		}, 5, "changed"},
		"a hash": {func(r rows, h heads) (rows, heads) {
			r[4].Hash[3] ^= 1
			return r, h
		}, 5, "changed"},
		"a salt": {func(r rows, h heads) (rows, heads) {
			r[4].Salts[0][3] ^= 1
			return r, h
		}, 5, "changed"},
		"erased": {func(r rows, h heads) (rows, heads) {
			r[4].Erase(tenants.AuditActorName)
			r[4].Erase(tenants.AuditChanges)
			return r, h
		}, 0, ""},
		"a name put back": {func(r rows, h heads) (rows, heads) {
			r[4].Erase(tenants.AuditActorName)
			r[4].Actor.Name = "Bob"
			r[4].Salt()
			r[4].Erased[tenants.AuditActorName] = tenants.AuditHash{}
			return r, h
		}, 5, "changed"},
		"a row removed": {func(r rows, h heads) (rows, heads) {
			return append(r[:4:4], r[5:]...), h
		}, 5, "missing"},
		"the first row removed": {func(r rows, h heads) (rows, heads) { return r[1:], h }, 1, "missing"},
		"two rows swapped": {func(r rows, h heads) (rows, heads) {
			r[9], r[10] = r[10], r[9]
			return r, h
		}, 10, "missing"},
		"a row twice": {func(r rows, h heads) (rows, heads) {
			return append(r[:5:5], r[4:]...), h
		}, 5, "order"},
		"the tail cut": {func(r rows, h heads) (rows, heads) {
			return r[:18], h
		}, 19, "cut"},
		"all rows gone": {func(r rows, h heads) (rows, heads) { return nil, h }, 1, "cut"},
		"all written again": {func(r rows, h heads) (rows, heads) {
			r[2].Action = "device.add"
			rewrite(r)
			return r, h
		}, 7, "rewritten"},
		"written again and signed with another key": {func(r rows, _ heads) (rows, heads) {
			r[2].Action = "device.add"
			rewrite(r)
			return r, heads{headOf(otherPrivate, r[19])}
		}, 20, "key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, heads := c.do(fresh())
			v := tenants.NewAuditVerifier(chainTenant, public, tenants.AuditHead{})
			for _, h := range heads {
				_ = v.Head(h)
			}
			for i := range rows {
				_ = v.Row(&rows[i], rows[i].Hash)
			}
			said, err := tenants.VerifyAuditExport(bytes.NewReader(exportOf(t, public, rows, heads)), public)
			if err != nil {
				t.Fatal(err)
			}
			for what, got := range map[string]tenants.AuditVerdict{"rows": v.End(), "export": said} {
				switch {
				case c.code == "" && got.Fault != nil:
					t.Errorf("%s: %v", what, got.Fault)
				case c.code == "" && (got.Rows != 20 || got.SignedTo != 20):
					t.Errorf("%s: %+v", what, got)
				case c.code != "" && (got.Fault == nil || got.Fault.Code != c.code || got.Fault.Seq != c.seq):
					t.Errorf("%s: %v, want %s at %d", what, got.Fault, c.code, c.seq)
				}
			}
		})
	}
	rows, heads := fresh()
	whole := string(exportOf(t, public, rows, heads))
	lines := strings.SplitAfter(whole, "\n")
	for name, c := range map[string]struct{ text, code string }{
		"nothing":         {"", "format"},
		"another file":    {"seq,at\n1,2\n", "format"},
		"half a line":     {whole[:len(whole)/2], "format"},
		"no end":          {strings.Join(lines[:len(lines)-2], ""), "cut"},
		"no heads, a cut": {lines[0] + strings.Join(lines[3:10], ""), "cut"},
		"an end of less":  {lines[0] + strings.Join(lines[3:10], "") + lines[len(lines)-2], "cut"},
		"a line too long": {lines[0] + strings.Repeat("x", 2<<20), "format"},
		"a head late":     {lines[0] + lines[3] + lines[1], "format"},
		"another key":     {string(exportOf(t, otherPublic, rows, heads)), "key"},
	} {
		got, err := tenants.VerifyAuditExport(strings.NewReader(c.text), public)
		if err != nil || got.Fault == nil || got.Fault.Code != c.code {
			t.Errorf("%s: %v %v, want %s", name, got.Fault, err, c.code)
		}
	}
}

// TestNoValueBesideItsCommitment: the hash of a row covers what is left of an erased value, so that
// a value beside it could say anything.
func TestNoValueBesideItsCommitment(t *testing.T) {
	t.Parallel()
	public, private, _ := ed25519.GenerateKey(nil)
	all, _ := chainOf(private, 1)
	row := all[0]
	row.Erase(tenants.AuditActorName)
	if f := tenants.NewAuditVerifier(chainTenant, public, tenants.AuditHead{}).Row(&row, row.Hash); f != nil {
		t.Errorf("an erased value: %+v", f)
	}
	row.Actor.Name = "Mallory"
	if f := tenants.NewAuditVerifier(chainTenant, public, tenants.AuditHead{}).Row(&row, row.Hash); f == nil || f.Code != "changed" {
		t.Errorf("a value beside its commitment: %+v", f)
	}
}

// TestAuditHashIsWrittenDown holds the encoding: another program's verifier depends on it.
func TestAuditHashIsWrittenDown(t *testing.T) {
	t.Parallel()
	a := tenants.Audit{Seq: 1, At: time.UnixMicro(1_000_000), Times: 1, Action: "user.sign_in",
		Actor: tenants.Actor{Kind: tenants.ActorUser, ID: "0190aaaa-0000-7000-8000-00000000000e", Name: "Ana"}}
	const want = "86dc6fa066e280527c76b67eac233ba049cf7f1bb4e956d16a856470cfd74a63"
	if got := a.Chained(tenants.AuditHash{}, chainTenant).String(); got != want {
		t.Errorf("hash %s, want %s", got, want)
	}
}

// FuzzVerifyAuditExport: no file makes the reader of exports panic or believe a chain that is not
// signed by the key.
func FuzzVerifyAuditExport(f *testing.F) {
	seed := make([]byte, ed25519.SeedSize)
	private := ed25519.NewKeyFromSeed(seed)
	public := private.Public().(ed25519.PublicKey)
	rows, heads := chainOf(private, 3, 3)
	rows[1].Erase(tenants.AuditActorName)
	whole := exportOf(f, public, rows, heads)
	f.Add(whole)
	f.Add(whole[:len(whole)-40])
	f.Add([]byte("{\"kind\":\"chain\"}\n"))
	f.Add([]byte("\xff\x00\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := tenants.VerifyAuditExport(bytes.NewReader(file), public)
		if err != nil {
			t.Fatal(err)
		}
		if got.Fault == nil && got.SignedTo > 3 {
			t.Errorf("believed a chain to row %d", got.SignedTo)
		}
	})
}

func BenchmarkAuditChain(b *testing.B) {
	_, private, _ := ed25519.GenerateKey(nil)
	rows, _ := chainOf(private, 1)
	a := tenants.Audit{Seq: 1, At: rows[0].At, Times: 1, Action: "ring.place", Actor: tenants.Actor{Kind: tenants.ActorKey,
		ID: "0190aaaa-0000-7000-8000-00000000000e", Name: "Booking bot"}, Target: "0190aaaa-0000-7000-8000-00000000000d", IP: "192.0.2.7"}
	b.ReportAllocs()
	var before tenants.AuditHash
	for b.Loop() {
		a.Salt()
		before = a.Chained(before, chainTenant)
	}
}
