package storetest

import (
	"reflect"
	"strings"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

func (b *bench) newConnection() tenants.Connection {
	now := b.clock.Now()
	c := tenants.Connection{ID: tenants.NewID[tenants.ConnectionID](now), Name: "Front desk", URL: "https://example.com/hook",
		Events: []tenants.EventKind{tenants.EventRingEnded, tenants.EventRingPlaced}, CreatedAt: now}.Clean()
	b.must(c.Check())
	return c
}

// testConnections: what a connection is comes back as it was stored, without its secrets, which are
// sealed.
func testConnections(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	c := b.newConnection()
	token := "token-canary"
	c.Headers, c.Token = map[string]string{"X-Key": "value-canary"}, &token
	secret, err := s.Connections().Add(ctx, c)
	b.must(err)
	if !strings.HasPrefix(string(secret), "whsec_") {
		b.Error("the secret has no whsec_ in front")
	}
	_, err = s.Connections().Add(ctx, c)
	b.refused(err, tenants.Conflict, "a connection twice")
	t, err := s.Tenant(ctx)
	b.must(err)
	want := c
	want.Tenant, want.Token, want.HasToken, want.Headers = t.ID, nil, true, map[string]string{"X-Key": ""}
	got, err := s.Connections().Get(ctx, c.ID)
	b.must(err)
	if !reflect.DeepEqual(got, want) {
		b.Errorf("connection: got %+v, want %+v", got, want)
	}
	opened, err := s.Connections().Secrets(ctx, c.ID)
	b.must(err)
	equal(b, opened.Token, "token-canary", "token")
	equal(b, opened.Headers["X-Key"], "value-canary", "header")
	equal(b, len(opened.Signing), 1, "signing secrets")
	equal(b, opened.Signing[0], secret, "signing secret")

	// What is left out on the way in stays; a header without any value is refused.
	got.Name, got.Headers["X-More"] = "Back desk", ""
	b.refused(s.Connections().Change(ctx, got), tenants.Invalid, "a new header without a value")
	got.Headers["X-More"] = "more"
	b.must(s.Connections().Change(ctx, got))
	opened, err = s.Connections().Secrets(ctx, c.ID)
	b.must(err)
	equal(b, opened.Token, "token-canary", "token after a change")
	equal(b, opened.Headers["X-Key"]+opened.Headers["X-More"], "value-canarymore", "headers after a change")
	// Secrets do not go to a host that they were not given for.
	moved := got
	moved.Headers = map[string]string{"X-Key": ""}
	for _, address := range []string{"https://elsewhere.example/hook", "https://example.com:8443/hook", "http://example.com/hook"} {
		moved.URL = address
		b.refused(s.Connections().Change(ctx, moved), tenants.Invalid, "a stored header to "+address)
	}
	moved.URL = "https://EXAMPLE.com:443/other"
	b.must(s.Connections().Change(ctx, moved))
	moved.URL, moved.Headers = "https://elsewhere.example/hook", map[string]string{"X-Key": "again"}
	b.must(s.Connections().Change(ctx, moved))
	moved.URL, moved.Headers = got.URL, map[string]string{"X-Key": "value-canary", "X-More": "more"}
	b.must(s.Connections().Change(ctx, moved))
	mls := got
	mls.Role = tenants.RoleMLS
	b.refused(s.Connections().Change(ctx, mls), tenants.Invalid, "another role")

	for search, want := range map[string]int{"BACK": 1, "example.com": 1, "webh": 1, "front": 0, "%": 0} {
		list, _, err := s.Connections().List(ctx, store.Page{Search: search, Sort: "name"})
		b.must(err)
		equal(b, len(list), want, "connections found by "+search)
	}
	list, _, err := other.Connections().List(ctx, store.Page{})
	b.must(err)
	equal(b, len(list), 0, "another tenant's connections")

	// Two secrets sign while one is rotated.
	fresh, ends, err := s.Connections().RotateSecret(ctx, c.ID)
	b.must(err)
	equal(b, ends.Sub(b.clock.Now()), tenants.SecretOverlap, "overlap")
	opened, err = s.Connections().Secrets(ctx, c.ID)
	b.must(err)
	if !reflect.DeepEqual(opened.Signing, []tenants.Secret{fresh, secret}) {
		b.Errorf("%d secrets sign during the overlap", len(opened.Signing))
	}
	b.clock.add(tenants.SecretOverlap + time.Second)
	opened, err = s.Connections().Secrets(ctx, c.ID)
	b.must(err)
	if !reflect.DeepEqual(opened.Signing, []tenants.Secret{fresh}) {
		b.Errorf("%d secrets sign after the overlap", len(opened.Signing))
	}

	got.State = tenants.ConnectionPaused
	b.must(s.Connections().Change(ctx, got))
	got, err = s.Connections().Get(ctx, c.ID)
	b.must(err)
	equal(b, got.State, tenants.ConnectionPaused, "state")
	b.must(s.Connections().Remove(ctx, c.ID))
	b.refused(s.Connections().Remove(ctx, c.ID), tenants.Unknown, "removing twice")
	b.refused(s.Connections().Change(ctx, got), tenants.Unknown, "changing a removed connection")

	crm := b.newConnection()
	crm.Role, crm.Headers = tenants.RoleCRM, map[string]string{"X-Key": "k"}
	crm = crm.Clean()
	_, err = s.Connections().Add(ctx, crm)
	b.must(err)
	crm.Headers, crm.Lookup.Ask, crm.Lookup.URL = map[string]string{"X-Key": ""}, true, "https://elsewhere.example/"
	b.refused(s.Connections().Change(ctx, crm), tenants.Invalid, "a stored header to another address to ask")
	crm.Lookup.URL = "https://example.com/ask"
	b.must(s.Connections().Change(ctx, crm))
	askers, err := b.s.Jobs().Askers(ctx)
	b.must(err)
	equal(b, askers[t.ID], crm.ID, "asked")
	b.must(s.Connections().Remove(ctx, crm.ID))
	sms := b.newConnection()
	sms.Role, sms.Token = tenants.RoleSMS, &token
	_, err = s.Connections().Add(ctx, sms)
	b.must(err)
	sms.Token, sms.URL = nil, "https://elsewhere.example/"
	b.refused(s.Connections().Change(ctx, sms), tenants.Invalid, "a stored token to another host")
	sms.Token = &token
	b.must(s.Connections().Change(ctx, sms))
	b.must(s.Connections().Remove(ctx, sms.ID))

	for range tenants.CapConnections.Most {
		_, err := s.Connections().Add(ctx, b.newConnection())
		b.must(err)
	}
	_, err = s.Connections().Add(ctx, b.newConnection())
	b.refused(err, tenants.Unprocessable, "one connection too many")
}
