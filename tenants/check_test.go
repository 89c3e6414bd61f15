package tenants

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// wrong returns the names of the fields that a check refuses, separated by spaces.
func wrong(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *Error
	if !errors.As(err, &e) || e.Kind != Invalid || e.Code != "invalid" {
		t.Fatalf("%v does not say which fields are wrong", err)
	}
	var names []string
	for _, f := range e.Fields {
		names = append(names, f.Name)
		if f.Message == "" {
			t.Errorf("%s is refused without a reason", f.Name)
		}
	}
	return strings.Join(names, " ")
}

// change is one step away from a value that passes, and the field that is refused then; empty =
// it still passes.
type change[T any] struct {
	name string
	to   func(*T)
	want string
}

// checks tries each change on a fresh good value.
func checks[T interface{ Check() error }](t *testing.T, good T, changes []change[T]) {
	t.Helper()
	if got := wrong(t, good.Check()); got != "" {
		t.Fatalf("a good one is refused for %q", got)
	}
	for _, c := range changes {
		v := good
		c.to(&v)
		if got := wrong(t, v.Check()); got != c.want {
			t.Errorf("%s: %q is refused, want %q", c.name, got, c.want)
		}
	}
}

func letterX(n int) string { return strings.Repeat("x", n) }

func TestDeviceCheck(t *testing.T) {
	t.Parallel()
	good := Device{Token: strings.Repeat("ab", 32), Bundle: "com.example.app", Environment: Production, Platform: IOS}
	checks(t, good, []change[Device]{
		{"upper-case token, as it is before Clean", func(d *Device) { d.Token = strings.Repeat("AB", 32) }, "token"},
		{"no token", func(d *Device) { d.Token = "" }, "token"},
		{"a bundle with .voip", func(d *Device) { d.Bundle = "com.example.app.voip" }, "bundle_id"},
		{"auto", func(d *Device) { d.Environment = Auto }, ""},
		{"sandbox", func(d *Device) { d.Environment = Sandbox }, ""},
		{"no environment", func(d *Device) { d.Environment = "" }, "environment"},
		{"a person", func(d *Device) { d.Person = "u-1" }, ""},
		{"a person with a space", func(d *Device) { d.Person = "a b" }, "person"},
		{"a name of 80", func(d *Device) { d.Name = letterX(80) }, ""},
		{"a name of 81", func(d *Device) { d.Name = letterX(81) }, "name"},
		{"a model of 80", func(d *Device) { d.Model = letterX(80) }, ""},
		{"a model of 81", func(d *Device) { d.Model = letterX(81) }, "model"},
		{"an iOS of 40", func(d *Device) { d.OSVersion = letterX(40) }, ""},
		{"an iOS of 41", func(d *Device) { d.OSVersion = letterX(41) }, "os_version"},
		{"an app of 40", func(d *Device) { d.AppVersion = letterX(40) }, ""},
		{"an app of 41", func(d *Device) { d.AppVersion = letterX(41) }, "app_version"},
		{"a time zone", func(d *Device) { d.TimeZone = "Europe/Berlin" }, ""},
		{"no such time zone", func(d *Device) { d.TimeZone = "Nowhere/At_All" }, "time_zone"},
		{"a browser", func(d *Device) { d.Platform = Browser }, ""},
		{"a fax", func(d *Device) { d.Platform = "fax" }, "platform"},
	})
}

func TestDeviceClean(t *testing.T) {
	t.Parallel()
	got := Device{Token: "ABcd", Name: " Ana ", Model: " iPhone17,1\n", OSVersion: " 26.1 ", AppVersion: " 3.0 "}.Clean()
	want := Device{Token: "abcd", Name: "Ana", Model: "iPhone17,1", OSVersion: "26.1", AppVersion: "3.0",
		Environment: Auto, Platform: IOS, State: DeviceActive}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	said := Device{Environment: Sandbox, Platform: Browser, State: DeviceDisabled}
	if got := said.Clean(); got != said {
		t.Errorf("what was said is changed: %+v", got)
	}
}

