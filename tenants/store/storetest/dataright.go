package storetest

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testErasures: a member and a person whose phone rings are erased everywhere in their tenant and
// nowhere else, and the audit chain verifies before and after.
func testErasures(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	p := b.property(s)
	theirs := b.device(other, "canary")
	second := b.member(s, tenants.Owner)
	user, err := b.s.Users().Get(ctx, second.ID)
	b.must(err)
	by := s.By(store.Who{Actor: tenants.Actor{Kind: tenants.ActorUser, ID: string(second.ID), Name: user.Name}, IP: "192.0.2.77"})
	b.must(by.Audits().Add(ctx, "test.write", user.Email, "wrote to "+user.Email))
	b.must(by.Keys().Add(ctx, b.newKey(), hashOf("erased")))
	_ = b.connected(s, tenants.EventDeviceRemoved)
	namesake, gone := b.device(s, "CANARY"), b.device(s, "canary")
	namesakes := b.ring(s, namesake, namesake)
	_ = b.ring(s, gone, gone)
	b.must(s.Devices().Remove(ctx, gone.ID))
	planned := b.ringTo(s, p.group)
	_, err = s.Rings().Add(ctx, planned, store.Idempotency{}, planned.ExpiresAt)
	b.must(err)
	_, err = s.Alerts().Raise(ctx, tenants.AlertPhone, string(p.device.ID), "the phone of little bird")
	b.must(err)
	mine, err := s.Tenant(ctx)
	b.must(err)
	for _, detail := range []string{"of canary", "of canaries"} {
		b.must(s.Deliveries().Record(ctx, store.NewDelivery{Tenant: mine.ID, Connection: p.connection.ID, Event: tenants.NewRandomID(),
			Kind: tenants.EventAuditRecorded, At: b.clock.Now(), Body: tenants.AuditEvent(mine.ID, tenants.Audit{Detail: detail}).Write()},
			tenants.DeliveryAttempt{At: b.clock.Now()}))
	}
	key, err := b.s.AuditKey(ctx)
	b.must(err)
	_, err = b.s.Jobs().SignHeads(ctx)
	b.must(err)
	all := func() {
		b.Helper()
		for left := 1; left > 0; {
			left, err = b.s.Jobs().Erase(ctx)
			b.must(err)
		}
	}
	b.refused(other.Erasures().Member(ctx, second.ID), tenants.Unknown, "another tenant's member")
	b.refused(s.Erasures().Person(ctx, "nobody"), tenants.Unknown, "nobody")
	b.must(s.Erasures().Member(ctx, second.ID))
	n, err := s.Erasures().Under(ctx)
	b.must(err)
	equal(b, n, 1, "erasures under way")
	n, err = other.Erasures().Under(ctx)
	b.must(err)
	equal(b, n, 0, "a stranger's erasures")
	b.refused(s.Erasures().Member(ctx, p.member.ID), tenants.Conflict, "the last owner")
	all()
	b.must(s.Erasures().Person(ctx, "canary"))
	b.must(b.statement("INSERT INTO erasures (tenant_id, id, kind, sealed, seq, values_gone, created_at) SELECT tenant_id, tenant_id, " +
		"kind, sealed, 0, 0, 0 FROM erasures"))
	for left := 1; left > 0; {
		if left, err = b.s.Jobs().Erase(ctx); err == nil {
			b.Fatal("an erasure that was sealed for another id opened")
		}
	}
	b.must(b.statement("DELETE FROM erasures WHERE id = tenant_id"))
	n, err = s.Erasures().Under(ctx)
	b.must(err)
	equal(b, n, 0, "erasures behind one that does not open")
	files := b.exported(s)
	if strings.Contains(files["ring_steps.jsonl"], "canary") || !strings.Contains(files["ring_steps.jsonl"], string(planned.ID)) {
		b.Errorf("the plan of a ring to a group: %s", files["ring_steps.jsonl"])
	}
	if !strings.Contains(files["deliveries.jsonl"], "of canaries") || !strings.Contains(files["deliveries.jsonl"], "device.removed") {
		b.Errorf("deliveries: %s", files["deliveries.jsonl"])
	}
	kept, err := s.Rings().Get(ctx, namesakes.ID)
	b.must(err)
	equal(b, kept.To.Person, "CANARY", "the ring of another person")
	if strings.Contains(files["audits.jsonl"], gone.Name+`"`) && gone.Name != namesake.Name {
		b.Errorf("the audit log names a device that was removed before: %s", gone.Name)
	}
	for name, text := range files {
		for _, word := range []string{user.Email, "192.0.2.77", "little bird", "of canary"} {
			if strings.Contains(text, word) {
				b.Errorf("%s still has %s", name, word)
			}
		}
		for _, field := range []string{`"person":"canary"`, `"to_person":"canary"`} {
			if strings.Contains(text, field) {
				b.Errorf("%s still has %s", name, field)
			}
		}
	}
	verdict, err := s.Audits().Verify(ctx, key, nil)
	b.must(err)
	if verdict.Fault != nil || verdict.Erased < 4 || verdict.Heads == 0 {
		b.Errorf("the chain after the erasures: %+v %v", verdict, verdict.Fault)
	}
	_, err = b.s.Users().Get(ctx, second.ID)
	b.refused(err, tenants.Unknown, "the account of a person in no tenant")
	_, err = s.Devices().Get(ctx, p.device.ID)
	b.refused(err, tenants.Unknown, "the person's device")
	_, err = other.Devices().Get(ctx, theirs.ID)
	b.must(err)
}

