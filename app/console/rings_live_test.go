package console

import (
	"carillon/app/page"
	"carillon/app/page/pagetest"

	"net/url"
	"strconv"
	"strings"
	"testing"

	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
)

func TestTheListOfRingsHearsOfItsOwnRingsOnly(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.full("alpha", "Alpha"), h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	theirs, ours := a.placed(), b.placed()
	da, err := a.Scope().Devices().Get(t.Context(), a.device)
	pagetest.Must(t, err)
	begun, heard := make(chan struct{}), make(chan string, 1)
	go func() {
		defer close(heard)
		w.PeekOn("/rings/live", func(line string) bool {
			if line == "event: ready" {
				close(begun)
			}
			if ids, ok := strings.CutPrefix(line, "data: "); ok && ids != "" {
				heard <- ids
				return true
			}
			return false
		})
	}()
	<-begun
	_, err = h.board.Report(t.Context(), da, theirs.ID, switchboard.Report{Kind: tenants.FactWoke})
	pagetest.Must(t, err)
	w.Post("/rings/"+string(ours.ID)+"/cancel", url.Values{}).Leads("/rings/" + string(ours.ID))
	if got := <-heard; got != string(ours.ID) {
		t.Errorf("the list heard of %q, want %s", got, ours.ID)
	}
}

func TestOlderPagesOfTheListStandStill(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	r := b.placed()
	w := b.Quick(b.Owner)
	w.Get("/rings").Want(200).Has("data-live-list", "data-going", `data-stream="/rings/live?session=`,
		`data-ring="`+string(r.ID)+`"`, `data-drawer="drawer"`, `<dialog id="drawer"`)
	_, after, err := b.Scope().Rings().List(t.Context(), store.RingQuery{Limit: 1})
	pagetest.Must(t, err)
	w.Get("/rings?after="+after).Want(200).Lacks("data-live-list", "data-live-pause").Has(`<dialog id="drawer"`)
	w.Get("/rings?sort=created").Want(200).Lacks("data-live-list")
}

// TestAStreamEndsWithItsReadersRights: an open page learns nothing more once its reader may not.
func TestAStreamEndsWithItsReadersRights(t *testing.T) {
	t.Parallel()
	h := open(t)
	for name, end := range map[string]func(*tenant, tenants.User){
		"the tenant is suspended": func(b *tenant, _ tenants.User) {
			now, err := b.Scope().Tenant(t.Context())
			pagetest.Must(t, err)
			now.State = tenants.TenantSuspended
			pagetest.Must(t, b.Scope().SetTenant(t.Context(), now))
		},
		"the person is removed": func(b *tenant, u tenants.User) {
			pagetest.Must(t, b.Scope().Members().Remove(t.Context(), u.ID))
		},
	} {
		h.Serial++
		b := h.bare("stream"+strconv.Itoa(h.Serial), "Beta")
		u := b.viewer()
		v := &page.Visitor{Scope: b.Scope(), Tenant: tenants.Tenant{ID: b.Id}, User: u, In: store.SignIn{Hash: b.Quick(u).SignIn()}}
		k := ringPages{h.k}
		if err := k.still(t.Context(), v); err != nil {
			t.Errorf("%s: refused before: %v", name, err)
		}
		end(b, u)
		if err := k.still(t.Context(), v); err == nil {
			t.Errorf("%s: the stream goes on", name)
		}
	}
}
