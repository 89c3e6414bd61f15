package bench

import (
	"context"
	"fmt"
	"io"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// ChainReport is what reading a tenant's whole audit chain costs.
type ChainReport struct {
	Rows    int64   `json:"rows"`
	Seconds float64 `json:"seconds"`
}

// verifyChain checks the tenant's chain, as the audit page and `audit verify` do. No head is signed
// yet: the rows are what it costs.
func verifyChain(ctx context.Context, s *stage, db *store.Store) (r ChainReport, err error) {
	key, _, err := db.AuditPublicKey(ctx)
	if err != nil {
		return r, err
	}
	start := time.Now()
	v, err := db.For(s.tenant).Audits().Verify(ctx, key, nil)
	if err == nil && v.Fault != nil {
		err = fmt.Errorf("the audit chain is not whole at row %d: %s", v.Fault.Seq, v.Fault.Why)
	}
	return ChainReport{v.Rows, time.Since(start).Seconds()}, err
}

// chainSeconds is how long a million rows may take.
const chainSeconds = 10

func (r ChainReport) print(w io.Writer) error {
	million := quotient(r.Seconds*1e6, float64(r.Rows))
	_, err := fmt.Fprintf(w, "the audit chain: %d rows verified in %.1f s, a million in %.1f s (target ≤ %d s: %s)\n",
		r.Rows, r.Seconds, million, chainSeconds, verdict(million <= chainSeconds))
	return err
}

// chainShare is the part of a ring's processor time that its audit row's place in the chain may
// take.
const chainShare = 0.05

// chainCost is the processor time in microseconds that one row's salts and hash take.
func chainCost() float64 {
	row := tenants.Audit{Seq: 1, At: time.Now(), Times: 1, Action: "ring.place", Target: tenants.NewRandomID(), IP: "192.0.2.7",
		Actor: tenants.Actor{Kind: tenants.ActorKey, ID: tenants.NewRandomID(), Name: "bench"}}
	tenant := tenants.NewID[tenants.TenantID](row.At)
	var before tenants.AuditHash
	const rows = 20_000
	start := time.Now()
	for range rows {
		row.Salt()
		before = row.Chained(before, tenant)
	}
	return float64(time.Since(start).Microseconds()) / rows
}
