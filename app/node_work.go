package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/tenants"
)

// rollMost bounds one turn of the roller, so that catching up after a pause holds no long lock.
const rollMost = 5000

func (n *node) roll(ctx context.Context) error {
	for ctx.Err() == nil {
		rolled, err := n.store.Jobs().Roll(ctx, rollMost)
		if err != nil || rolled < rollMost {
			return err
		}
	}
	return nil
}

// breath is what rings get between two removals of old rows.
const breath = 20 * time.Millisecond

// closeRepeats records what was repeated within ten minutes.
func (n *node) closeRepeats(ctx context.Context) error {
	_, err := n.store.Jobs().CloseRepeats(ctx)
	return err
}

// endLooks records the end of operators' looks whose time is over.
func (n *node) endLooks(ctx context.Context) error {
	_, err := n.store.Jobs().EndLooks(ctx)
	return err
}

// signAudits signs the ends of the audit chains.
func (n *node) signAudits(ctx context.Context) error {
	_, err := n.store.Jobs().SignHeads(ctx)
	return err
}

// retire removes what was kept long enough.
func (n *node) retire(ctx context.Context) error {
	tick := time.NewTicker(breath)
	defer tick.Stop()
	for ctx.Err() == nil {
		removed, err := n.store.Jobs().Retire(ctx, n.now())
		if err != nil || removed == 0 {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// erase does what is left to erase of people.
func (n *node) erase(ctx context.Context) error {
	return n.byParts(ctx, func() (bool, error) {
		left, err := n.store.Jobs().Erase(ctx)
		if left > 0 { // what failed fails again in the last part
			return false, nil
		}
		return true, err
	})
}

// deleteTenants deletes the tenants whose time is over. One that cannot be deleted now keeps no
// other one from it.
func (n *node) deleteTenants(ctx context.Context) error {
	due, err := n.store.Jobs().DueDeletions(ctx)
	errs := []error{err}
	for _, id := range due {
		if err := n.deleteTenant(ctx, id); err != nil {
			errs = append(errs, fmt.Errorf("tenant %s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

// deleteTenant claims the tenant, which an owner may have kept a moment ago, ends its subscription
// and removes its rows.
func (n *node) deleteTenant(ctx context.Context, id tenants.TenantID) error {
	begun, err := n.store.Jobs().BeginDeletion(ctx, id)
	if err != nil || !begun {
		return err
	}
	if n.billing != nil {
		if err := n.billing.Close(ctx, id); err != nil {
			return err
		}
	}
	return n.byParts(ctx, func() (bool, error) { return n.store.Jobs().DeleteTenant(ctx, id) })
}

// byParts does parts with a breath between, until there are no more.
func (n *node) byParts(ctx context.Context, do func() (done bool, err error)) error {
	tick := time.NewTicker(breath)
	defer tick.Stop()
	for ctx.Err() == nil {
		if done, err := do(); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// endPushes gives pushes under way a moment to end. What is cut off is pushed by the next process.
func (n *node) endPushes() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return n.board.Close(ctx)
}