// A device is pushed to where its app said it belongs; only an app that does not say so lets what
// worked before decide.
func TestDeviceHostAndTitle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ said, learnt, want Environment }{
		{Production, Sandbox, Production}, {Sandbox, "", Sandbox}, {Auto, "", Auto}, {Auto, Sandbox, Sandbox}, {Auto, Production,
			Production},
	} {
		if got := (Device{Environment: c.said, Learnt: c.learnt}).Host(); got != c.want {
			t.Errorf("said %s, learnt %q: %s, want %s", c.said, c.learnt, got, c.want)
		}
	}
	for want, d := range map[string]Device{
		"Ana's":                 {Name: "Ana's", Person: "u-1", Model: "iPhone17,1"},
		"u-1":                   {Name: " ", Person: "u-1", Model: "iPhone17,1"},
		"iPhone17,1":            {Model: "iPhone17,1"},
		"Device without a name": {},
	} {
		if got := d.Title(); got != want {
			t.Errorf("%+v is called %q, want %q", d, got, want)
		}
	}
}

func TestValidBundle(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"a.b": true, "com.example.app": true, "com.Example-2.App9": true, "az.AZ.09-": true,
		"a." + letterX(153): true, "a." + letterX(154): false,
		"": false, ".b": false, "ab": false, "abc": false, "a.": false, ".ab": false, "a..b": false, "a.b.voip": false,
		"a.b_c": false, "a.b c": false, "a.b/c": false, "a.b:c": false, "a.b@c": false, "a.b[c": false, "a.b`c": false, "a.b{c": false,
		"a.bé": false, "a.b\x00": false,
	} {
		if ValidBundle(s) != want {
			t.Errorf("%q is a bundle id: %t", s, !want)
		}
	}
}

func TestCredentialCheck(t *testing.T) {
	t.Parallel()
	key := Credential{Kind: P8, Bundle: "com.example.app", Environment: Auto, Team: "AZ09AZ09AZ", KeyID: "ZA90ZA90ZA"}
	cases := []change[Credential]{
		{"no bundle", func(c *Credential) { c.Bundle = "" }, "bundle_id"},
		{"sandbox", func(c *Credential) { c.Environment = Sandbox }, ""},
		{"production", func(c *Credential) { c.Environment = Production }, ""},
		{"no environment", func(c *Credential) { c.Environment = "" }, "environment"},
	}
	for _, bad := range []string{"", "AZ09AZ09A", "AZ09AZ09AZ0", "az09az09az", "AZ09AZ09A/", "AZ09AZ09A:", "AZ09AZ09A@", "AZ09AZ09A[",
		"AZ09 Z09AZ"} {
		cases = append(cases, change[Credential]{"team " + bad, func(c *Credential) { c.Team = bad }, "team_id"},
			change[Credential]{"key " + bad, func(c *Credential) { c.KeyID = bad }, "key_id"})
	}
	checks(t, key, cases)
	checks(t, Credential{Kind: P12, Bundle: "com.example.app", Environment: Production}, nil) // it has neither team nor key id
	if key.Title() != "Key ZA90ZA90ZA" || (Credential{Kind: P12, Bundle: "a.b"}).Title() != "Certificate of a.b" {
		t.Errorf("called %q and %q", key.Title(), Credential{Kind: P12, Bundle: "a.b"}.Title())
	}
}

func TestTenantCheck(t *testing.T) {
	t.Parallel()
	good := Tenant{Slug: "lindenhof", Name: "Lindenhof", Industry: Healthcare, TimeZone: "Europe/Berlin", RingTTL: DefaultTTL}
	checks(t, good, []change[Tenant]{
		{"no slug", func(x *Tenant) { x.Slug = "" }, "slug"},
		{"no name", func(x *Tenant) { x.Name = "" }, "name"},
		{"a name of 80", func(x *Tenant) { x.Name = letterX(80) }, ""},
		{"a name of 81", func(x *Tenant) { x.Name = letterX(81) }, "name"},
		{"a name of one letter", func(x *Tenant) { x.Name = "x" }, ""},
		{"no industry", func(x *Tenant) { x.Industry = "" }, "industry"},
		{"no time zone", func(x *Tenant) { x.TimeZone = "" }, "time_zone"},
		{"the server's time zone", func(x *Tenant) { x.TimeZone = "Local" }, "time_zone"},
		{"no such time zone", func(x *Tenant) { x.TimeZone = "Mars/Olympus" }, "time_zone"},
		{"the shortest ring", func(x *Tenant) { x.RingTTL = 5 * time.Second }, ""},
		{"a shorter ring", func(x *Tenant) { x.RingTTL = 5*time.Second - 1 }, "ring_ttl_s"},
		{"the longest ring", func(x *Tenant) { x.RingTTL = time.Minute }, ""},
		{"a longer ring", func(x *Tenant) { x.RingTTL = time.Minute + 1 }, "ring_ttl_s"},
	})
	for s, want := range map[string]bool{
		"ab": true, "az": true, "za": true, "a0": true, "a9": true, "a-b": true, "a" + letterX(39): true,
		"": false, "a": false, "a" + letterX(40): false, "9a": false, "-a": false, "Ab": false, "{a": false, "`a": false,
		"aB": false, "a/": false, "a:": false, "a`": false, "a{": false, "a_b": false, "a b": false, "aé": false,
	} {
		if validSlug(s) != want {
			t.Errorf("%q is a slug: %t", s, !want)
		}
	}
}

