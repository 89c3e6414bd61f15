package storetest

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testExports: an export has everything of its tenant, nothing of another one and no secret, and
// says so in its manifest. It passes from server to server, fails after three of them, and each
// step is in the audit log.
func testExports(b *bench) {
	ctx := b.Context()
	owner, stranger := b.tenant(), b.tenant()
	p := b.property(owner)
	b.roll(4)
	files := b.exported(owner)
	for name, line := range map[string]string{"devices.jsonl": string(p.device.ID), "agents.jsonl": string(p.agent.ID),
		"connections.jsonl": string(p.connection.ID),
		"keys.jsonl":        string(p.key.ID), "people.jsonl": string(p.member.ID), "facts.jsonl": `"placed"`, "alerts.jsonl": "canary"} {
		if !strings.Contains(files[name], line) {
			b.Errorf("%s lacks %s: %s", name, line, files[name])
		}
	}
	key, err := b.s.AuditKey(ctx)
	b.must(err)
	v, err := tenants.VerifyAuditExport(strings.NewReader(files["audit.jsonl"]), key.Public)
	if err != nil || v.Fault != nil || v.Rows == 0 {
		b.Errorf("audit.jsonl: %+v %v", v, err)
	}
	for name, text := range b.exported(stranger) {
		if strings.Contains(text, string(p.device.ID)) || strings.Contains(text, "canary") {
			b.Errorf("a stranger's %s has what is the owner's: %s", name, text)
		}
	}
	kept, err := owner.Kept(ctx)
	b.must(err)
	none, err := stranger.Kept(ctx)
	b.must(err)
	if last := kept[len(kept)-1]; last.Kind != tenants.DataRequests || last.Total.N == 0 || last.Oldest.IsZero() {
		b.Errorf("the requests of keys that are kept: %+v", last)
	}
	if kept[0].Total.N != 2 || kept[0].Oldest.IsZero() || none[0].Total.N != 0 || !none[0].Oldest.IsZero() ||
		len(kept) != len(tenants.DataKinds) {
		b.Errorf("kept: %+v and %+v", kept, none)
	}
	b.must(owner.Connections().Remove(ctx, p.connection.ID))
	if text := b.exported(owner)["connections.jsonl"]; strings.Contains(text, string(p.connection.ID)) {
		b.Errorf("a connection that was removed is exported: %s", text)
	}

	user := store.Who{Actor: tenants.Actor{Kind: tenants.ActorUser, ID: string(p.member.ID), Name: "Ada"}}
	asks := owner.By(user).Exports()
	b.must(asks.Ask(ctx))
	b.refused(asks.Ask(ctx), tenants.Conflict, "a second export")
	e, _, found, err := b.s.Jobs().BeginExport(ctx, "one")
	b.must(err)
	equal(b, found, true, "begun")
	_, _, found, err = b.s.Jobs().BeginExport(ctx, "two")
	b.must(err)
	equal(b, found, false, "begun twice")
	wanted, err := b.s.Jobs().ExportAt(ctx, e, "rings.jsonl", 7)
	b.must(err)
	equal(b, wanted, true, "wanted")
	got, _, err := asks.Get(ctx)
	b.must(err)
	if got.Rows != 7 || got.At != "rings.jsonl" || got.By.Name != "Ada" {
		b.Errorf("under way: %+v", got)
	}
	_, found, err = stranger.Exports().Get(ctx)
	b.must(err)
	equal(b, found, false, "a stranger's export")
	b.refused(stranger.Exports().Remove(ctx), tenants.Unknown, "a stranger's removal")
	_, _, err = stranger.Exports().Open(ctx)
	b.refused(err, tenants.Unknown, "a stranger's download")
	b.clock.add(3 * time.Minute) // the server ended
	late := e
	e, _, found, err = b.s.Jobs().BeginExport(ctx, "two")
	b.must(err)
	equal(b, found, true, "begun by another server")
	ended, err := b.s.Jobs().EndExport(ctx, late, 1, 1)
	b.must(err)
	equal(b, ended, false, "ended by the server that was silent")
	b.must(b.s.Jobs().FailExport(ctx, late, "late"))
	ended, err = b.s.Jobs().EndExport(ctx, e, 99, 1000)
	b.must(err)
	equal(b, ended, true, "ended")
	ids, err := b.s.Jobs().ExportFiles(ctx, "two")
	b.must(err)
	if len(ids) != 1 || ids[0] != e.ID {
		b.Errorf("files of the server: %v", ids)
	}
	got, _, err = asks.Open(ctx)
	b.must(err)
	if got.State != tenants.ExportReady || got.Rows != 99 {
		b.Errorf("ready: %+v", got)
	}
	b.clock.add(tenants.ExportKept)
	b.must(b.s.Jobs().ExpireExports(ctx))
	_, found, err = asks.Get(ctx)
	b.must(err)
	equal(b, found, false, "an export whose time is over")

	b.must(asks.Ask(ctx))
	for range 4 {
		_, _, _, err = b.s.Jobs().BeginExport(ctx, "one")
		b.must(err)
		b.clock.add(3 * time.Minute)
	}
	got, _, err = asks.Get(ctx)
	b.must(err)
	if got.State != tenants.ExportFailed || got.Why == "" {
		b.Errorf("after three servers: %+v", got)
	}
	b.must(asks.Remove(ctx))
	list, _, err := owner.Audits().List(ctx, store.AuditQuery{Action: "export."})
	b.must(err)
	var did []string
	for _, a := range list {
		did = append([]string{strings.TrimPrefix(a.Action, "export.")}, did...)
	}
	equal(b, strings.Join(did, " "), "ask begin begin ready download expire ask begin begin fail remove", "audit rows")
}

// exported are the files of an export, each checked against the manifest.
func (b *bench) exported(s *store.Scope) map[string]string {
	b.Helper()
	var out bytes.Buffer
	rows, err := s.Exports().Write(b.Context(), &out, func(string, int64) error { return nil })
	b.must(err)
	z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	b.must(err)
	files := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		b.must(err)
		text, err := io.ReadAll(r)
		b.must(errors.Join(err, r.Close()))
		files[f.Name] = string(text)
	}
	var m struct {
		Format int
		Files  []struct {
			Name, SHA256 string
			Rows         int64
		}
	}
	b.must(json.Unmarshal([]byte(files[store.ExportManifest]), &m))
	delete(files, store.ExportManifest)
	equal(b, len(m.Files), len(files), "files of the manifest")
	equal(b, len(m.Files), len(store.ExportFiles()), "files that are described")
	all := int64(0)
	for _, f := range m.Files {
		sum := sha256.Sum256([]byte(files[f.Name]))
		lines := bufio.NewScanner(strings.NewReader(files[f.Name]))
		lines.Buffer(nil, 1<<20)
		n := int64(0)
		for ; lines.Scan(); n++ {
			if !json.Valid(lines.Bytes()) {
				b.Errorf("%s: %s is no JSON", f.Name, lines.Text())
			}
		}
		if hex.EncodeToString(sum[:]) != f.SHA256 || n != f.Rows {
			b.Errorf("%s has %d lines, and is not as the manifest says: %+v", f.Name, n, f)
		}
		all += n
	}
	equal(b, rows, all, "rows")
	return files
}
