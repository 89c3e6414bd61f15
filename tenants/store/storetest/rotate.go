package storetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"carillon/tenants"
	"carillon/tenants/seal"
	"carillon/tenants/store"
)

// secrets are what testRotation reads after each step.
type secrets struct {
	s        *store.Scope
	property property
	agent    tenants.Agent
	user     tenants.User
	operator tenants.OperatorID
	ring     *tenants.Ring
	marked   [][]byte
}

func (b *bench) keyring(file string, older ...string) *seal.Keyring {
	b.Helper()
	var rest [][]byte
	for _, f := range older {
		rest = append(rest, []byte(f))
	}
	k, err := seal.Parse([]byte(file), rest...)
	b.must(err)
	return k
}

// with opens the database of the test under other master keys.
func (b *bench) with(k *seal.Keyring) *store.Store {
	b.Helper()
	c := b.config
	c.Seal, c.Observe = k, nil
	return OpenConfig(b, c)
}

// fillSealed puts at least one row into every column that is sealed.
func (b *bench) fillSealed() (x secrets) {
	b.Helper()
	ctx := b.Context()
	x.s = b.tenant()
	x.property = b.property(x.s)
	secret := "canary token"
	x.agent = b.newAgent()
	x.agent.Secret = &secret
	b.must(x.s.Agents().Add(ctx, x.agent))
	b.must(x.s.Exports().Ask(ctx))
	x.user = b.user()
	b.must(b.s.Factors().SetAuthenticator(ctx, store.Who{}, x.user.ID, "canary seed", 1, tenants.Hash{}))
	now := b.clock.Now()
	o := tenants.Operator{ID: tenants.NewID[tenants.OperatorID](now), Email: "canary@ops.example", Name: "Sam", CreatedAt: now}
	link := store.OperatorLink{Hash: hashOf("operator"), ExpiresAt: now.Add(time.Hour)}
	b.must(b.s.Operators().Add(ctx, store.Who{}, o, link))
	_, err := b.s.Operators().Enrol(ctx, link.Hash, store.Enrolment{Password: "phc", Seed: "canary seed"}, store.Who{})
	b.must(err)
	x.operator = o.ID
	x.ring = b.call(x.s, b.device(x.s, "noted"))
	_, _, err = x.s.Notes().Add(ctx, x.ring.ID, tenants.Notes{Summary: "canary note"})
	b.must(err)
	b.must(x.s.Erasures().Person(ctx, "canary"))
	b.must(b.s.KeepKeyCheck(ctx))
	_, err = b.s.AuditKey(ctx)
	b.must(err)
	x.marked, err = b.s.SignIns().Marks("canary", "text")
	b.must(err)
	return x
}

// opens reads everything with a store.
func (x secrets) opens(b *bench, s *store.Store, when string) {
	b.Helper()
	ctx := b.Context()
	t, err := x.s.Tenant(ctx)
	b.must(err)
	scope := s.For(t.ID)
	say := func(what string, err error) {
		b.Helper()
		if err != nil {
			b.Errorf("%s: %s: %v", when, what, err)
		}
	}
	_, err = scope.Agents().Secret(ctx, x.agent.ID)
	say("agent", err)
	_, _, err = scope.Credentials().Open(ctx, x.property.credential.ID)
	say("credential", err)
	_, err = scope.Connections().Secrets(ctx, x.property.connection.ID)
	say("connection", err)
	_, _, _, err = scope.AlertTargets().Open(ctx, x.property.target.ID)
	say("alert target", err)
	_, err = scope.Providers().Get(ctx)
	say("provider", err)
	_, _, err = scope.Exports().Open(ctx)
	if tenants.KindOf(err) == tenants.Internal { // it is not ready, which is another refusal
		say("export", err)
	}
	_, _, err = s.Factors().Authenticator(ctx, x.user.ID)
	say("authenticator", err)
	_, _, err = s.Operators().Authenticator(ctx, x.operator)
	say("operator", err)
	_, _, err = scope.Notes().Get(ctx, x.ring.ID)
	say("notes", err)
	say("recording", scope.Recordings().Add(ctx, x.property.ring.ID, []byte("x"), 2, 0))
	_, err = s.AuditKey(ctx)
	say("audit key", err)
	say("ready", s.Ready(ctx))
	marks, err := s.SignIns().Marks("canary", "text")
	say("marks", err)
	found := false
	for _, m := range marks {
		found = found || string(m) == string(x.marked[0])
	}
	equal(b, found, true, when+": what was marked is found")
}

