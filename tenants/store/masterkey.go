package store

import (
	"context"
	"errors"
	"fmt"
)

// ErrMasterKey refuses a master key file that does not open what this database holds.
var ErrMasterKey = errors.New("the master key is not the one this database was used with: set " +
	"CARILLON_MASTER_KEY_FILE to the key file that belongs to it (after a restore: the one kept with that backup); " +
	"with another key no stored credential can be opened")

// The known text that is sealed at first start, and what it is bound to.
const (
	checkName = "master key"
	checkText = "carillon"
)

// startedName is the row that the server which started last sealed under its current key.
const startedName = "started"

func sealedCheck(name string) []string { return []string{"key_checks", name} }

// KeepKeyCheck seals a known text under the master key, unless the database has one: from then on
// Open and Ready refuse any other key. A server calls it at start. Of several that start at once,
// the first one's stays, and the others are refused if their key is another. It also keeps under
// which key the server that started last seals, for Rotate.
func (s *Store) KeepKeyCheck(ctx context.Context) error {
	if s.seal == nil {
		return nil
	}
	blob, err := s.seal.Seal([]byte(checkText), sealedCheck(checkName)...)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		_, err := t.exec("INSERT INTO key_checks (name, sealed) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", checkName, blob)
		return err
	})
	if err := errors.Join(err, s.checkMasterKey(ctx)); err != nil {
		return err
	}
	started, err := s.seal.Seal([]byte(checkText), sealedCheck(startedName)...)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return s.w.do(ctx, noTenant, func(t *tx) error {
		_, err := t.exec("INSERT INTO key_checks (name, sealed) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed",
			startedName, started)
		return err
	})
}

// checkMasterKey opens the known text; before the first start, a stored secret in its place.
func (s *Store) checkMasterKey(ctx context.Context) error {
	if s.seal == nil {
		return nil
	}
	rows, err := s.db.through(noTenant).query(ctx, "SELECT sealed FROM key_checks WHERE name = ?", checkName)
	found, err := collect(rows, err, func(b *[]byte) []any { return []any{b} })
	if err != nil {
		return translate(err)
	}
	if len(found) == 0 {
		return s.checkAnySecret(ctx)
	}
	if _, err := s.seal.Open(found[0], sealedCheck(checkName)...); err != nil {
		return fmt.Errorf("%w (%w)", ErrMasterKey, err)
	}
	return nil
}

// checkAnySecret accepts the master key if it opens any credential, or if there is none: a single
// damaged row is not the key's fault.
func (s *Store) checkAnySecret(ctx context.Context) error {
	all, err := s.Tenants().Credentials(ctx)
	for _, c := range all {
		var e error
		if _, _, e = s.For(c.Tenant).Credentials().Open(ctx, c.ID); e == nil {
			return nil
		}
		err = fmt.Errorf("%w (%w)", ErrMasterKey, e)
	}
	return err
}
