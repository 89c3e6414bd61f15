package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"carillon/app/bus"
	"carillon/app/bus/natstest"
	"carillon/app/console"
	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
)

// TestAnotherNodeHasTheExport: the file of an export is read from the node that has it, however
// large it is, and no other file is.
func TestAnotherNodeHasTheExport(t *testing.T) {
	t.Parallel()
	nats, err := natstest.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nats.Stop)
	dir := t.TempDir()
	var nodes []store.Node
	var buses []*bus.Shared
	for _, name := range []string{"asks", "has-none", "has-it"} {
		id := tenants.NewID[tenants.NodeID](time.Now())
		b, err := bus.Share(bus.SharedConfig{Servers: []string{nats.URL()}, Node: id, Name: name, Revoked: func(tenants.TenantID) {},
			Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		})
		b.Serve(answerNodes(console.ExportFolder{Dir: dir, Node: name}, switchboard.Held{}))
		nodes, buses = append(nodes, store.Node{ID: id, Name: name, Shared: true}), append(buses, b)
	}
	want := make([]byte, 700_000)
	rand.Read(want)
	id := string(tenants.NewID[tenants.RingID](time.Now()))
	for name, content := range map[string][]byte{filepath.Join("has-it", id+".sealed"): want, "secret.sealed": []byte("secret")} {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := otherExports{nodes[0].ID, func(context.Context) ([]store.Node, error) { return nodes, nil }, buses[0].Ask}
	r, err := o.open(t.Context(), id, "has-it")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
	}
	for _, wrong := range []string{string(tenants.NewID[tenants.RingID](time.Now())), "../secret", ""} {
		if _, err := o.open(t.Context(), wrong, "stopped"); tenants.KindOf(err) != tenants.Unknown {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	lost := string(tenants.NewID[tenants.RingID](time.Now()))
	if _, err := o.open(t.Context(), lost, "has-none"); tenants.KindOf(err) != tenants.Gone {
		t.Errorf("lost by the node that wrote it: %v", err)
	}
}