// testDeletion: a tenant is suspended until its time is over, can be kept until then, and leaves
// nothing but the signed end of its chain. Another tenant keeps everything.
func testDeletion(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	p, theirs := b.property(s), b.property(other)
	tenant, err := s.Tenant(ctx)
	b.must(err)
	due := func() []tenants.TenantID {
		b.Helper()
		ids, err := b.s.Jobs().DueDeletions(ctx)
		b.must(err)
		return ids
	}
	b.suspendedAndKept(s)
	at, err := s.AskDeletion(ctx, tenants.DeletionGrace)
	b.must(err)
	got, err := s.Tenant(ctx)
	b.must(err)
	if got.State != tenants.TenantSuspended || !got.DeleteAt.Equal(at) || got.SuspendedWhy == "" {
		b.Errorf("asked: %+v", got)
	}
	b.must(s.KeepTenant(ctx))
	b.refused(s.KeepTenant(ctx), tenants.Unknown, "kept twice")
	b.clock.add(tenants.DeletionGrace)
	equal(b, len(due()), 0, "kept, and due")
	gone, err := b.s.Jobs().DeleteTenant(ctx, tenant.ID) // kept after a server had read that it is due
	b.must(err)
	equal(b, gone, true, "kept, and nothing to delete")
	_, err = s.Devices().Get(ctx, p.device.ID)
	b.must(err)
	_, err = s.AskDeletion(ctx, tenants.DeletionGrace)
	b.must(err)
	b.clock.add(tenants.DeletionGrace - time.Minute)
	equal(b, len(due()), 0, "due a minute too early")
	b.clock.add(time.Minute)
	equal(b, len(due()), 1, "due")
	before, err := p.lists(ctx, other, b.clock.Now())
	b.must(err)
	parts := 0
	for gone = false; !gone; parts++ {
		if gone, err = b.s.Jobs().DeleteTenant(ctx, tenant.ID); err != nil || parts > 200 {
			b.Fatalf("part %d: %v", parts, err)
		}
		if parts == 0 {
			b.refused(s.KeepTenant(ctx), tenants.Gone, "kept when rows are gone")
			b.refused(s.Resume(ctx), tenants.Gone, "resumed when rows are gone")
			b.refused(s.Suspend(ctx, "fraud"), tenants.Gone, "suspended when rows are gone")
		}
		if parts < 40 {
			b.must(s.Audits().Add(ctx, "test.late", fmt.Sprint(parts), "")) // as a webhook does
		}
	}
	_, err = s.Tenant(ctx)
	b.refused(err, tenants.Unknown, "the tenant")
	_, err = b.s.Users().Get(ctx, p.member.ID)
	b.refused(err, tenants.Unknown, "the account of its person")
	_, err = b.s.Users().Get(ctx, theirs.member.ID)
	b.must(err)
	for table, n := range b.rowsOf(tenant.ID) {
		if n > 0 && table != "audit_heads" && (table != "facts" || n > 1) {
			b.Errorf("%d rows are left in %s", n, table)
		}
	}
	after, err := theirs.lists(ctx, other, b.clock.Now())
	b.must(err)
	equal(b, len(after), len(before), "lists of the other tenant")
	if _, err := other.Devices().Get(ctx, theirs.device.ID); err != nil {
		b.Error(err)
	}
	left, err := b.s.Tenants().Deletions(ctx)
	b.must(err)
	key, err := b.s.AuditKey(ctx)
	b.must(err)
	if len(left) != 1 || left[0].Tenant != tenant.ID || left[0].Done.IsZero() || left[0].Rows < 5 || !left[0].Head.Verify(key.Public,
		tenant.ID) {
		b.Errorf("what remains: %+v", left)
	}
}

