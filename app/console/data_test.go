package console

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// TestExportPageNamesEveryFile: the page of the documentation has the row of each file.
func TestExportPageNamesEveryFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "docs", "pages", "export.md"))
	pagetest.Must(t, err)
	for _, f := range store.ExportFiles() {
		var fields []string
		for _, x := range f.Fields {
			fields = append(fields, "`"+x.Name+"` "+x.Kind)
		}
		row := "| `" + f.Name + "` | " + f.About + " | " + strings.Join(fields, ", ")
		if !strings.Contains(string(text), row) {
			t.Errorf("export.md lacks the row %s |", row)
		}
	}
}

// TestExportEverything: an owner asks, the file is written and sealed, a fresh proof downloads it,
// and it is gone after seven days. An administrator sees what is kept, and no export.
func TestExportEverything(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	b.Quick(b.Person(tenants.Admin)).Get("/settings/data").Want(200).Has("What is kept", "400 days").Lacks(`action="/settings/data/export"`)
	w.Get("/settings").Has(`href="/settings/data"`)
	w.Get("/settings/data").Want(200).Has(`action="/settings/data/export"`).Lacks("hx-get=")
	w.Get("/settings/data/export.zip").Want(404)
	w.Post("/settings/data/export", url.Values{}).Leads("/settings/data")
	w.Post("/settings/data/export", url.Values{}).Want(409)
	w.Get("/settings/data").Want(200).Has("Waiting", `hx-get="/settings/data/export"`)
	pagetest.Must(t, h.k.RunExports(t.Context()))
	w.Get("/settings/data/export").Want(200)
	w.Get("/settings/data").Want(200).Has("Ready", "Download").Lacks("hx-get=")

	dir := filepath.Join(h.k.Exports.Dir, "here")
	files, err := os.ReadDir(dir)
	pagetest.Must(t, err)
	if len(files) != 1 || !strings.HasSuffix(files[0].Name(), ".sealed") {
		t.Fatalf("files: %v", files)
	}
	raw, err := os.ReadFile(filepath.Join(dir, files[0].Name()))
	pagetest.Must(t, err)
	if bytes.Contains(raw, []byte("PK\x03\x04")) || bytes.Contains(raw, []byte("devices.jsonl")) {
		t.Error("the file is not sealed")
	}
	got := w.Get("/settings/data/export.zip").Want(200)
	z, err := zip.NewReader(strings.NewReader(got.Body), int64(len(got.Body)))
	pagetest.Must(t, err)
	if n := len(z.File); n != len(store.ExportFiles())+1 {
		t.Errorf("%d files", n)
	}
	h.k.Exports.Node = "there" // the visitor reaches another server
	w.Get("/settings/data/export.zip").Want(410).Has("no longer there", "Ask for a new export")
	h.k.Exports.Others = func(context.Context, string, string) (io.ReadCloser, error) { return nil, tenants.NoSuch("export") }
	w.Get("/settings/data/export.zip").Want(503).Has("does not run now")
	h.k.Exports.Others = func(_ context.Context, id, _ string) (io.ReadCloser, error) {
		return os.Open(filepath.Join(dir, id+".sealed"))
	}
	if there := w.Get("/settings/data/export.zip").Want(200); len(there.Body) != len(got.Body) {
		t.Errorf("from the other server: %d bytes, want %d", len(there.Body), len(got.Body))
	}
	h.k.Exports.Node, h.k.Exports.Others = "here", nil
	h.Clock.Pass(20 * time.Minute)
	if to := w.Get("/settings/data/export.zip").Want(303).Header.Get("Location"); !strings.HasPrefix(to, "/account/confirm") {
		t.Errorf("without a fresh proof the download leads to %s", to)
	}

	pagetest.Must(t, os.WriteFile(filepath.Join(dir, "left.part"), nil, 0o600)) // of a server that crashed
	pagetest.Must(t, h.k.SweepExports(t.Context()))
	if files, _ = os.ReadDir(dir); len(files) != 1 {
		t.Errorf("after the sweep: %v", files)
	}
	for name, age := range map[string]time.Duration{"gone": tenants.ExportKept + time.Hour, "busy": time.Hour} {
		other := filepath.Join(h.k.Exports.Dir, name)
		pagetest.Must(t, os.Mkdir(other, 0o700))
		at := h.Clock.Now().Add(tenants.ExportKept - age)
		pagetest.Must(t, os.Chtimes(other, at, at))
	}
	h.Clock.Pass(tenants.ExportKept)
	pagetest.Must(t, h.k.SweepExports(t.Context()))
	if nodes, _ := os.ReadDir(h.k.Exports.Dir); len(nodes) != 2 || nodes[0].Name() != "busy" {
		t.Errorf("folders of servers after the sweep: %v", nodes)
	}
	if files, _ = os.ReadDir(dir); len(files) != 0 {
		t.Errorf("after seven days: %v", files)
	}
	audits, _, err := b.Scope().Audits().List(t.Context(), store.AuditQuery{Action: "export."})
	pagetest.Must(t, err)
	var did []string
	for _, a := range audits {
		did = append([]string{strings.TrimPrefix(a.Action, "export.")}, did...)
	}
	if want := "ask begin ready download download expire"; strings.Join(did, " ") != want {
		t.Errorf("audit rows: %v, want %s", did, want)
	}
}

