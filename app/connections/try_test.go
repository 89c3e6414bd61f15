package connections_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"carillon/app/connections"
	"carillon/app/connections/connectionstest"
	"carillon/tenants"
)

// TestTestEventsOfRoles: a test of text messages asks about the account and sends no text, also
// where the newest ring was missed just now; one of the audit log sends its newest entry; a
// calendar is sent nothing.
func TestTestEventsOfRoles(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenants.Salon)
	m := connectionstest.NewMessages(t)
	o.trust(m.Server)
	address, bodies := o.receiver()
	o.ring(o.device("anna", "+4915100000001", "Europe/Berlin"), tenants.FactAccepted, tenants.FactExpired)
	o.set(noon.Add(time.Second)) // the connections are added behind the ring, so none gets its events
	engine, err := connections.New(connections.Config{Store: o.store, Roles: o.roles, Now: o.clock, Log: slog.New(slog.DiscardHandler)})
	o.must(err)
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	try := func(c tenants.Connection, kind tenants.EventKind) (tenants.DeliveryAttempt, error) {
		t.Helper()
		c.ID, c.Tenant, c.Name, c.CreatedAt = tenants.NewID[tenants.ConnectionID](o.clock()), o.tenant.ID, string(c.Role), o.clock()
		c = c.Clean()
		o.must(c.Check())
		_, err := o.scope.Connections().Add(t.Context(), c)
		o.must(err)
		return engine.Try(t.Context(), o.scope, c.ID, kind)
	}
	texts := tenants.Connection{Role: tenants.RoleSMS, URL: m.URL, Token: new(connectionstest.AuthToken),
		SMS: &tenants.SMSSettings{AccountSID: connectionstest.AccountSID, From: "+4930123456"}}
	a, err := try(texts, "")
	if err != nil || !a.Good || !strings.Contains(a.Answer, "knows the account") || len(m.Texts()) != 0 {
		t.Errorf("texts: %+v, %v; sent %v", a, err, m.Texts())
	}
	m.Fail(http.StatusInternalServerError)
	if a, err = try(texts, tenants.EventRingEnded); err != nil || a.Good || a.Status != 500 || strings.Contains(a.Answer, "knows") {
		t.Errorf("a provider that fails: %+v, %v", a, err)
	}
	for _, kind := range []tenants.EventKind{"", tenants.EventAuditRecorded} {
		a, err = try(tenants.Connection{Role: tenants.RoleAudit, URL: address}, kind)
		if err != nil || !a.Good {
			t.Fatalf("audit log: %+v, %v", a, err)
		}
		if body := <-bodies; !strings.Contains(body, `"connection.add"`) {
			t.Errorf("the newest entry of the audit log: %s", body)
		}
	}
	for c, kind := range map[tenants.ConnectionRole]tenants.EventKind{tenants.RoleAudit: tenants.EventRingEnded, tenants.RoleCalendar: ""} {
		if a, err = try(tenants.Connection{Role: c, URL: address}, kind); err == nil {
			t.Errorf("a test of %s with %q was made: %+v", c, kind, a)
		}
	}
}
