package storetest

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"strings"
	"sync"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testAuditChain: the chain of a tenant is whole in the database and in an export, its end is
// signed once, and the database itself refuses to change or remove a row.
func testAuditChain(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	agent := b.newAgent()
	b.must(s.Agents().Add(ctx, agent))
	agent.Name = "Another name"
	b.must(s.Agents().Set(ctx, agent))
	b.must(s.By(store.Who{Actor: tenants.Actor{Kind: tenants.ActorKey, Name: "Nurse \xff"}}).Audits().Refused(ctx, "access.refuse",
		"POST /x", "403"))
	signed, err := b.s.Jobs().SignHeads(ctx)
	b.must(err)
	equal(b, signed, 1, "heads signed")
	signed, err = b.s.Jobs().SignHeads(ctx)
	b.must(err)
	equal(b, signed, 0, "heads signed again")
	b.must(s.Agents().Remove(ctx, agent.ID))
	key, err := b.s.AuditKey(ctx)
	b.must(err)
	verdict, err := s.Audits().Verify(ctx, key, nil)
	b.must(err)
	if verdict.Fault != nil || verdict.Rows < 4 || verdict.Heads != 1 || verdict.SignedTo != verdict.Last-1 || verdict.Refused != 1 {
		b.Errorf("verdict %+v %v", verdict, verdict.Fault)
	}
	var out bytes.Buffer
	b.must(s.Audits().Sign(ctx, store.AuditPeriod{Upto: verdict.Last}))
	b.must(s.Audits().Export(ctx, &out, store.AuditPeriod{}))
	again, err := tenants.VerifyAuditExport(bytes.NewReader(out.Bytes()), key.Public)
	b.must(err)
	if again.Fault != nil || again.Rows != verdict.Rows || again.SignedTo != verdict.Last {
		b.Errorf("verdict on the export %+v %v:\n%s", again, again.Fault, out.String())
	}
	other, _, err := ed25519.GenerateKey(nil)
	b.must(err)
	wrong, err := tenants.VerifyAuditExport(bytes.NewReader(out.Bytes()), other)
	if err != nil || wrong.Fault == nil || wrong.Fault.Code != "key" {
		b.Errorf("with another key: %+v %v", wrong, err)
	}
	out.Reset()
	b.must(s.Audits().Sign(ctx, store.AuditPeriod{Upto: 3}))
	b.must(s.Audits().Export(ctx, &out, store.AuditPeriod{After: 2, Upto: 3}))
	if part, err := tenants.VerifyAuditExport(&out, key.Public); err != nil || part.Fault != nil || part.First != 3 || part.SignedTo != 3 {
		b.Errorf("a part of the chain: %+v %v", part, err)
	}
	for _, q := range []string{"UPDATE audits SET detail = 'x' WHERE seq = 2", "UPDATE audits SET actor_name = '' WHERE seq = 2",
		"UPDATE audits SET at = at + 1 WHERE seq = 1", "UPDATE audits SET hash = salts WHERE seq = 2", "DELETE FROM audits WHERE seq = 2",
		"DELETE FROM audits", "UPDATE audit_heads SET seq = 1", "DELETE FROM audit_heads"} {
		if err := b.statement(q); err == nil {
			b.Errorf("%s was let through", q)
		}
	}
	verdict, err = s.Audits().Verify(ctx, key, nil)
	b.must(err)
	if verdict.Fault != nil {
		b.Errorf("after attempts to change it: %v", verdict.Fault)
	}
}

// testAuditChainAtOnce: many writers at once, of two processes on one database, leave one chain
// without a gap and without a fork.
func testAuditChainAtOnce(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	tenant, err := s.Tenant(ctx)
	b.must(err)
	there := OpenConfig(b, b.config).For(tenant.ID)
	var wait sync.WaitGroup
	const writers = 1000
	for i := range writers {
		scope := s
		if i%2 == 1 {
			scope = there
		}
		wait.Go(func() {
			if err := scope.Audits().Add(ctx, "test.write", fmt.Sprint(i), ""); err != nil {
				b.Error(err)
			}
		})
	}
	wait.Wait()
	key, err := b.s.AuditKey(ctx)
	b.must(err)
	verdict, err := s.Audits().Verify(ctx, key, nil)
	b.must(err)
	if verdict.Fault != nil || verdict.Rows < writers {
		b.Errorf("verdict %+v %v", verdict, verdict.Fault)
	}
}

