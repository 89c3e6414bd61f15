package store_test

import (
	"database/sql"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// TestAuditsAreSearchedPartByPart: a page looks through a part of a long record and leads on from
// there, so that every entry is found once and no page costs more for a longer record. It ends
// where the time that was asked for ends.
func TestAuditsAreSearchedPartByPart(t *testing.T) {
	t.Parallel()
	c := config(t)
	s := storetest.OpenConfig(t, c)
	start := time.Now().Add(-100_000 * time.Second).Truncate(time.Second)
	id := tenants.NewID[tenants.TenantID](start)
	err := s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: "t", Name: "T", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(c.Dir, "carillon.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.ExecContext(t.Context(),
		"WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 35000) INSERT INTO audits "+
			"(tenant_id, seq, at, actor_kind, actor_id, actor_name, action, target, detail, ip, request_id) "+
			"SELECT ?, i, ? + i * 1000000, 'key', x'', 'bot', CASE WHEN i % 15000 = 5 THEN 'ring.cancel' ELSE 'ring.place' END, CASE "+
			"WHEN i % "+
			"10000 = 7 THEN 'needle' ELSE 'hay' END, '', '', '' FROM n",
		store.Bytes(id), start.UnixMicro())
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		ask         store.AuditQuery
		rows, pages int
	}{
		"search":               {store.AuditQuery{Search: "needle"}, 4, 3},
		"nothing":              {store.AuditQuery{Search: "no such thing"}, 0, 3},
		"search of rings":      {store.AuditQuery{Search: "needle", Action: "ring."}, 4, 3},
		"a rare one of rings":  {store.AuditQuery{Action: "ring.cancel"}, 3, 3},
		"search of one kind":   {store.AuditQuery{Search: "needle", Action: "device."}, 0, 3},
		"search of refusals":   {store.AuditQuery{Search: "needle", Refused: true}, 0, 3},
		"all of one kind":      {store.AuditQuery{Action: "device."}, 0, 1},
		"search in a span":     {store.AuditQuery{Search: "needle", From: start.Add(17_500 * time.Second)}, 2, 2},
		"a short span":         {store.AuditQuery{From: start.Add(34_990 * time.Second)}, 11, 1},
		"an old span":          {store.AuditQuery{From: start.Add(10 * time.Second), To: start.Add(20 * time.Second)}, 10, 3},
		"a span with no entry": {store.AuditQuery{From: start.Add(45_000 * time.Second)}, 0, 1},
	} {
		for _, sort := range []store.Sort{"-created", "created"} {
			ask := x.ask
			ask.Sort = sort
			walked, cursors := walkAudits(t, s.For(id), ask)
			seen := map[int64]bool{}
			for i, seq := range walked {
				if seen[seq] || i > 0 && (seq > walked[i-1]) != (sort == "created") {
					t.Errorf("%s by %s: entry %d twice or out of order", name, sort, seq)
				}
				seen[seq] = true
			}
			if pages := len(cursors) + 1; len(walked) != x.rows || pages != x.pages && sort == "-created" || pages > x.pages+1 {
				t.Errorf("%s by %s: %d entries on %d pages, want %d on %d", name, sort, len(walked), pages, x.rows, x.pages)
			}
			if len(cursors) == 0 {
				continue
			}
			ask.Upto = cursors[len(cursors)-1]
			back, _ := walkAudits(t, s.For(id), ask)
			slices.Sort(back)
			slices.Sort(walked)
			for _, seq := range back {
				if i, there := slices.BinarySearch(walked, seq); there {
					walked = slices.Delete(walked, i, i+1)
				} else {
					t.Errorf("%s by %s: backwards gives %d, which is not there or was given", name, sort, seq)
				}
			}
			last, _, err := s.For(id).Audits().List(t.Context(), store.AuditQuery{Search: ask.Search, Action: ask.Action,
				Refused: ask.Refused, From: ask.From, To: ask.To, Sort: sort, After: ask.Upto})
			if err != nil || len(last) != len(walked) {
				t.Errorf("%s by %s: backwards leaves %v, want the last page %v: %v", name, sort, walked, last, err)
			}
		}
	}
}