// testRotation: everything is sealed again, also after an interruption; both keys read meanwhile,
// and only the new one afterwards.
func testRotation(b *bench) {
	ctx := b.Context()
	oldFile, newFile := seal.Generate(), seal.Generate()
	old := b.keyring(oldFile)
	b.config.Seal, b.config.Observe = old, nil
	b.s = OpenConfig(b, b.config)
	x := b.fillSealed()
	both := b.with(b.keyring(newFile, oldFile))
	none := func(store.Rotation) {}
	if err := both.Rotate(ctx, false, none); err == nil || !strings.Contains(err.Error(), "CARILLON_MASTER_KEY_FILE_OLD") {
		b.Errorf("a rotation under a server that does not know the new key: %v", err)
	}
	b.must(both.KeepKeyCheck(ctx)) // a server starts with both
	forgotten := b.started(b.s, "forgotten")
	b.started(both, "restarted")
	if err := both.Rotate(ctx, false, none); err == nil || !strings.Contains(err.Error(), "the server forgotten does not seal") {
		b.Errorf("a rotation while one of two servers knows the old key only: %v", err)
	}
	b.must(b.s.Nodes().Stop(ctx, forgotten))
	x.opens(b, both, "before")
	left, err := both.UnderOldKeys(ctx)
	b.must(err)
	broken, cancel := context.WithCancel(ctx)
	err = both.Rotate(broken, false, func(store.Rotation) { cancel() })
	equal(b, errors.Is(err, context.Canceled), true, fmt.Sprint("interrupted: ", err))
	x.opens(b, both, "interrupted")
	done := map[string]int{"credentials": 1}
	count := func(r store.Rotation) {
		done[r.Table] = max(r.Done, done[r.Table])
		equal(b, r.Failed, 0, "damaged rows of "+r.Table)
	}
	var late tenants.NodeID
	between := b.with(b.keyring(oldFile, newFile)) // it reads everything, and seals under the old key
	err = both.Rotate(ctx, false, func(r store.Rotation) {
		if late == "" {
			late = b.started(between, "late")
		}
		_, err := between.Nodes().Beat(ctx, late)
		b.must(err)
		count(r)
	})
	if err == nil || !strings.Contains(err.Error(), "the server late does not seal") {
		b.Errorf("a server starts meanwhile that seals under the old key: %v", err)
	}
	b.must(between.Nodes().Stop(ctx, late))
	b.must(both.Rotate(ctx, false, count))
	for table, n := range done {
		if left[table] == 0 || n == 0 {
			b.Errorf("%s: %d rows were under the old key, %d were sealed again: fillSealed must add one", table, left[table], n)
		}
	}
	left, err = both.UnderOldKeys(ctx)
	b.must(err)
	equal(b, len(left), 0, fmt.Sprint("left: ", left))
	x.opens(b, both, "rotated")
	x.opens(b, b.with(b.keyring(newFile)), "without the old key")
	c := b.config
	c.Log = slog.New(slog.DiscardHandler)
	if _, err := store.Open(ctx, c); !errors.Is(err, store.ErrMasterKey) {
		b.Errorf("with the old key only: %v", err)
	}
	b.noBlobUnder(old)
	b.must(b.statement("UPDATE credentials SET secret = (SELECT sealed FROM audit_keys)"))
	third := b.with(b.keyring(seal.Generate(), newFile))
	var damaged []string
	b.must(third.Rotate(ctx, true, func(r store.Rotation) {
		if r.Table == "credentials" {
			damaged = r.Damaged
		}
	}))
	if len(damaged) != 1 || !strings.Contains(damaged[0], string(x.property.credential.ID)) {
		b.Errorf("a damaged row: %q", damaged)
	}
}

// started lists a server as living.
func (b *bench) started(s *store.Store, name string) tenants.NodeID {
	b.Helper()
	n := store.Node{ID: tenants.NewID[tenants.NodeID](time.Now()), Name: name, Shared: true}
	_, err := s.Nodes().Start(b.Context(), n)
	b.must(err)
	return n.ID
}

// noBlobUnder looks at every BLOB of SQLite, also those that no list names.
func (b *bench) noBlobUnder(k *seal.Keyring) {
	b.Helper()
	if b.config.URL != "" {
		return
	}
	for _, q := range b.raw("SELECT 'SELECT ' || p.name || ' FROM ' || m.name FROM sqlite_master m JOIN pragma_table_info(m.name) p " +
		"WHERE m.type = 'table' AND p.type = 'BLOB'") {
		for _, blob := range b.raw(string(q)) {
			if k.KeyOf(blob) == k.Current() {
				b.Errorf("a row of %s is still under the old key: name the column in sealedColumns", q)
			}
		}
	}
}