// testRetireAudits: rows that were kept as long as the rules say go, behind a signed anchor, and
// the rest of the chain is whole in the database and in an export.
func testRetireAudits(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	for i := range 5 {
		b.must(s.Audits().Add(ctx, "test.write", fmt.Sprint(i), ""))
	}
	tenant, err := s.Tenant(ctx)
	b.must(err)
	keep := time.Duration(tenant.Rules().Retention[tenants.DataAudits]) * 24 * time.Hour
	if keep == 0 {
		b.Fatal("the rules keep audit rows for ever")
	}
	b.clock.add(keep - time.Hour)
	n, err := b.s.Jobs().Retire(ctx, b.clock.Now())
	b.must(err)
	equal(b, n, 0, "removed an hour too early")
	b.must(s.Audits().Add(ctx, "test.write", "late", ""))
	b.clock.add(2 * time.Hour)
	n, err = b.s.Jobs().Retire(ctx, b.clock.Now())
	b.must(err)
	equal(b, n, 6, "removed")
	list, _, err := s.Audits().List(ctx, store.AuditQuery{})
	b.must(err)
	if len(list) != 2 || list[0].Action != "retention.remove" || list[0].Detail != "6 audit entries" || list[1].Seq != 7 {
		b.Errorf("what is left: %+v", list)
	}
	key, err := b.s.AuditKey(ctx)
	b.must(err)
	verdict, err := s.Audits().Verify(ctx, key, nil)
	b.must(err)
	if verdict.Fault != nil || verdict.First != 7 || verdict.Last != 8 {
		b.Errorf("verdict %+v %v", verdict, verdict.Fault)
	}
	var out bytes.Buffer
	b.must(s.Audits().Export(ctx, &out, store.AuditPeriod{}))
	if part, err := tenants.VerifyAuditExport(&out, key.Public); err != nil || part.Fault != nil || part.First != 7 {
		b.Errorf("the export: %+v %v", part, err)
	}
}

// testAuditsOfEarlierVersion: a node of a version without chains writes rows without a hash beside
// this one. The next write, a signature and a verification each chain them first, also when they
// are more than one commit chains.
func testAuditsOfEarlierVersion(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	tenant, err := s.Tenant(ctx)
	b.must(err)
	seq := int64(1)
	earlier := func(rows int64) { // what the node of the earlier version does
		b.Helper()
		text, id := "hex(tenant_id)", "upper(replace('"+string(tenant.ID)+"', '-', ''))"
		numbers := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
		if b.config.URL != "" {
			text, id, numbers = "CAST(tenant_id AS TEXT)", "'"+string(tenant.ID)+"'", "WITH n(i) AS (SELECT generate_series(1, %d)) "
		}
		b.must(b.statement(fmt.Sprintf(numbers+"INSERT INTO audits (tenant_id, seq, at, actor_kind, actor_id, actor_name, action, "+
			"target, detail, ip, request_id) SELECT a.tenant_id, a.seq + n.i, a.at, a.actor_kind, a.actor_id, a.actor_name, "+
			"'ring.place', '', '', '', '' FROM audits a, n WHERE a.seq = %d AND "+text+" = "+id, rows, seq)))
		seq += rows
		b.must(b.statement(fmt.Sprintf("UPDATE tenants SET audit_seq = %d WHERE "+strings.Replace(text, "tenant_id", "id", 1)+" = "+id,
			seq)))
	}
	key, err := b.s.AuditKey(ctx)
	b.must(err)
	whole := func(what string) {
		b.Helper()
		verdict, err := s.Audits().Verify(ctx, key, nil)
		b.must(err)
		if verdict.Fault != nil || verdict.Last != seq {
			b.Errorf("%s: %+v %v", what, verdict, verdict.Fault)
		}
	}
	write := func() {
		b.Helper()
		b.must(s.Audits().Add(ctx, "test.write", "", fmt.Sprint(seq)))
		seq++
	}
	write()
	earlier(1)
	write()
	earlier(2)
	whole("verified behind rows of the earlier version")
	earlier(1)
	signed, err := b.s.Jobs().SignHeads(ctx)
	b.must(err)
	equal(b, signed, 1, "heads signed")
	whole("signed behind a row of the earlier version")
	earlier(4500)
	write()
	whole("a write behind many rows of the earlier version")
	earlier(2500)
	_, err = b.s.Jobs().SignHeads(ctx)
	b.must(err)
	whole("signed behind many rows of the earlier version")
}
