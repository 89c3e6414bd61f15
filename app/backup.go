package app

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"carillon/app/billing"
	"carillon/migrations"
	"carillon/tenants/store"
)

// A backup is a gzipped tar of two files: the manifest, then the database.
const (
	manifestName = "manifest.json"
	manifestMost = 1 << 20
	backupFormat = 1
	// lastBackup is a file in the data folder that says when the last backup was made, for doctor.
	lastBackup = "backup.json"
	backupOld  = 8 * 24 * time.Hour
	// unfinished begins the name of the folder beside FILE in which a backup is made. One that has
	// not changed for leftAfter belongs to a process that was killed.
	unfinished = ".carillon-backup-"
	leftAfter  = 12 * time.Hour
)

// manifest says what a backup holds. It holds no key, only the keys' ids.
type manifest struct {
	Format     int       `json:"format"`
	MadeAt     time.Time `json:"made_at"`
	Program    string    `json:"program"`     // what the program was built from
	Schema     int64     `json:"schema"`      // the last step of `carillon migrate status`
	MasterKeys []string  `json:"master_keys"` // ids of the keys that it needs
	Bytes      int64     `json:"bytes"`
	SHA256     string    `json:"sha256"` // of the database
}

type backupCmd struct {
	File string `arg:"" help:"File to write, such as carillon-2026-11-28.tar.gz. It must not exist." type:"path"`
	Database
}

// Help says what is in a backup.
func (b *backupCmd) Help() string {
	return `It writes a consistent copy of the SQLite database, with recordings and notes, while the server serves, checks the copy, and
packs it with a manifest. While it runs, the folder of FILE needs room for the database and the packed copy. What a backup that
was killed has left there is removed by the next one, after 12 hours. The master key is not in it: keep that in another place.
Exports are not in it: they can be asked for again.

On PostgreSQL it says what to do instead.`
}

// postgresBackups is what to do in place of a backup.
const postgresBackups = `on PostgreSQL its own tools make backups. A copy of one moment, as a role that bypasses row-level security:
  pg_dump --format=custom --file=carillon.dump "$ADMIN_URL"
To restore it, make the roles and an empty database that the role carillon owns, then
  pg_restore --no-owner --role=carillon --exit-on-error --single-transaction --dbname="$NEW_ADMIN_URL" carillon.dump
  vacuumdb --analyze-only "$NEW_ADMIN_URL"
Every moment of the last days: set archive_mode=on, wal_level=replica and an archive_command, take a base backup each night, and restore
it with a restore_command and recovery_target_time. The page /docs/keys-and-backups has each command; more at
https://www.postgresql.org/docs/current/continuous-archiving.html`

// Run makes a backup.
func (b *backupCmd) Run(ctx context.Context, c terminal) error {
	if b.URL != "" {
		return errors.New(postgresBackups)
	}
	if err := b.isPrivate(); err != nil {
		return err
	}
	if _, err := os.Lstat(b.File); err == nil {
		return fmt.Errorf("%s exists already; a backup replaces nothing: give another name", b.File)
	}
	if err := removeLeft(filepath.Dir(b.File), c.now()); err != nil {
		fmt.Fprintln(c.out, "What an earlier backup left when it was killed cannot be removed, and takes room:", err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(b.File), unfinished)
	if err != nil {
		return fmt.Errorf("no file can be made beside %s: %w", b.File, err)
	}
	defer os.RemoveAll(dir)
	fmt.Fprintln(c.out, "Copying the database of", b.Data)
	m, err := b.pack(ctx, dir, c.now())
	if err != nil {
		return err
	}
	said, err := json.Marshal(map[string]any{"made_at": m.MadeAt, "file": b.File, "bytes": m.Bytes})
	if err == nil {
		err = replaceFile(filepath.Join(b.Data, lastBackup), said)
	}
	if err != nil {
		return fmt.Errorf("the backup is complete, and doctor will not know of it: %w", err)
	}
	fmt.Fprintf(c.out, "%s holds %d bytes of database, schema %d. To restore it, this key is needed: %s\n", b.File, m.Bytes, m.Schema,
		keyNames(m.MasterKeys))
	return nil
}

// removeLeft removes the folders of backups that were killed: each holds the whole database,
// unpacked.
func removeLeft(dir string, now time.Time) error {
	list, err := os.ReadDir(dir)
	errs := []error{err}
	for _, f := range list {
		if !f.IsDir() || !strings.HasPrefix(f.Name(), unfinished) {
			continue
		}
		path := filepath.Join(dir, f.Name())
		if old, err := changedBefore(path, now.Add(-leftAfter)); err != nil {
			errs = append(errs, err)
		} else if old {
			errs = append(errs, os.RemoveAll(path))
		}
	}
	return errors.Join(errs...)
}

// changedBefore says whether a folder and everything in it last changed before a moment.
func changedBefore(dir string, at time.Time) (bool, error) {
	old := true
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			old = old && info.ModTime().Before(at)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) { // it ended meanwhile
		return false, nil
	}
	return old, err
}

