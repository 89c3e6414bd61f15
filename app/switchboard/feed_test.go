package switchboard_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"carillon/app/switchboard"
	"carillon/tenants"
)

// TestFollowersShareOneReader: what a tenant's rings do is read once for all who follow them, and
// each hears all of it, also one that comes later. When the server stops, all of them end.
func TestFollowersShareOneReader(t *testing.T) {
	t.Parallel()
	w, _ := scripted(t, nil)
	d, feed := w.device(""), switchboard.NewFeed(w.board)
	from, err := w.scope.Feed().Newest(t.Context())
	must(t, err)
	var followers sync.WaitGroup
	follow := func() <-chan tenants.FactKind {
		heard := make(chan tenants.FactKind, 100)
		followers.Go(func() {
			err := feed.Watch(t.Context(), w.caller.Tenant.ID, from, func(news switchboard.News) error {
				for _, f := range news.Facts {
					heard <- f.Fact.Kind
				}
				return nil
			})
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		return heard
	}
	story := []tenants.FactKind{tenants.FactPlaced, tenants.FactSent, tenants.FactAccepted}
	hears := func(heard <-chan tenants.FactKind) {
		t.Helper()
		for _, want := range story {
			select {
			case kind := <-heard:
				if kind != want {
					t.Fatalf("heard %s, want %s", kind, want)
				}
			case <-time.After(time.Minute):
				t.Fatalf("never heard %s", want)
			}
		}
	}
	const many = 100
	var all []<-chan tenants.FactKind
	for range many {
		all = append(all, follow())
	}
	w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	for _, heard := range all {
		hears(heard)
	}
	w.eventually("all that follows is done", w.board.Idle)
	before := w.statements.Load()
	w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	for _, heard := range all {
		hears(heard)
	}
	if n := w.statements.Load() - before; n > 2*many { // each for itself would need six and more
		t.Errorf("%d statements for %d followers", n, many)
	}
	late := follow()
	hears(late)
	hears(late)
	must(t, w.config.Bus.Close())
	followers.Wait()
	for _, heard := range append(all, late) {
		if len(heard) > 0 {
			t.Errorf("heard %s twice", <-heard)
		}
	}
}