// TestRemovedAuditsAreNotSearched: a search does not page through the numbers of rows that were
// removed.
func TestRemovedAuditsAreNotSearched(t *testing.T) {
	t.Parallel()
	c := config(t)
	s := storetest.OpenConfig(t, c)
	start := time.Now().Add(-100_000 * time.Second)
	id := tenants.NewID[tenants.TenantID](start)
	err := s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: "t", Name: "T", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"})
	if err != nil {
		t.Fatal(err)
	}
	const removed = 90_000
	for _, q := range []string{
		"INSERT INTO audit_heads (tenant_id, seq, anchor, hash, at, key_id, signature) VALUES (?2, 90000, TRUE, x'00', ?1, 'k', x'00')",
		"DELETE FROM audits WHERE tenant_id = ?2 AND ?1 > 0",
		"WITH RECURSIVE n(i) AS (SELECT 90001 UNION ALL SELECT i + 1 FROM n WHERE i < 90100) INSERT INTO audits " +
			"(tenant_id, seq, at, actor_kind, actor_id, actor_name, action, target, detail, ip, request_id) " +
			"SELECT ?2, i, ?1 + i * 1000000, 'key', x'', 'bot', 'ring.place', 'hay', '', '', '' FROM n",
	} {
		if _, err := store.WriteAs(t.Context(), s.For(id), q, start.UnixMicro(), store.Bytes(id)); err != nil {
			t.Fatal(err)
		}
	}
	for _, ask := range []store.AuditQuery{{Search: "needle"}, {Search: "needle", Sort: "created"},
		{Search: "needle", Sort: "created", From: start.Add(time.Second)},
		{From: start.Add((removed + 101) * time.Second), Sort: "created"}} {
		if walked, cursors := walkAudits(t, s.For(id), ask); len(walked)+len(cursors) > 0 {
			t.Errorf("%+v: %d entries on %d pages", ask, len(walked), len(cursors)+1)
		}
	}
	if walked, _ := walkAudits(t, s.For(id), store.AuditQuery{Search: "hay", Limit: 200}); len(walked) != 100 {
		t.Errorf("%d entries are found, want 100", len(walked))
	}
}

// walkAudits gives every entry of a query, and the cursors between its pages.
func walkAudits(t *testing.T, s *store.Scope, ask store.AuditQuery) (walked []int64, cursors []string) {
	t.Helper()
	for more := true; more; {
		list, next, err := s.Audits().List(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			walked = append(walked, a.Seq)
		}
		if more = next != ""; !more {
			break
		}
		cursors = append(cursors, next)
		if ask.Upto != "" {
			ask.Upto = next
		} else {
			ask.After = next
		}
	}
	return walked, cursors
}

// TestChainedRowsStayAsTheyAre: a later migration chains the rows that have no hash, and touches no
// other one.
func TestChainedRowsStayAsTheyAre(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	now := time.Now()
	id := tenants.NewID[tenants.TenantID](now)
	tenant := tenants.Tenant{ID: id, Slug: "t", Name: "T", Industry: tenants.Legal, State: tenants.TenantActive, TimeZone: "UTC"}
	if err := s.Tenants().Add(t.Context(), store.Who{}, tenant); err != nil {
		t.Fatal(err)
	}
	scope := s.For(id)
	if err := scope.Audits().Add(t.Context(), "user.sign_in", "", ""); err != nil {
		t.Fatal(err)
	}
	_, err := store.WriteAs(t.Context(), scope, "INSERT INTO audits (tenant_id, seq, at, actor_kind, actor_id, actor_name, action, "+
		"target, detail, ip, request_id) SELECT tenant_id, MAX(seq) + 1, ?, 'key', x'', 'bot', 'ring.place', '', '', '', '' "+
		"FROM audits WHERE tenant_id = ?", now.UnixMicro(), store.Bytes(id))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.ChainOld(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	key, err := s.AuditKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	verdict, err := scope.Audits().Verify(t.Context(), key, nil)
	if err != nil || verdict.Fault != nil || verdict.Rows != 3 {
		t.Errorf("%+v %v %v", verdict, verdict.Fault, err)
	}
}