// TestExportNeedsRoom: a disk without room ends the export with a sentence, and leaves no file.
func TestExportNeedsRoom(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Post("/settings/data/export", url.Values{}).Leads("/settings/data")
	h.k.Exports.Free = func(string) (uint64, error) { return 1 << 20, nil }
	pagetest.Must(t, h.k.RunExports(t.Context()))
	w.Get("/settings/data").Want(200).Has("There is no file", "too little room")
	w.Post("/settings/data/export", url.Values{}).Want(503)
	if files, _ := os.ReadDir(filepath.Join(h.k.Exports.Dir, "here")); len(files) != 0 {
		t.Errorf("files: %v", files)
	}
}

// TestErasingPeople: an owner erases a member and somebody whose phone rings, once the name is
// typed.
func TestErasingPeople(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	gone := b.Person(tenants.Admin)
	erase := func(who, typed string) pagetest.Answer {
		return w.Post("/settings/data/erase?who="+url.QueryEscape(who), url.Values{"confirm": {typed}})
	}
	w.Get("/settings/data").Want(200).Has(`action="/settings/data/erase"`)
	w.Get("/settings/data/erase?who="+url.QueryEscape(gone.Email)).Want(200).Has("Their account is deleted", "cannot be undone")
	erase(gone.Email, "somebody").Want(422)
	erase(gone.Email, gone.Email).Leads("/settings/data")
	erase("beta-person", "beta-person").Leads("/settings/data")
	erase("not-a-person", "not-a-person").Want(404)
	w.Get("/settings/data").Want(200).Has("2 people are being erased")
	for left := 1; left > 0; {
		var err error
		left, err = h.Store.Jobs().Erase(t.Context())
		pagetest.Must(t, err)
	}
	w.Get("/people").Want(200).Lacks(gone.Email)
	w.Get("/devices").Want(200).Lacks("beta-person")
	w.Get("/audit").Want(200).Has("erased a person:").Lacks(gone.Email, "beta-person")
}

// TestDeletingATenant: everybody is locked out, an owner can undo it, and after 14 days it is gone.
func TestDeletingATenant(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w, admin := b.Quick(b.Owner), b.Quick(b.Person(tenants.Admin))
	admin.Get("/settings/data").Want(200).Lacks(`href="/settings/data/delete"`)
	w.Get("/settings/data/delete").Want(200).Has("14 days", "Backups")
	w.Post("/settings/data/delete", url.Values{"confirm": {"Alpha"}}).Want(422)
	w.Post("/settings/data/delete", url.Values{"confirm": {"Beta Homes"}}).Leads("/settings/data/keep")
	w.Get("/rings").Leads("/settings/data/keep")
	admin.Get("/rings").Want(403).Has("will be deleted on").Lacks("suspended this account")
	w.Get("/settings/data/keep").Want(200).Has("Keep Beta Homes?")
	w.Post("/settings/data/keep", url.Values{}).Leads("/settings/data")
	admin.Get("/rings").Want(200)
	w.Get("/settings/data/keep").Want(404)
	w.Post("/settings/data/delete", url.Values{"confirm": {"Beta Homes"}}).Leads("/settings/data/keep")
	h.Clock.Pass(tenants.DeletionGrace)
	ids, err := h.Store.Jobs().DueDeletions(t.Context())
	pagetest.Must(t, err)
	if len(ids) != 1 || ids[0] != b.Id {
		t.Fatalf("due: %v", ids)
	}
	for gone := false; !gone; {
		gone, err = h.Store.Jobs().DeleteTenant(t.Context(), b.Id)
		pagetest.Must(t, err)
	}
	if got := w.Get("/rings"); got.StatusCode == 200 {
		t.Error("a deleted tenant still opens")
	}
}
