package console

import (
	"context"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// verifyMost bounds the verifications that wait, of all tenants; each tenant has one at a time.
const verifyMost = 50

// verifyPatience is how long a person waits for the verdict before the page shows how far it is.
const verifyPatience = 2 * time.Second

// verifier holds the verifications that were asked for. VerifyAudits does them, one after the
// other.
type verifier struct {
	mu    sync.Mutex // guards all below
	jobs  map[tenants.TenantID]*verification
	queue []*verification
}

type verification struct {
	tenant    tenants.TenantID
	scope     *store.Scope
	done, all int64
	ended     chan struct{}
	failed    bool // there is no verdict; read it once ended is closed
}

// add queues a verification of the tenant, unless there is one.
func (q *verifier) add(t tenants.TenantID, s *store.Scope) (*verification, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if j := q.jobs[t]; j != nil {
		return j, nil
	}
	if len(q.jobs) >= verifyMost {
		return nil, tenants.Refuse(tenants.Unavailable, "busy", verifierBusy)
	}
	j := &verification{tenant: t, scope: s, ended: make(chan struct{})}
	if q.jobs == nil {
		q.jobs = map[tenants.TenantID]*verification{}
	}
	q.jobs[t] = j
	q.queue = append(q.queue, j)
	return j, nil
}

func (q *verifier) next() *verification {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) == 0 {
		return nil
	}
	j := q.queue[0]
	q.queue = q.queue[1:]
	return j
}

func (q *verifier) end(j *verification) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.jobs, j.tenant)
	close(j.ended)
}

func (q *verifier) report(j *verification, done, all int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	j.done, j.all = done, all
}

// progress is how far the tenant's verification is.
func (q *verifier) progress(t tenants.TenantID) (done, all int64, running bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	j := q.jobs[t]
	if j == nil {
		return 0, 0, false
	}
	return j.done, j.all, true
}

// VerifyAudits does the verifications that people asked for. Each leaves an entry with its verdict.
func (k *Console) VerifyAudits(ctx context.Context) error {
	for j := k.verifier.next(); j != nil; j = k.verifier.next() {
		err := k.verifyAudit(ctx, j)
		j.failed = err != nil
		k.verifier.end(j)
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *Console) verifyAudit(ctx context.Context, j *verification) error {
	key, err := k.Store.AuditKey(ctx)
	if err != nil {
		return err
	}
	audits := j.scope.Audits()
	verdict, err := audits.Verify(ctx, key, func(done, all int64) { k.verifier.report(j, done, all) })
	if err != nil {
		return err
	}
	if verdict.Fault != nil {
		return audits.Refused(ctx, "audit.verify", "", verdictWords(verdict))
	}
	return audits.Add(ctx, "audit.verify", "", verdictWords(verdict))
}

// verify queues a verification and waits a moment for it.
func (k auditPages) verify(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	j, err := k.verifier.add(v.Tenant.ID, v.Scope)
	if err != nil {
		return err
	}
	late := time.NewTimer(verifyPatience)
	defer late.Stop()
	said := page.FlashVerified
	select {
	case <-j.ended:
		if j.failed {
			return tenants.Refuse(tenants.Unavailable, "busy", notVerified)
		}
	case <-late.C:
		said = page.FlashVerifying
	case <-ctx.Done():
		said = page.FlashVerifying
	}
	return k.Done(c, said, views.PathAuditReview)
}
