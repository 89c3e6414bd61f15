package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// TestCheckpoint: what was committed is in SQLite's log until a checkpoint, and then in the
// database file as well. (Reading the file lets go of this process's locks on it, POSIX says; no
// other process is here to mind.)
func TestCheckpoint(t *testing.T) {
	t.Parallel()
	c := config(t)
	s := storetest.OpenConfig(t, c)
	file := func() []byte {
		b, err := os.ReadFile(filepath.Join(c.Dir, "carillon.db"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	id := tenants.NewID[tenants.TenantID](c.Now())
	err := s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: "kept", Name: "Kept", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(file(), store.Bytes(id)) {
		t.Error("the database file has a commit before any checkpoint")
	}
	if err := s.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(file(), store.Bytes(id)) {
		t.Error("the database file lacks a commit after a checkpoint")
	}
}