func TestKeyCheck(t *testing.T) {
	t.Parallel()
	checks(t, Key{Name: "agent", Permissions: Scopes()}, []change[Key]{
		{"no name", func(k *Key) { k.Name = "" }, "name"},
		{"a name of 80", func(k *Key) { k.Name = letterX(80) }, ""},
		{"a name of 81", func(k *Key) { k.Name = letterX(81) }, "name"},
		{"one scope", func(k *Key) { k.Permissions = []Permission{RingsWrite} }, ""},
		{"a name of one letter", func(k *Key) { k.Name = "x" }, ""},
		{"no scope", func(k *Key) { k.Permissions = nil }, "scopes"},
		{"an unknown scope", func(k *Key) { k.Permissions = []Permission{"everything"} }, "scopes"},
		{"an unknown scope before a known one", func(k *Key) { k.Permissions = []Permission{"everything", RingsRead} }, "scopes"},
		{"one ring a second", func(k *Key) { k.PerSecond = 1 }, ""},
		{"a thousand rings a second", func(k *Key) { k.PerSecond = 1000 }, ""},
		{"more", func(k *Key) { k.PerSecond = 1001 }, "per_second"},
		{"less than none", func(k *Key) { k.PerSecond = -1 }, "per_second"},
	})
	reads := Key{Permissions: []Permission{RingsRead}}
	if !reads.May(RingsRead) || reads.May(RingsWrite) {
		t.Error("a key may do what it has no scope for, or not what it has one for")
	}
}

func TestAgentCheck(t *testing.T) {
	t.Parallel()
	checks(t, Agent{ID: "me", Name: "Bell", Kind: Builtin}.Clean(), []change[Agent]{
		{"no name", func(a *Agent) { a.Name = "" }, "name"},
		{"a name of 80", func(a *Agent) { a.Name = letterX(80) }, ""},
		{"a name of 81", func(a *Agent) { a.Name = letterX(81) }, "name"},
		{"a name of one letter", func(a *Agent) { a.Name = "x" }, ""},
		{"no kind", func(a *Agent) { a.Kind = "" }, "kind"},
		{"a caller of 64", func(a *Agent) { a.Caller = letterX(64) }, ""},
		{"a caller of 65", func(a *Agent) { a.Caller = letterX(65) }, "caller"},
		{"three come next", func(a *Agent) { a.Next = []AgentID{"a", "b", "c"} }, ""},
		{"four come next", func(a *Agent) { a.Next = []AgentID{"a", "b", "c", "d"} }, "next"},
		{"one comes next twice", func(a *Agent) { a.Next = []AgentID{"a", "a"} }, "next"},
		{"it comes after itself", func(a *Agent) { a.Next = []AgentID{"me"} }, "next"},
		{"attached while it rings", func(a *Agent) { a.Attach = AttachShown }, ""},
		{"attached some time", func(a *Agent) { a.Attach = "soon" }, "attach"},
		{"hang up", func(a *Agent) { a.Lost = LostHangUp }, ""},
		{"a song", func(a *Agent) { a.Lost = "song" }, "lost"},
	})
}

