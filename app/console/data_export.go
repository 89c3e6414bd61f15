package console

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/tenants/seal"
	"carillon/views"
)

// ExportFolder is where this server keeps the files of exports.
type ExportFolder struct {
	Dir  string // empty = none are made
	Node string // the name of this server among those on one database
	// Free says how many bytes are free on the disk of a folder; nil = not known.
	Free func(dir string) (uint64, error)
	// Others opens the sealed file of an export that another server has; node names the one that
	// wrote it. It refuses with Unknown where none of those that run has it, and with Gone where
	// the one that wrote it runs and has lost it; nil = there are no others.
	Others func(ctx context.Context, id, node string) (io.ReadCloser, error)
}

// exportPartMost bounds a part of a file that another server asks for. A message between servers
// takes a megabyte.
const exportPartMost = 256 << 10

// Part is a part of the sealed file of an export that this server has, from a byte on, and whether
// it is the last one. It refuses a file that is not here with Unknown, and with Gone if node, which
// wrote it, is this server.
func (f ExportFolder) Part(id, node string, at int64) (data []byte, last bool, err error) {
	if !tenants.ValidID(id) || f.Dir == "" || at < 0 {
		return nil, false, tenants.NoSuch("export")
	}
	file, err := os.Open(f.path(id, exportFull))
	if errors.Is(err, fs.ErrNotExist) {
		if node == f.Node {
			return nil, false, tenants.Refuse(tenants.Gone, "export_gone", exportGone)
		}
		return nil, false, tenants.NoSuch("export")
	}
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	data = make([]byte, exportPartMost)
	n, err := file.ReadAt(data, at)
	if last = errors.Is(err, io.EOF); last {
		err = nil
	}
	return data[:n], last, err
}

// exportFree is what stays free on the disk.
const exportFree = 1 << 30

// room refuses where the disk has too little room to begin or go on.
func (f ExportFolder) room() error {
	if f.Dir == "" {
		return tenants.Refuse(tenants.Unavailable, "exports_off", exportOff)
	}
	if f.Free == nil {
		return nil
	}
	if free, err := f.Free(filepath.Dir(f.Dir)); err == nil && free < exportFree {
		return tenants.Refuse(tenants.Unavailable, "storage_full", exportNoRoom)
	}
	return nil
}

// The endings of files: one that is being written, and one that is complete.
const (
	exportPart = ".part"
	exportFull = ".sealed"
)

func (f ExportFolder) path(id, ending string) string { return filepath.Join(f.Dir, f.Node, id+ending) }

// RunExports writes the exports that people asked for, one after the other.
func (k *Console) RunExports(ctx context.Context) error {
	for k.Exports.Dir != "" && ctx.Err() == nil {
		e, key, found, err := k.Store.Jobs().BeginExport(ctx, k.Exports.Node)
		if err != nil || !found {
			return err
		}
		if err := k.runExport(ctx, e, key); err != nil {
			return err
		}
	}
	return nil
}

// errUnwanted ends an export that somebody removed.
var errUnwanted = errors.New("the export was removed")

func (k *Console) runExport(ctx context.Context, e tenants.Export, key *seal.Key) error {
	rows, size, err := k.writeExport(ctx, e, key)
	if err != nil {
		_ = os.Remove(k.Exports.path(e.ID, exportPart)) // the sweep removes what is left
	}
	var refusal *tenants.Error
	switch {
	case err == nil:
		if ended, err := k.Store.Jobs().EndExport(ctx, e, rows, size); err != nil || !ended {
			return err
		}
		return k.mailExport(ctx, e)
	case errors.Is(err, errUnwanted):
		return nil
	case ctx.Err() != nil: // this server stops
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		return k.Store.Jobs().LeaveExport(last, e)
	case errors.As(err, &refusal) && refusal.Code == "storage_full":
		return k.Store.Jobs().FailExport(ctx, e, exportNoRoom)
	}
	k.Log.LogAttrs(ctx, slog.LevelError, "export failed", slog.String("tenant", string(e.Tenant)), slog.String("err", err.Error()))
	return k.Store.Jobs().FailExport(ctx, e, exportFailed)
}

// writeExport writes the file under another name, and gives it its own once it is complete and on
// the disk.
func (k *Console) writeExport(ctx context.Context, e tenants.Export, key *seal.Key) (rows, size int64, err error) {
	if err := k.Exports.room(); err != nil {
		return 0, 0, err
	}
	at := k.Exports.path(e.ID, exportPart)
	if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
		return 0, 0, err
	}
	f, err := os.OpenFile(at, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, 0, err
	}
	sealed := key.Writer(f, exportOf(e)...)
	out := &exportOut{to: sealed, room: k.Exports.room}
	said := time.Time{}
	rows, err = k.Store.For(e.Tenant).Exports().Write(ctx, out, func(file string, rows int64) error {
		if k.Now().Sub(said) < time.Second {
			return nil
		}
		said = k.Now()
		wanted, err := k.Store.Jobs().ExportAt(ctx, e, file, rows)
		if err == nil && !wanted {
			err = errUnwanted
		}
		return err
	})
	if err == nil {
		err = sealed.Close()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return rows, out.size, err
	}
	return rows, out.size, os.Rename(at, k.Exports.path(e.ID, exportFull))
}

