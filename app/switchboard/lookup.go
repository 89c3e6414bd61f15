package switchboard

import (
	"context"

	"carillon/tenants"
	"carillon/tenants/store"
)

// Lookup asks a tenant's own system before a ring who is calling and whom to ring.
// *connections.Lookups does.
type Lookup interface {
	// Asks reports whether the tenant has a system to ask. It does no request.
	Asks(context.Context, tenants.TenantID) bool
	// Ask takes tenants.LookupWithin at most, and never fails: what did not work is in the note.
	Ask(context.Context, tenants.Tenant, tenants.Request) tenants.LookedUp
}

// asks reports whether a system of the tenant is asked before the ring. For a group nobody is
// asked: its plan says whom to ring.
func (b *Board) asks(ctx context.Context, t tenants.TenantID, q tenants.Request) bool {
	return b.Lookup != nil && q.To.Group == "" && b.Lookup.Asks(ctx, t)
}

// draftAsked is draft for a tenant that may have a system to ask. A repeat of an idempotency key
// asks nobody again: earlier is the ring that it made.
func (b *Board) draftAsked(ctx context.Context, scope *store.Scope, c *Caller, q tenants.Request, i store.Idempotency, asks bool) (r,
	earlier *tenants.Ring, err error) {
	if !asks {
		r, err = b.draft(ctx, scope, c, q)
		return r, nil, err
	}
	if i.Key != "" {
		if earlier, err = scope.Rings().Earlier(ctx, i); err != nil || earlier != nil {
			return nil, earlier, err
		}
	}
	if _, err = b.draft(ctx, scope, c, q); err != nil { // refused as it is: nobody needs to be asked
		return nil, nil, err
	}
	asked, said := q, b.Lookup.Ask(ctx, c.Tenant, q)
	if said.Caller != "" {
		asked.Caller = said.Caller
	}
	if said.Person != "" {
		asked.To = tenants.To{Person: said.Person}
	}
	r, err = b.draft(ctx, scope, c, asked)
	if err != nil && asked.To != q.To {
		said.Note = "The look-up named the person " + said.Person + ", who cannot be rung. The ring went on without it"
		asked.To = q.To
		r, err = b.draft(ctx, scope, c, asked)
	}
	if err == nil && said.Note != "" {
		for i := range r.Attempts {
			r.Attempts[i].Facts[0].Detail = said.Note
		}
	}
	return r, nil, err
}
