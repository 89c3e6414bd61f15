package tenants_test

import (
	"errors"
	"strings"
	"testing"

	"carillon/tenants"
)

func TestConnectionChecks(t *testing.T) {
	t.Parallel()
	good := tenants.Connection{Name: "Desk", URL: "https://example.com/hook"}
	with := func(change func(*tenants.Connection)) tenants.Connection {
		c := good
		change(&c)
		return c
	}
	many := map[string]string{}
	for i := range 11 {
		many["X-"+strings.Repeat("a", i+1)] = "v"
	}
	for name, test := range map[string]struct {
		c     tenants.Connection
		field string // the wrong one; empty = none
	}{
		"plain":            {good, ""},
		"no name":          {with(func(c *tenants.Connection) { c.Name = " " }), "name"},
		"no address":       {with(func(c *tenants.Connection) { c.URL = "example.com" }), "url"},
		"syslog":           {with(func(c *tenants.Connection) { c.Role, c.URL = tenants.RoleAudit, "syslog+tls://a.example:6514" }), ""},
		"syslog, no port":  {with(func(c *tenants.Connection) { c.Role, c.URL = tenants.RoleAudit, "syslog+tls://a.example" }), "url"},
		"syslog webhook":   {with(func(c *tenants.Connection) { c.URL = "syslog+tls://a.example:6514" }), "url"},
		"role":             {with(func(c *tenants.Connection) { c.Role = "fax" }), "role"},
		"event":            {with(func(c *tenants.Connection) { c.Events = []tenants.EventKind{"ring.lost"} }), "events"},
		"event of another": {with(func(c *tenants.Connection) { c.Role, c.Events = "transcript", tenants.EventKinds[:1] }), "events"},
		"header":           {with(func(c *tenants.Connection) { c.Headers = map[string]string{"x-key": "k", "Authorization": ""} }), ""},
		"many headers":     {with(func(c *tenants.Connection) { c.Headers = many }), "headers"},
		"our own header":   {with(func(c *tenants.Connection) { c.Headers = map[string]string{"webhook-id": "x"} }), "headers"},
		"HTTP's header":    {with(func(c *tenants.Connection) { c.Headers = map[string]string{"Host": "x"} }), "headers"},
		"header of lines":  {with(func(c *tenants.Connection) { c.Headers = map[string]string{"X-A": "a\r\nX-B: b"} }), "headers"},
	} {
		err := test.c.Clean().Check()
		var e *tenants.Error
		switch {
		case test.field == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.field != "" && (!errors.As(err, &e) || len(e.Fields) != 1 || e.Fields[0].Name != test.field):
			t.Errorf("%s: %v, want a fault of %s", name, err, test.field)
		}
	}
	c := with(func(c *tenants.Connection) {
		c.Headers = map[string]string{" x-api-key": " k "}
		c.Events = []tenants.EventKind{tenants.EventRingEnded, tenants.EventRingPlaced, tenants.EventRingEnded}
	}).Clean()
	if c.Headers["X-Api-Key"] != "k" || len(c.Events) != 2 || c.Events[0] != tenants.EventRingPlaced {
		t.Errorf("cleaned: %+v", c)
	}
	if !c.Wants(tenants.EventRingEnded) || c.Wants(tenants.EventNoteAdded) || !good.Clean().Wants(tenants.EventNoteAdded) {
		t.Error("the filter of events is not kept")
	}
}
