package connections

import (
	"context"

	"carillon/tenants"
	"carillon/tenants/store"
)

// auditMost bounds the entries of one commit.
const auditMost = 200

// FeedAudits makes deliveries of what is new in the record of changes, for the connections of the
// role audit. It costs one short query while there are none. The deliveries of a connection are in
// order: they all name the connection where those of others name a ring.
func FeedAudits(ctx context.Context, s *store.Store) error {
	for more := true; more && ctx.Err() == nil; {
		more = false
		followers, err := s.Jobs().AuditFollowers(ctx, auditMost)
		if err != nil {
			return err
		}
		for _, f := range followers {
			all := make([]store.NewDelivery, len(f.Entries))
			for i, a := range f.Entries {
				all[i] = store.NewDelivery{Tenant: f.Tenant, Connection: f.Connection, Event: tenants.AuditEventID(f.Connection, a.Seq),
					Kind: tenants.EventAuditRecorded, Ring: tenants.RingID(f.Connection), At: a.At,
					Body: tenants.AuditEvent(f.Tenant, a).Write()}
			}
			if _, err := s.Jobs().FeedAudits(ctx, f, all); err != nil {
				return err
			}
			more = more || len(all) == auditMost
		}
	}
	return nil
}