func TestRequestCheck(t *testing.T) {
	t.Parallel()
	checks(t, Request{To: To{Person: "u-1"}}, []change[Request]{
		{"nobody", func(q *Request) { q.To = To{} }, "to"},
		{"a device", func(q *Request) { q.To = To{Device: "d"} }, ""},
		{"a device and a person", func(q *Request) { q.To.Device = "d" }, "to"},
		{"a person with a space", func(q *Request) { q.To.Person = "a b" }, "to.person"},
		{"a caller of 64", func(q *Request) { q.Caller = letterX(64) }, ""},
		{"a caller of 65", func(q *Request) { q.Caller = letterX(65) }, "caller"},
		{"a reference of 64", func(q *Request) { q.Reference = letterX(64) }, ""},
		{"a reference of 65", func(q *Request) { q.Reference = letterX(65) }, "reference"},
		{"the shortest ring", func(q *Request) { q.TTL = 5 * time.Second }, ""},
		{"a shorter ring", func(q *Request) { q.TTL = 5*time.Second - 1 }, "ttl_s"},
		{"the longest ring", func(q *Request) { q.TTL = time.Minute }, ""},
		{"a longer ring", func(q *Request) { q.TTL = time.Minute + 1 }, "ttl_s"},
	})
	for s, want := range map[string]bool{
		"a": true, "azAZ09._-": true, letterX(64): true, "": false, letterX(65): false, "a b": false, "a/b": false, "a:b": false,
		"a@b": false, "a[b": false, "a`b": false, "a{b": false, "aéb": false, "=1": false,
	} {
		if ValidReference(s) != want {
			t.Errorf("%q is a reference: %t", s, !want)
		}
	}
}

func TestParseEmail(t *testing.T) {
	t.Parallel()
	local := letterX(64)
	domain := strings.Repeat("abcdefgh.", 21) // 189 characters
	longest := local + "@" + domain[:254-65]
	for in, want := range map[string]string{
		" Ana@Lindenhof.example\n": "ana@lindenhof.example",
		"ana@localhost":            "ana@localhost",
		longest[:253] + "x":        longest[:253] + "x",
		longest[:253] + "xy":       "",
		"Ana <ana@a.example>":      "",
		"ana":                      "",
		"":                         "",
	} {
		if got, ok := ParseEmail(in); got != want || ok != (want != "") {
			t.Errorf("%q is read as %q, %t; want %q", in, got, ok, want)
		}
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	seen := map[Permission]bool{}
	for _, g := range Grants {
		if seen[g.Permission] || g.Does == "" || !Owner.May(g.Permission) {
			t.Errorf("%s: named twice, without words, or an owner lacks it", g.Permission)
		}
		seen[g.Permission] = true
		owners := []Permission{OwnersWrite, RecordingWrite, DataWrite, LookWrite}
		if Admin.May(g.Permission) == slices.Contains(owners, g.Permission) {
			t.Errorf("an administrator may do all but %v; %s is wrong", owners, g.Permission)
		}
		if Viewer.May(g.Permission) != strings.HasSuffix(string(g.Permission), ":read") {
			t.Errorf("a viewer reads all and writes nothing; %s is wrong", g.Permission)
		}
		for _, r := range []Role{"", "root"} {
			if r.May(g.Permission) {
				t.Errorf("the role %q, which does not exist, may %s", r, g.Permission)
			}
		}
	}
	for _, p := range []Permission{"", "rings:erase"} {
		if Owner.May(p) {
			t.Errorf("an owner has %q, which does not exist", p)
		}
	}
	for _, r := range Roles {
		if !r.Known() || r.Name() == string(r) || !Owner.Covers(r) || !r.Covers(r) || r != Owner && r.Covers(Owner) {
			t.Errorf("%s is unknown, has no name, or covers too much or too little", r)
		}
	}
	for r, lacks := range map[Role][]Permission{Developer: {PeopleRead, BillingRead}, Billing: {RingsRead, DevicesRead, NotesRead},
		Analyst: {RingsWrite, KeysRead, NotesRead}} {
		for _, p := range lacks {
			if r.May(p) {
				t.Errorf("%s has %s", r, p)
			}
		}
	}
}

func TestCaps(t *testing.T) {
	t.Parallel()
	for _, c := range []Cap{CapAgents, CapKeys, CapCredentials, CapInvitations, CapDevices, CapPairings} {
		if err := c.Check(c.Most - 1); err != nil {
			t.Errorf("%s: the last one is refused: %v", c.Code, err)
		}
		kind := Unprocessable
		if c == CapPairings { // codes expire, so time helps
			kind = TooMany
		}
		var e *Error
		if err := c.Check(c.Most); !errors.As(err, &e) || e.Kind != kind || e.Code != c.Code || e.RetryAfter != c.Wait ||
			!strings.Contains(e.Msg, FormatCount(c.Most)+" "+c.What) || !strings.HasSuffix(e.Msg, c.Cure) {
			t.Errorf("%s: one more than there may be: %#v", c.Code, err)
		}
	}
}
