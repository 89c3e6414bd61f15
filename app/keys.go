package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"carillon/app/billing"
	"carillon/tenants/seal"
	"carillon/tenants/store"
)

// keysCmd is about the master key.
type keysCmd struct {
	Rotate keysRotateCmd `cmd:"" help:"Seal every secret under a new master key, while the server serves."`
}

type keysRotateCmd struct {
	Offline bool `help:"No server runs: do not ask whether each was started with the new key."`
	MasterKeys
	Database
}

// Help lists the steps.
func (k *keysRotateCmd) Help() string {
	return `1. Make a new key file, and keep a copy of it off this machine.
2. Restart every server with CARILLON_MASTER_KEY_FILE=new and CARILLON_MASTER_KEY_FILE_OLD=old. With several servers on one database,
   first restart each with the new file as CARILLON_MASTER_KEY_FILE_OLD, so that none meets a secret that it cannot open.
3. carillon keys rotate, with the same two settings. It may be interrupted and run again. It refuses while a server on PostgreSQL, or the
   one on SQLite, seals under the old key.
4. Restart without CARILLON_MASTER_KEY_FILE_OLD. Keep the old key as long as you keep a backup from before step 3.

Exit code 0: nothing is left under the old key. 1: something is, and the rows are named.`
}

// Run seals again and prints how far it is.
func (k *keysRotateCmd) Run(ctx context.Context, c terminal) (err error) {
	var faults configFaults
	keys := k.MasterKeys.read(&faults)
	faults.add("CARILLON_DATABASE_URL", k.check())
	faults.add("CARILLON_DATA", k.isPrivate())
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	s, err := store.Open(ctx, store.Config{URL: k.URL, Dir: k.Data, Seal: keys, Now: c.now, Log: quiet(c)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	damaged := 0
	last := map[string]store.Rotation{}
	err = s.Rotate(ctx, k.Offline, func(r store.Rotation) {
		if was, ok := last[r.Table]; ok && was.Done == r.Done && was.Of == r.Of && was.Failed == r.Failed {
			return
		}
		last[r.Table] = r
		fmt.Fprintf(c.out, "%s: %d of %d\n", r.Table, r.Done, r.Of)
	})
	if err != nil {
		return err
	}
	for _, r := range last {
		damaged += r.Failed
		for _, d := range r.Damaged {
			fmt.Fprintln(c.out, "does not open:", d)
		}
	}
	left, err := s.UnderOldKeys(ctx)
	if err != nil {
		return err
	}
	switch {
	case damaged > 0:
		return fmt.Errorf("%d rows do not open with any key of the key files: add the key that they were sealed under to "+
			"CARILLON_MASTER_KEY_FILE_OLD, or enter those secrets again; everything else is under the new key", damaged)
	case len(left) > 0:
		return fmt.Errorf("a server still seals under the old key (%s): restart it with the new file as CARILLON_MASTER_KEY_FILE, "+
			"then run this again", rowsByTable(left))
	}
	fmt.Fprintf(c.out, "Everything is sealed under the key %s. Restart the servers without CARILLON_MASTER_KEY_FILE_OLD.\n", keys.Current())
	return nil
}

// rowsByTable writes the number of rows of each table.
func rowsByTable(tables map[string]int) string {
	var parts []string
	for table, n := range tables {
		parts = append(parts, fmt.Sprintf("%s %d", table, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

// underOldKeys says what is left to rotate.
func underOldKeys(ctx context.Context, s *store.Store, keys *seal.Keyring) (out []billing.Finding) {
	left, err := s.UnderOldKeys(ctx)
	switch {
	case err != nil:
		return []billing.Finding{{Text: "the sealed rows: " + err.Error()}}
	case len(left) > 0:
		return []billing.Finding{{Text: fmt.Sprintf("rows are sealed under another master key than the current one, %s (%s): run "+
			"`carillon keys rotate`, with the old key file in CARILLON_MASTER_KEY_FILE_OLD", keys.Current(), rowsByTable(left))}}
	case keys.Old():
		return []billing.Finding{{OK: true, Text: "everything is sealed under the current master key; take away " +
			"CARILLON_MASTER_KEY_FILE_OLD and the older lines of the key file"}}
	}
	return []billing.Finding{{OK: true, Text: "everything is sealed under the current master key"}}
}

// sayOldKeys logs how many rows are left under old master keys.
func (n *node) sayOldKeys(ctx context.Context) error {
	left, err := n.store.UnderOldKeys(ctx)
	if err == nil && len(left) > 0 {
		n.log.Warn("secrets are sealed under an old master key; run `carillon keys rotate`", "rows", rowsByTable(left))
	}
	return err
}
