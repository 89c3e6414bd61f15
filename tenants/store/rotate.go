package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"carillon/tenants/seal"
)

// sealedColumn is one column that is sealed under the master key, and what its blobs are bound to.
type sealedColumn struct {
	table, column string
	keys          []string // find a row; the ids come first, in the order in which they are bound
	text          bool     // the keys are texts, not UUIDs
	bound         func(keys []string) []string
}

func inTable(table string) func([]string) []string {
	return func(k []string) []string { return append([]string{table}, k...) }
}

// inTenant binds to tenant, table and row; a row that belongs to no tenant has an empty one.
func inTenant(table string) func([]string) []string {
	return func(k []string) []string {
		if len(k) == 1 {
			return []string{"", table, k[0]}
		}
		return []string{k[0], table, k[1]}
	}
}

// perTenant binds to the tenant and the table, which has one row for each.
func perTenant(table string) func([]string) []string {
	return func(k []string) []string { return []string{k[0], table} }
}

// sealedColumns is every column that is sealed under the master key. Recordings and exports are
// sealed under keys of their own, which are in recording_keys and exports, so their files and
// chunks stay as they are. key_checks is last: a server that does not know the new key refuses to
// start from then on.
var sealedColumns = []sealedColumn{
	{"credentials", "secret", []string{"tenant_id", "id"}, false, inTenant("credentials")},
	{"agents", "secret", []string{"tenant_id", "id"}, false, inTenant("agents")},
	{"connections", "sealed", []string{"tenant_id", "id"}, false, inTenant("connections")},
	{"alert_targets", "secret", []string{"tenant_id", "id"}, false, inTenant("alert_targets")},
	{"oidc_providers", "sealed", []string{"tenant_id"}, false, perTenant("oidc_providers")},
	{"recording_keys", "sealed", []string{"tenant_id"}, false, perTenant("recording_keys")},
	{"exports", "sealed", []string{"tenant_id", "id"}, false, inTenant("exports")},
	{"erasures", "sealed", []string{"tenant_id", "id"}, false, inTenant("erasures")},
	{"notes", "sealed", []string{"tenant_id", "ring_id"}, false, inTenant("notes")},
	{"authenticators", "secret", []string{"user_id"}, false, inTenant("authenticators")},
	{"operators", "secret", []string{"id"}, false, inTenant("operators")},
	{"audit_keys", "sealed", []string{"id"}, true, inTable("audit_keys")},
	{"key_checks", "sealed", []string{"name"}, true, inTable("key_checks")},
}

// Rotation is how far sealing again has come, in one table.
type Rotation struct {
	Table string
	Done  int // rows sealed again
	Of    int // rows that were under another key at the beginning
	// Damaged rows do not open with any key of the key files, with why; at most damagedMost are
	// kept.
	Damaged []string
	Failed  int // damaged rows
}

const (
	rotateAtOnce = 100 // rows of one transaction: a server's writes wait for it
	damagedMost  = 10
)

// errNotStarted refuses to seal what a server may not be able to read.
func errNotStarted(server string) error {
	return fmt.Errorf("%s does not seal under the current master key, so it may not read what is sealed under it, or seal more under "+
		"another one: restart every server with the new file as CARILLON_MASTER_KEY_FILE and the old one as "+
		"CARILLON_MASTER_KEY_FILE_OLD, then run this again; if no server runs, add --offline", server)
}

// Rotate seals everything that is under another master key under the current one, while servers
// that know both keys serve. told gets the progress of each table, after each part. It may be
// interrupted and run again: a row that is done is not touched. A row that somebody changes
// meanwhile is left to the next pass. offline does not ask under which key servers seal. Otherwise
// it refuses while a server seals under another key, and asks again before the last table: a server
// may have started meanwhile.
func (s *Store) Rotate(ctx context.Context, offline bool, told func(Rotation)) error {
	if s.seal == nil {
		return errors.New("store: there is no master key")
	}
	know := s.serversKnow
	if offline {
		know = func(context.Context) error { return nil }
	}
	if err := know(ctx); err != nil {
		return err
	}
	if err := s.keepMarks(ctx); err != nil {
		return err
	}
	for i, c := range sealedColumns {
		if i == len(sealedColumns)-1 {
			if err := know(ctx); err != nil {
				return err
			}
		}
		if err := s.rotate(ctx, c, told); err != nil {
			return fmt.Errorf("%s: %w", c.table, err)
		}
	}
	return nil
}