func keyNames(ids []string) string {
	if len(ids) == 0 {
		return "none, nothing is sealed"
	}
	return strings.Join(ids, ", ")
}

// pack writes the file under another name first, so that a file of the name is always whole.
func (b *backupCmd) pack(ctx context.Context, dir string, now time.Time) (m manifest, err error) {
	database, packed := filepath.Join(dir, store.DatabaseFile), filepath.Join(dir, "packed")
	is, err := store.CopyFile(ctx, b.Data, database)
	if err != nil {
		return m, err
	}
	m = manifest{Format: backupFormat, MadeAt: now.UTC().Truncate(time.Second), Program: built(), Schema: is.Schema, MasterKeys: is.Keys,
		Bytes: is.Bytes}
	in, err := os.Open(database)
	if err != nil {
		return m, err
	}
	defer in.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, in); err != nil {
		return m, err
	}
	m.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return m, err
	}
	out, err := os.OpenFile(packed, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return m, err
	}
	err = errors.Join(m.write(ctx, out, in), out.Sync())
	if err = errors.Join(err, out.Close()); err != nil {
		return m, fmt.Errorf("the backup cannot be written: %w", err)
	}
	if err := os.Link(packed, b.File); err != nil { // unlike a rename it replaces nothing
		if errors.Is(err, fs.ErrExist) {
			return m, fmt.Errorf("%s was made by somebody else meanwhile; a backup replaces nothing: give another name", b.File)
		}
		if err := os.Rename(packed, b.File); err != nil { // a disk without links
			return m, err
		}
	}
	return m, syncFolder(filepath.Dir(b.File))
}

func (m manifest) write(ctx context.Context, out io.Writer, database io.Reader) error {
	zip, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	pack := tar.NewWriter(zip)
	for _, f := range []struct {
		name string
		size int64
		from io.Reader
	}{{manifestName, int64(len(text)), bytes.NewReader(text)}, {store.DatabaseFile, m.Bytes, database}} {
		if err := pack.WriteHeader(&tar.Header{Name: f.name, Mode: 0o600, Size: f.size, ModTime: m.MadeAt}); err != nil {
			return err
		}
		if _, err := io.Copy(pack, stopping{ctx, f.from}); err != nil {
			return err
		}
	}
	return errors.Join(pack.Close(), zip.Close())
}

// stopping reads until ctx is done.
type stopping struct {
	ctx context.Context
	r   io.Reader
}

// Read reads.
func (s stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}

