package dev

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"carillon/app/console"
	"carillon/app/health"
	"carillon/app/push"
	"carillon/app/push/apnstest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// The habits of the seeded phones.
const (
	Rings    = "rings"    // wakes and shows the call; nobody picks up
	Declines = "declines" // shows the call, and declines after three seconds
	Busy     = "busy"     // is in another call
	Silent   = "silent"   // Apple accepts, the phone never wakes
	Dozes    = "dozes"    // wakes, and never shows the call
	Unshown  = "unshown"  // CallKit refuses the call
	Quiet    = "quiet"    // Do Not Disturb is on
	Liar     = "liar"     // its clock is two hours ahead
)

// scripts says what each habit does, in facts.
func scripts() map[string]apnstest.Script {
	const wake = 350 * time.Millisecond // what a sleeping phone needs on a good network
	return map[string]apnstest.Script{
		Rings: apnstest.Wakes().After(wake), Declines: apnstest.Declines(3 * time.Second).After(wake), Busy: apnstest.Busy().After(wake),
		Silent: apnstest.Silent(), Dozes: apnstest.WakesOnly().After(wake), Unshown: apnstest.FailsToShow(1).After(wake),
		Quiet: apnstest.Silenced().After(wake), Liar: apnstest.Wakes().After(wake).LiesAboutTime(2 * time.Hour),
	}
}

// World is Apple and the phones around a server in dev mode.
type World struct {
	apple  *apnstest.Apple
	phones *apnstest.Phones
	stop   func()

	mu    sync.Mutex // guards pages and ears
	pages []console.DevPhone
	ears  map[chan console.DevPush]struct{}

	opening sync.Mutex // guards below: one tenant is added at a time, as the file of notes is written whole
	seeder  seeder
	notes   Notes
}

// NewWorld returns a world that passes accepted pushes to the listeners of their token.
func NewWorld(apple *apnstest.Apple) *World {
	w := &World{apple: apple, ears: map[chan console.DevPush]struct{}{}}
	w.stop = apple.OnPush(w.wake)
	return w
}

// Learn teaches Apple the public key of a credential, so that a user's own .p8 works too. A second
// key under the same ids is refused by Apple, as in life.
func (w *World) Learn(c tenants.Credential, k *push.Key) {
	public, cert := k.Public()
	if cert != nil {
		w.apple.RegisterCertificate(cert)
		return
	}
	_ = w.apple.Register(apnstest.Key{Team: c.Team, KeyID: c.KeyID, Public: public}) // the first owner of the ids keeps them
}

// Start teaches Apple every stored credential and sets the seeded phones going against the server
// at url.
func (w *World) Start(ctx context.Context, s *store.Store, keys *health.Credentials, n Notes, url string, now func() time.Time) error {
	w.seeder, w.notes = seeder{s, keys, now, false}, n
	for _, h := range n.Tenants {
		w.addPage(h)
	}
	all, err := s.Tenants().Credentials(ctx)
	if err != nil {
		return err
	}
	for _, c := range all {
		key, err := keys.Key(ctx, c.Tenant, c.ID)
		if err != nil {
			return fmt.Errorf("credential %s: %w", c.ID, err)
		}
		w.Learn(c, key)
	}
	w.phones, err = apnstest.NewPhones(w.apple,
		apnstest.PhonesConfig{APIURL: url, Client: &http.Client{Timeout: 10 * time.Second}, Now: now})
	if err != nil {
		return err
	}
	known := scripts()
	for _, h := range n.Tenants {
		for _, p := range h.Phones {
			script, ok := known[p.Habit]
			if !ok {
				return errors.New("no such habit: " + p.Habit)
			}
			w.phones.Add(apnstest.Phone{Token: p.Token, Credential: p.Credential, Script: script})
		}
	}
	return nil
}

// addPage lists the page that plays the phone of a tenant.
func (w *World) addPage(h SeededTenant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pages = append(w.pages, console.DevPhone{Slug: h.Slug, Device: h.Device, Name: h.PhoneName, App: h.Name, Token: h.Token,
		Credential: h.Credential})
}

// Opened gives the tenant of a new trial what its first ring needs: a credential that the Apple of
// this process knows, and a phone that a page plays.
func (w *World) Opened(ctx context.Context, o store.Opening) error {
	w.opening.Lock()
	defer w.opening.Unlock()
	t := o.Tenant
	p := tenants.SampleTenant{Bundle: "com.example." + t.Slug, Phone: o.Owner.Name, Person: "owner"}
	if _, err := w.seeder.addCredential(ctx, t.ID, p, len(w.notes.Tenants)); err != nil {
		return err
	}
	h := SeededTenant{Tenant: t.ID, Slug: t.Slug, Name: t.Name, PhoneName: p.Phone, Token: token()}
	d, credential, err := w.seeder.addPage(ctx, w.seeder.store.For(t.ID).By(devMode()), p, h.Token, w.seeder.now())
	if err != nil {
		return err
	}
	h.Device, h.Credential = d.ID, credential
	w.notes.Tenants = append(w.notes.Tenants, h)
	w.addPage(h)
	return w.notes.save()
}

// Phones lists the pages that play a phone.
func (w *World) Phones() []console.DevPhone {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.pages)
}

// Close waits until the phones have finished.
func (w *World) Close() error {
	w.stop()
	if w.phones == nil {
		return nil
	}
	return w.phones.Close()
}

// wake passes an accepted push to the pages that play the token's phone. A page that is slow to
// take it misses it, as a phone would.
func (w *World) wake(d apnstest.Delivered) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.pages {
		if p.Token != d.Token {
			continue
		}
		for ear := range w.ears {
			select {
			case ear <- console.DevPush{Slug: p.Slug, Payload: d.Payload}:
			default:
			}
		}
	}
}

// Listen gives what is pushed to the pages' phones until stop is called.
func (w *World) Listen() (pushes <-chan console.DevPush, stop func()) {
	ear := make(chan console.DevPush, 16)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ears[ear] = struct{}{}
	return ear, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.ears, ear)
	}
}