// serversKnow refuses while a server that lives seals under another key than the current one. Where
// none is listed, as on SQLite, it asks about the one that started last.
func (s *core) serversKnow(ctx context.Context) error {
	living, err := Nodes{s}.Living(ctx)
	if err != nil {
		return err
	}
	for _, n := range living { // a server of a version before these rows has none
		rows, err := s.db.through(noTenant).query(ctx, "SELECT name FROM key_checks WHERE name = ?", nodeKey(n.ID, s.seal.Current()))
		found, err := collect(rows, err, func(name *string) []any { return []any{name} })
		if err != nil {
			return translate(err)
		}
		if len(found) == 0 {
			return errNotStarted("the server " + n.Name)
		}
	}
	if len(living) > 0 {
		return nil
	}
	rows, err := s.db.through(noTenant).query(ctx, "SELECT sealed FROM key_checks WHERE name = ?", startedName)
	found, err := collect(rows, err, func(b *[]byte) []any { return []any{b} })
	if err != nil {
		return translate(err)
	}
	if len(found) > 0 && s.seal.KeyOf(found[0]) != s.seal.Current() {
		return errNotStarted("the server that started last")
	}
	return nil
}

// sealedRowOf is a row to be sealed again.
type sealedRowOf struct {
	keys []string
	blob []byte
}

// rotate seals the rows of one table again, in passes, until a pass finds nothing to do.
func (s *core) rotate(ctx context.Context, c sealedColumn, told func(Rotation)) error {
	of, err := s.oldRows(ctx, c)
	if err != nil {
		return err
	}
	p := Rotation{Table: c.table, Of: of}
	for p.Done+p.Failed < p.Of || p.Of == 0 {
		before := p.Done
		p.Failed, p.Damaged = 0, nil
		if err := s.pass(ctx, c, &p, told); err != nil {
			return err
		}
		if p.Done == before {
			break
		}
	}
	told(p)
	return nil
}

func (s *core) pass(ctx context.Context, c sealedColumn, p *Rotation, told func(Rotation)) error {
	var after []string
	for {
		part, err := s.oldPart(ctx, c, after)
		if err != nil || len(part) == 0 {
			return err
		}
		after = part[len(part)-1].keys
		fresh := make([][]byte, len(part))
		for i, r := range part {
			if fresh[i], _, err = s.seal.Rewrap(r.blob, c.bound(r.keys)...); err != nil {
				p.Failed++
				if len(p.Damaged) < damagedMost {
					p.Damaged = append(p.Damaged, fmt.Sprintf("%s %s: %v", c.table, strings.Join(r.keys, " "), err))
				}
			}
		}
		done := 0
		err = s.w.do(ctx, allTenants, func(t *tx) error {
			done = 0
			for i, r := range part {
				if len(fresh[i]) == 0 {
					continue
				}
				args := append(append([]any{fresh[i]}, c.args(r.keys)...), r.blob)
				n, err := t.change("UPDATE "+c.table+" SET "+c.column+" = ? WHERE "+c.where()+" AND "+c.column+" = ?", args...)
				if err != nil {
					return err
				}
				done += int(n)
			}
			return nil
		})
		if err != nil {
			return err
		}
		p.Done += done
		p.Of = max(p.Of, p.Done+p.Failed)
		told(*p)
	}
}

func (c sealedColumn) where() string { return strings.Join(c.keys, " = ? AND ") + " = ?" }

func (c sealedColumn) args(keys []string) (out []any) {
	for _, k := range keys {
		if c.text {
			out = append(out, k)
		} else {
			out = append(out, uuid(k))
		}
	}
	return out
}