// replaceFile writes a small file as a whole.
func replaceFile(name string, text []byte) error {
	if err := os.WriteFile(name+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// syncFolder makes the names in a folder survive a power cut.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = f.Sync() // not every file system can
	return f.Close()
}

// readBackup is when the last backup of a data folder was made, and its file.
func readBackup(dir string) (at time.Time, file string, err error) {
	text, err := os.ReadFile(filepath.Join(dir, lastBackup))
	var last struct {
		MadeAt time.Time `json:"made_at"`
		File   string    `json:"file"`
	}
	if err == nil {
		err = json.Unmarshal(text, &last)
	}
	return last.MadeAt, last.File, err
}

// backupAge says when the last backup of a data folder was made.
func backupAge(dir string, now time.Time) billing.Finding {
	at, file, err := readBackup(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return billing.Finding{OK: true, Text: "no backup of this folder was made with `carillon backup`: run it each day, or make sure " +
			"that something else copies the database"}
	}
	if err != nil {
		return billing.Finding{Text: fmt.Sprintf("%s cannot be read: %v; remove it and make a backup", filepath.Join(dir, lastBackup), err)}
	}
	age := now.Sub(at).Round(time.Hour)
	if age > backupOld {
		return billing.Finding{Text: fmt.Sprintf("the last backup is %d days old (%s): run `carillon backup` each day, for example from a "+
			"systemd timer, and look at what stopped it", int(age.Hours()/24), file)}
	}
	return billing.Finding{OK: true, Text: fmt.Sprintf("the last backup is %s old (%s)", age, file)}
}

type restoreCmd struct {
	File             string `arg:"" help:"A backup." type:"path"`
	MasterKeyFile    string `help:"The key file that belongs to the backup; with it, restore checks that it opens what is sealed." env:"CARILLON_MASTER_KEY_FILE" type:"path"`
	MasterKeyFileOld string `help:"An older key file." env:"CARILLON_MASTER_KEY_FILE_OLD" type:"path"`
	Database
}

// Help says what it refuses.
func (r *restoreCmd) Help() string {
	return `It restores a backup into an empty folder, after it has checked the whole of it against its manifest. It refuses a folder
with anything in it, and a backup of a newer program. Then run carillon migrate up, and start the server with the key file of that time.`
}

// Run restores a backup.
func (r *restoreCmd) Run(ctx context.Context, c terminal) (err error) {
	if r.URL != "" {
		return errors.New("CARILLON_DATABASE_URL is set, and this backup is of SQLite: take it away, or restore with pg_restore. " +
			"To move to PostgreSQL, restore into a folder and run `carillon copy`")
	}
	if err := r.isPrivate(); err != nil {
		return err
	}
	if err := isEmpty(r.Data); err != nil {
		return err
	}
	unlock, err := lock(r.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	unpacked := filepath.Join(r.Data, store.DatabaseFile+".restoring")
	defer os.Remove(unpacked)
	m, err := unpack(ctx, r.File, unpacked)
	if err != nil {
		return err
	}
	if err := r.opens(m); err != nil {
		return err
	}
	if err := store.ContinueFacts(ctx, unpacked, c.now()); err != nil {
		return err
	}
	if err := os.Rename(unpacked, filepath.Join(r.Data, store.DatabaseFile)); err != nil {
		return err
	}
	if err := syncFolder(r.Data); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "Restored the backup of %s to %s, schema %d. It needs the master key %s.\n", m.MadeAt.Format(time.RFC3339), r.Data,
		m.Schema, keyNames(m.MasterKeys))
	if m.Schema < migrations.Newest(migrations.SQLite) {
		fmt.Fprintln(c.out, "It is of an earlier version: run `carillon migrate up` before the server.")
	}
	return nil
}

// opens refuses key files that lack a key of the backup. Without one there is nothing to compare.
func (r *restoreCmd) opens(m manifest) error {
	if r.MasterKeyFile == "" {
		return nil
	}
	var faults configFaults
	keys := MasterKeys{r.MasterKeyFile, r.MasterKeyFileOld}.read(&faults)
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	for _, id := range m.MasterKeys {
		if !keys.Has(id) {
			return fmt.Errorf("the backup is sealed under the master key %s, which CARILLON_MASTER_KEY_FILE does not hold: give the key "+
				"file that was kept from that time, with --master-key-file or --master-key-file-old", id)
		}
	}
	return nil
}

// isEmpty refuses a folder that holds anything.
func isEmpty(dir string) error {
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range list {
		if f.Name() != lockFile && f.Name() != "lost+found" {
			return fmt.Errorf("the data folder %s is not empty (%s): stop the server, move the folder away and restore into a new one",
				dir, f.Name())
		}
	}
	return nil
}

// unpack checks a backup and writes its database to a new file, synced. What fails leaves nothing
// that a server would open.
func unpack(ctx context.Context, file, to string) (m manifest, err error) {
	damaged := func(why string, args ...any) error {
		return fmt.Errorf("%s is no whole backup: "+why+"; take another one", append([]any{file}, args...)...)
	}
	f, err := os.Open(file)
	if err != nil {
		return m, err
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		return m, damaged("it is not compressed by gzip (%v)", err)
	}
	pack := tar.NewReader(stopping{ctx, zip})
	head, err := pack.Next()
	if err != nil || head.Name != manifestName || head.Size > manifestMost {
		return m, damaged("it does not begin with a manifest")
	}
	if err := json.NewDecoder(pack).Decode(&m); err != nil {
		return m, damaged("its manifest cannot be read (%v)", err)
	}
	if newest := migrations.Newest(migrations.SQLite); m.Format != backupFormat || m.Schema > newest {
		return m, fmt.Errorf("%s was made by a newer program (format %d, schema %d; this one knows format %d, schema %d): restore it with "+
			"that program, %s", file, m.Format, m.Schema, backupFormat, newest, m.Program)
	}
	if head, err = pack.Next(); err != nil || head.Name != store.DatabaseFile || head.Size != m.Bytes {
		return m, damaged("the database is missing or has another size than its manifest says")
	}
	if free, err := diskFree(filepath.Dir(to)); err == nil && free < uint64(m.Bytes)+64<<20 {
		return m, fmt.Errorf("the disk of %s has %d MiB left, and the database has %d MiB: make room, or choose another folder with --data",
			filepath.Dir(to), free>>20, m.Bytes>>20)
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return m, err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, sum), pack)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		if ctx.Err() != nil {
			return m, ctx.Err()
		}
		return m, damaged("the database cannot be read to its end (%v)", err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != m.SHA256 {
		return m, damaged("the database is not the one that the manifest describes (SHA-256)")
	}
	return m, nil
}
