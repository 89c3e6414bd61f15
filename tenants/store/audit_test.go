package store_test

import (
	"database/sql"
	"path/filepath"
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
		"search by an index":   {store.AuditQuery{Search: "needle", Action: "device."}, 0, 1},
		"search in a span":     {store.AuditQuery{Search: "needle", From: start.Add(17_500 * time.Second)}, 2, 2},
		"a short span":         {store.AuditQuery{From: start.Add(34_990 * time.Second)}, 11, 1},
		"an old span":          {store.AuditQuery{From: start.Add(10 * time.Second), To: start.Add(20 * time.Second)}, 10, 3},
		"a span with no entry": {store.AuditQuery{From: start.Add(45_000 * time.Second)}, 0, 1},
	} {
		seen, pages := map[int64]bool{}, 0
		for ask, more := x.ask, true; more; {
			list, next, err := s.For(id).Audits().List(t.Context(), ask)
			if err != nil {
				t.Fatal(name, err)
			}
			for _, a := range list {
				if seen[a.Seq] {
					t.Errorf("%s: entry %d twice", name, a.Seq)
				}
				seen[a.Seq] = true
			}
			pages++
			ask.After, more = next, next != ""
		}
		if len(seen) != x.rows || pages != x.pages {
			t.Errorf("%s: %d entries on %d pages, want %d on %d", name, len(seen), pages, x.rows, x.pages)
		}
	}
}