// old is the condition of blobs that are not under the current key, with its argument. A column
// that holds nothing is not old.
func (s *core) old(c sealedColumn) (string, []any) {
	head := s.seal.Header()
	return fmt.Sprintf("LENGTH(%s) > 0 AND SUBSTR(%s, 1, %d) <> ?", c.column, c.column, len(head)), []any{head}
}

// oldPart reads the next rows behind a key.
func (s *core) oldPart(ctx context.Context, c sealedColumn, after []string) ([]sealedRowOf, error) {
	where, args := s.old(c)
	keys := strings.Join(c.keys, ", ")
	if after != nil {
		where += " AND (" + keys + ") > (" + marksOf(len(c.keys)) + ")"
		args = append(args, c.args(after)...)
	}
	rows, err := s.db.through(allTenants).scan(ctx, "SELECT "+keys+", "+c.column+" FROM "+c.table+" WHERE "+where+" ORDER BY "+keys+
		fmt.Sprint(" LIMIT ", rotateAtOnce), args...)
	if err != nil {
		return nil, translate(err)
	}
	part, err := readSealed(rows, c)
	return part, translate(err)
}

func readSealed(rows *sql.Rows, c sealedColumn) (part []sealedRowOf, err error) {
	defer rows.Close()
	for rows.Next() {
		var r sealedRowOf
		texts, ids := make([]string, len(c.keys)), make([]uuid, len(c.keys))
		var into []any
		for i := range c.keys {
			if c.text {
				into = append(into, &texts[i])
			} else {
				into = append(into, &ids[i])
			}
		}
		if err := rows.Scan(append(into, &r.blob)...); err != nil {
			return nil, err
		}
		for i := range c.keys {
			r.keys = append(r.keys, texts[i]+string(ids[i]))
		}
		part = append(part, r)
	}
	return part, errors.Join(rows.Err(), rows.Close())
}

func marksOf(n int) string { return "?" + strings.Repeat(", ?", n-1) }

func (s *core) oldRows(ctx context.Context, c sealedColumn) (int, error) {
	where, args := s.old(c)
	n, err := one(s.db.through(allTenants).scan(ctx, "SELECT COUNT(*) FROM "+c.table+" WHERE "+where, args...))
	return int(n), err
}

// UnderOldKeys is how many rows of each table are not sealed under the current master key. It reads
// every sealed row.
func (s *Store) UnderOldKeys(ctx context.Context) (map[string]int, error) {
	out := map[string]int{}
	for _, c := range sealedColumns {
		n, err := s.oldRows(ctx, c)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			out[c.table] = n
		}
	}
	return out, nil
}

const marksName = "marks "

// keepMarks stores the keys of the marks of old master keys, so that what was marked under them is
// found after they were removed.
func (s *core) keepMarks(ctx context.Context) error {
	for id, key := range s.seal.MarkKeys() {
		name := marksName + id
		blob, err := s.seal.Seal(key, sealedCheck(name)...)
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		if err := s.w.do(ctx, noTenant, func(t *tx) error {
			_, err := t.exec("INSERT INTO key_checks (name, sealed) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", name, blob)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// keptMarks reads what keepMarks stored.
func (s *core) keptMarks(ctx context.Context) (out [][]byte, err error) {
	if s.seal == nil {
		return nil, nil
	}
	type row struct {
		name   string
		sealed []byte
	}
	rows, err := s.db.through(noTenant).query(ctx, "SELECT name, sealed FROM key_checks WHERE name LIKE 'marks %' ORDER BY name")
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.name, &r.sealed} })
	if err != nil {
		return nil, translate(err)
	}
	for _, r := range found {
		key, err := s.seal.Open(r.sealed, sealedCheck(r.name)...)
		if errors.Is(err, seal.ErrKey) {
			continue // an operator who removed a key file too early keeps a server, without these marks
		}
		if err != nil {
			return nil, fmt.Errorf("store: key of marks %s: %w", r.name, err)
		}
		out = append(out, key)
	}
	return out, nil
}