func exportOf(e tenants.Export) []string { return []string{string(e.Tenant), "exports", e.ID} }

// exportOut counts the bytes of a file, and looks at the disk now and then.
type exportOut struct {
	to   io.Writer
	room func() error
	size int64
	seen int64 // the size at the last look
}

func (o *exportOut) Write(p []byte) (int, error) {
	if o.size-o.seen > 64<<20 {
		if err := o.room(); err != nil {
			return 0, err
		}
		o.seen = o.size
	}
	n, err := o.to.Write(p)
	o.size += int64(n)
	return n, err
}

// mailExport writes to the person who asked, if they are still a member.
func (k *Console) mailExport(ctx context.Context, e tenants.Export) error {
	if k.Mail == nil || e.By.Kind != tenants.ActorUser {
		return nil
	}
	t, err := k.Store.For(e.Tenant).Tenant(ctx)
	if err != nil {
		return err
	}
	u, err := k.Store.Users().Get(ctx, tenants.UserID(e.By.ID))
	if tenants.KindOf(err) == tenants.Unknown {
		return nil
	}
	if err != nil {
		return err
	}
	return k.Mail.Send(exportMail(u, t, k.PublicURL+views.PathData).In(cmp.Or(u.Language, t.Language)))
}

// SweepExports removes exports whose time is over, and files that belong to none.
func (k *Console) SweepExports(ctx context.Context) error {
	if k.Exports.Dir == "" {
		return nil
	}
	if err := k.Store.Jobs().ExpireExports(ctx); err != nil {
		return err
	}
	if err := k.sweepLeft(ctx); err != nil {
		return err
	}
	files, err := os.ReadDir(filepath.Join(k.Exports.Dir, k.Exports.Node)) // before the rows: a new file then has its row
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	ids, err := k.Store.Jobs().ExportFiles(ctx, k.Exports.Node)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, id := range ids {
		known[id] = true
	}
	for _, f := range files {
		id, _, _ := strings.Cut(f.Name(), ".")
		if !known[id] {
			err = errors.Join(err, os.Remove(filepath.Join(k.Exports.Dir, k.Exports.Node, f.Name())))
		}
	}
	return err
}

// sweepLeft removes the folders of servers that are gone: no export has its file there, and nothing
// was written for longer than a file is kept.
func (k *Console) sweepLeft(ctx context.Context) error {
	nodes, err := os.ReadDir(k.Exports.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, node := range nodes {
		info, failed := node.Info()
		if failed != nil || !node.IsDir() || node.Name() == k.Exports.Node || k.Now().Sub(info.ModTime()) <= tenants.ExportKept {
			continue // also where another server removed it
		}
		ids, failed := k.Store.Jobs().ExportFiles(ctx, node.Name())
		if failed == nil && len(ids) == 0 {
			failed = os.RemoveAll(filepath.Join(k.Exports.Dir, node.Name()))
		}
		err = errors.Join(err, failed)
	}
	return err
}

// openExport finds the file of the visitor's tenant, and gives what sends it.
func (k *Console) openExport(ctx context.Context, v *page.Visitor) (send func(io.Writer) error, err error) {
	e, found, err := v.Scope.Exports().Get(ctx)
	if err != nil {
		return nil, err
	}
	if !found || e.State != tenants.ExportReady {
		return nil, tenants.NoSuch("export")
	}
	f, err := k.exportFile(ctx, e)
	if err != nil {
		return nil, err
	}
	e, key, err := v.Scope.Exports().Open(ctx)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func(w io.Writer) error {
		return errors.Join(key.Unseal(w, f, exportOf(e)...), f.Close())
	}, nil
}

// exportFile opens the sealed file here, or at the server that has it.
func (k *Console) exportFile(ctx context.Context, e tenants.Export) (io.ReadCloser, error) {
	if e.Node == k.Exports.Node {
		f, err := os.Open(k.Exports.path(e.ID, exportFull))
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if k.Exports.Others != nil {
		f, err := k.Exports.Others(ctx, e.ID, e.Node)
		if kind := tenants.KindOf(err); err == nil || kind != tenants.Unknown && kind != tenants.Unavailable {
			return f, err
		}
	}
	if e.Node == k.Exports.Node || k.Exports.Others == nil {
		return nil, tenants.Refuse(tenants.Gone, "export_gone", exportGone)
	}
	return nil, tenants.Refuse(tenants.Unavailable, "export_elsewhere", exportElsewhere)
}