// suspendedAndKept: an operator's suspension and a deletion that is asked for leave each other as
// they are.
func (b *bench) suspendedAndKept(s *store.Scope) {
	b.Helper()
	ctx := b.Context()
	is := func(what string, state tenants.TenantState, why string, deletes bool) {
		b.Helper()
		got, err := s.Tenant(ctx)
		b.must(err)
		if got.State != state || got.SuspendedWhy != why || got.DeleteAt.IsZero() == deletes {
			b.Errorf("%s: %+v", what, got)
		}
	}
	b.must(s.Suspend(ctx, "fraud"))
	_, err := s.AskDeletion(ctx, tenants.DeletionGrace)
	b.must(err)
	is("suspended, then to be deleted", tenants.TenantSuspended, "fraud", true)
	b.must(s.KeepTenant(ctx))
	is("suspended, then kept", tenants.TenantSuspended, "fraud", false)
	b.must(s.Resume(ctx))
	_, err = s.AskDeletion(ctx, tenants.DeletionGrace)
	b.must(err)
	b.must(s.Suspend(ctx, "fraud"))
	is("to be deleted, then suspended", tenants.TenantSuspended, "fraud", true)
	b.must(s.Resume(ctx))
	is("resumed", tenants.TenantActive, "", false)
}

// rowsOf counts the rows of a tenant in every table that has them.
func (b *bench) rowsOf(id tenants.TenantID) map[string]int {
	b.Helper()
	counts := map[string]int{}
	list, mine := "SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'tenant_id'",
		"hex(tenant_id) = '"+strings.ToUpper(strings.ReplaceAll(string(id), "-", ""))+"'"
	if b.config.URL != "" {
		list = "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'tenant_id'"
		mine = "tenant_id = '" + string(id) + "'"
	}
	b.past(func(conn *sql.Conn) {
		rows, err := conn.QueryContext(b.Context(), list)
		b.must(err)
		var tables []string
		for rows.Next() {
			var name string
			b.must(rows.Scan(&name))
			tables = append(tables, name)
		}
		b.must(errors.Join(rows.Err(), rows.Close()))
		for _, table := range tables {
			var n int
			b.must(conn.QueryRowContext(b.Context(), "SELECT COUNT(*) FROM "+table+" WHERE "+mine).Scan(&n))
			counts[table] = n
		}
	})
	if len(counts) < 20 {
		b.Fatalf("only %d tables have a tenant", len(counts))
	}
	return counts
}
