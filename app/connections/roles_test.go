package connections_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/connections"
	"carillon/app/connections/connectionstest"
	"carillon/app/outbound"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// office is a tenant with a real store and receivers on this machine.
type office struct {
	*testing.T
	store  *store.Store
	scope  *store.Scope
	roots  *x509.CertPool
	roles  connections.Roles
	tenant tenants.Tenant

	mu  sync.Mutex // guards now
	now time.Time
}

// noon is the time at which an office begins: midday in Berlin.
var noon = time.Date(2026, 11, 2, 11, 0, 0, 0, time.UTC)

func newOffice(t *testing.T, industry tenants.Industry) *office {
	t.Helper()
	o := &office{T: t, roots: x509.NewCertPool(), now: noon}
	o.store = storetest.OpenConfig(t, store.Config{Now: o.clock})
	o.tenant = tenants.Tenant{ID: tenants.NewID[tenants.TenantID](noon), Slug: "office", Name: "The Office", Industry: industry,
		State: tenants.TenantActive, TimeZone: "Europe/Berlin", RingTTL: tenants.DefaultTTL, CreatedAt: noon}
	o.must(o.store.Tenants().Add(t.Context(), store.Who{}, o.tenant))
	o.scope = o.store.For(o.tenant.ID)
	o.roles = connections.NewRoles(o.dialer(), o.store, "carillon.example", o.clock)
	return o
}

// dialer reaches this machine and trusts the certificates in roots.
func (o *office) dialer() *outbound.Dialer {
	return outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, outbound.WithRoots(o.roots))
}

func (o *office) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

func (o *office) set(at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = at
}

func (o *office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

// trust lets the office connect to a server.
func (o *office) trust(s *httptest.Server) { o.roots.AddCert(s.Certificate()) }

// receiver is an HTTPS server that keeps the bodies that it gets.
func (o *office) receiver() (address string, bodies chan string) {
	bodies = make(chan string, 100)
	s := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- string(body)
	}))
	o.Cleanup(s.Close)
	o.trust(s)
	return s.URL + "/in", bodies
}

// device is a phone of a person, in a zone.
func (o *office) device(person, number, zone string) tenants.Device {
	o.Helper()
	d := tenants.Device{ID: tenants.NewID[tenants.DeviceID](o.clock()), Token: fmt.Sprintf("%x", sha256.Sum256([]byte(person))),
		Bundle: "com.example.app", Environment: tenants.Sandbox, Person: person, PhoneNumber: number, TimeZone: zone}.Clean()
	o.must(d.Check())
	d, _, err := o.scope.Devices().Add(o.Context(), d, tenants.NewSecret(tenants.DevicePrefix).Hash())
	o.must(err)
	return d
}

// ring is one to the device's person that ends by the fact.
func (o *office) ring(d tenants.Device, facts ...tenants.FactKind) *tenants.Ring {
	o.Helper()
	now := o.clock()
	a := tenants.Attempt{ID: tenants.NewID[tenants.AttemptID](now), Device: d.ID, Credential: "0190aaaa-0000-7000-8000-00000000000f",
		State: tenants.Placed, Push: tenants.Push{APNsID: tenants.NewRandomID(), Topic: d.Topic(), Token: d.Token, Environment: d.Host()}}
	r := &tenants.Ring{ID: tenants.NewID[tenants.RingID](now), Tenant: o.tenant.ID, State: tenants.Placed, To: tenants.To{Person: d.Person},
		Caller: "Ann", Reference: "MLS-7", CreatedAt: now, ExpiresAt: now.Add(30 * time.Second), Attempts: []tenants.Attempt{a}}
	_, err := o.scope.Rings().Add(o.Context(), r, store.Idempotency{}, r.ExpiresAt)
	o.must(err)
	for _, k := range facts {
		r, _, err = o.scope.Rings().Change(o.Context(), r.ID, r, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
			if k == tenants.FactAnswered {
				r.Call = &tenants.Call{Device: d.ID, AnsweredAt: now}
			}
			return r.Fold(tenants.Fact{Attempt: a.ID, Kind: k, At: now, Received: now}), nil
		})
		o.must(err)
	}
	return r
}

// deliver makes one attempt.
func (o *office) deliver(c tenants.Connection, e connections.Event) (connections.Answer, error) {
	o.Helper()
	c.ID, c.Tenant, c.Name = cmpID(c.ID), o.tenant.ID, "x"
	c = c.Clean()
	o.must(c.Check())
	return o.roles[c.Role].Deliver(o.Context(), c, connections.Secrets{Signing: []tenants.Secret{tenants.NewSigningSecret()},
		Token: connectionstest.AuthToken}, e)
}

func cmpID(id tenants.ConnectionID) tenants.ConnectionID {
	if id == "" {
		return "0190aaaa-0000-7000-8000-0000000000c1"
	}
	return id
}

func ringEvent(r *tenants.Ring, kind tenants.EventKind) connections.Event {
	body := tenants.EventBody{Type: kind, Timestamp: r.CreatedAt, Data: tenants.RingData{Ring: r.ID, State: r.State,
		To: tenants.RingTo{Person: r.To.Person}, Reference: r.Reference, Call: &tenants.CallData{TalkedMS: 61_000}}}.Write()
	return connections.Event{ID: tenants.NewRandomID(), Kind: kind, At: r.CreatedAt, Ring: r.ID, Body: body}
}

// auditEvent is an entry with what syslog has to escape.
func auditEvent(seq int64, detail string) connections.Event {
	return connections.Event{ID: tenants.AuditEventID("c", seq), Kind: tenants.EventAuditRecorded, At: noon,
		Body: tenants.AuditEvent("0190aaaa-0000-7000-8000-0000000000aa", tenants.Audit{Seq: seq, At: noon, Action: "device.remove",
			Actor: tenants.Actor{Kind: tenants.ActorUser, ID: "u", Name: `Zoë "Z" [x] \o/`}, Target: "d-1", Detail: detail,
			IP: "192.0.2.1"}).Write()}
}

func TestAuditOverSyslog(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenants.Salon)
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	defer certificate.Close()
	o.trust(certificate)
	s := connectionstest.NewSyslog(t, certificate.TLS.Certificates[0])
	c := tenants.Connection{Role: tenants.RoleAudit, URL: "syslog+tls://" + s.Addr, Audit: &tenants.AuditSettings{Facility: 4}}
	for seq, detail := range map[int64]string{1: "name, person", 2: strings.Repeat("é", 5000), 3: "two\nlines\x00 and \xff"} {
		a, err := o.deliver(c, auditEvent(seq, detail))
		if err != nil || !a.Done {
			t.Fatalf("%d: %+v, %v", seq, a, err)
		}
		select {
		case err := <-s.Faults:
			t.Fatal(err)
		case m := <-s.Messages:
			data := m.Data["carillon@32473"]
			if m.Facility != 4 || m.Severity != 5 || m.Host != "carillon.example" || m.App != "carillon" || m.ID != "device.remove" ||
				!m.At.Equal(noon) || data["actorName"] != `Zoë "Z" [x] \o/` || data["seq"] != fmt.Sprint(seq) ||
				data["ip"] != "192.0.2.1" ||
				!strings.HasPrefix(m.Text, "device.remove d-1 by user Zoë") {
				t.Errorf("message: %+v", m)
			}
		case <-t.Context().Done():
		}
	}
	// A certificate that nobody vouches for, and a receiver that speaks no TLS.
	stranger := newOffice(t, tenants.Salon)
	if _, err := stranger.deliver(c, auditEvent(4, "")); !strings.Contains(outbound.Cause(err), "certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
	plain := httptest.NewServer(nil)
	defer plain.Close()
	c.URL = "syslog+tls://" + plain.Listener.Addr().String()
	if _, err := o.deliver(c, auditEvent(5, "")); !strings.Contains(outbound.Cause(err), "TLS") {
		t.Errorf("a receiver without TLS: %v", err)
	}
}

// TestSyslogIsNotLost: a receiver that resets the connection may have read nothing, so the entry is
// sent again.
func TestSyslogIsNotLost(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenants.Salon)
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	defer certificate.Close()
	o.trust(certificate)
	l, err := tls.Listen("tcp", "127.0.0.1:0", certificate.TLS)
	o.must(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err == nil {
			_ = conn.(*tls.Conn).Handshake()
			_ = conn.(*tls.Conn).NetConn().(interface{ SetLinger(int) error }).SetLinger(0)
			_ = conn.(*tls.Conn).NetConn().Close()
		}
	}()
	defer func() { _ = l.Close(); <-done }()
	a, err := o.deliver(tenants.Connection{Role: tenants.RoleAudit, URL: "syslog+tls://" + l.Addr().String()}, auditEvent(1, ""))
	if err == nil || a.Done {
		t.Errorf("an entry to a connection that was reset: %+v", a)
	}
}

func TestAuditOverHTTPS(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenants.Salon)
	address, bodies := o.receiver()
	a, err := o.deliver(tenants.Connection{Role: tenants.RoleAudit, URL: address}, auditEvent(7, "name"))
	if err != nil || a.Status != 200 {
		t.Fatalf("%+v, %v", a, err)
	}
	var got struct {
		Type string
		Data tenants.AuditData
	}
	body := <-bodies
	o.must(json.Unmarshal([]byte(body), &got))
	if got.Type != "audit.recorded" || got.Data.Seq != 7 || got.Data.Action != "device.remove" || strings.Contains(body, "\n") {
		t.Errorf("body: %s", body)
	}
}

func TestTradeFields(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenants.RealEstate)
	address, bodies := o.receiver()
	r := o.ring(o.device("anna", "", ""), tenants.FactAnswered, tenants.FactConnected, tenants.FactHungUp)
	for role, want := range map[tenants.ConnectionRole]string{
		tenants.RoleCRM: `"crm":{"contact":"anna","outcome":"answered","duration_s":61}`, tenants.RoleMLS: `"mls":{"listing":"MLS-7"}`,
	} {
		a, err := o.deliver(tenants.Connection{Role: role, URL: address}, ringEvent(r, tenants.EventRingEnded))
		if err != nil || a.Status != 200 {
			t.Fatalf("%s: %+v, %v", role, a, err)
		}
		if body := <-bodies; !strings.Contains(body, want) || !strings.Contains(body, `"type":"ring.ended"`) {
			t.Errorf("%s: %s", role, body)
		}
	}
	other := connections.Event{ID: tenants.NewRandomID(), Kind: tenants.EventDeviceRemoved,
		Body: []byte(`{"type":"device.removed","data":{"device":"d"}}`)}
	if _, err := o.deliver(tenants.Connection{Role: tenants.RoleCRM, URL: address}, other); err != nil {
		t.Fatal(err)
	}
	if body := <-bodies; body != string(other.Body) {
		t.Errorf("an event of no ring: %s", body)
	}
}

func TestTranscripts(t *testing.T) {
	t.Parallel()
	for industry, leaves := range map[tenants.Industry]bool{tenants.Salon: true, tenants.Healthcare: false} {
		o := newOffice(t, industry)
		address, bodies := o.receiver()
		r := o.ring(o.device("anna", "", ""), tenants.FactAnswered)
		_, _, err := o.scope.Notes().Add(t.Context(), r.ID, tenants.Notes{Summary: "a cut at five",
			Lines: []tenants.NoteLine{{Who: tenants.SpeakerAgent, At: noon, Text: "hello"}}})
		o.must(err)
		e := connections.Event{ID: tenants.NewRandomID(), Kind: tenants.EventNoteAdded, Ring: r.ID, Body: tenants.EventBody{
			Type: tenants.EventNoteAdded, Timestamp: noon, Data: tenants.NoteData{Ring: r.ID, Lines: 1, Summary: true}}.Write()}
		for _, only := range []bool{false, true} {
			c := tenants.Connection{Role: tenants.RoleTranscript, URL: address, Transcript: &tenants.TranscriptSettings{IDsOnly: only}}
			if a, err := o.deliver(c, e); err != nil || a.Status != 200 {
				t.Fatalf("%+v, %v", a, err)
			}
			body := <-bodies
			if said := strings.Contains(body, "hello") && strings.Contains(body, "a cut at five"); said != (leaves && !only) ||
				!strings.Contains(body, string(r.ID)) {
				t.Errorf("%s, ids only %v: %s", industry, only, body)
			}
		}
	}
}

func TestTextsAboutMissedRings(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenants.Salon)
	m := connectionstest.NewMessages(t)
	o.trust(m.Server)
	c := tenants.Connection{Role: tenants.RoleSMS, URL: m.URL, SMS: &tenants.SMSSettings{AccountSID: connectionstest.AccountSID,
		From: "+4930123456", Template: "{caller} called at {time}. STOP ends this."}}
	people := 0
	missed := func() (*tenants.Ring, string) {
		people++
		number := fmt.Sprintf("+49151000000%02d", people)
		d := o.device(fmt.Sprintf("person-%d", people), number, "Europe/Berlin")
		return o.ring(d, tenants.FactAccepted, tenants.FactExpired), number
	}
	try := func(r *tenants.Ring, texts int, want string) {
		t.Helper()
		a, err := o.deliver(c, ringEvent(r, tenants.EventRingEnded))
		said := string(a.Body)
		if err != nil {
			said = err.Error()
		}
		if got := m.Texts(); len(got) != texts || !strings.Contains(said, want) {
			t.Errorf("%d texts, want %d; %q, want %q", len(got), texts, said, want)
		}
	}
	r, number := missed()
	try(r, 1, "SM")
	if got := m.Texts()[0]; got != (connectionstest.Text{To: number, From: "+4930123456", Body: "Ann called at 12:00. STOP ends this."}) {
		t.Errorf("text: %+v", got)
	}
	try(r, 1, "sent already")
	d := o.device("person-1", "", "")
	try(o.ring(d, tenants.FactAccepted, tenants.FactExpired), 1, "a short time ago")
	try(o.ring(d, tenants.FactDeclined), 1, "not missed")
	try(o.ring(o.device("nobody", "", ""), tenants.FactExpired), 1, "no phone number")

	// A server that fails before it takes the text is asked again; after it took it, never.
	r, _ = missed()
	m.Fail(http.StatusServiceUnavailable)
	try(r, 1, "status 503")
	m.Fail(0)
	try(r, 2, "SM")
	r, _ = missed()
	m.Drop(true)
	try(r, 3, "not known whether")
	m.Drop(false)
	try(r, 3, "not known whether")

	// What the provider refuses, in our words.
	for code, want := range map[int]string{21211: "no valid number", 21610: "STOP", 21614: "no mobile number", 30007: "filtered"} {
		r, number = missed()
		m.Refuse(number, code)
		try(r, 3, want)
	}
	wrong := c
	wrong.SMS = &tenants.SMSSettings{AccountSID: "AC" + strings.Repeat("0", 32), From: "+4930123456"}
	r, _ = missed()
	if _, err := o.deliver(wrong, ringEvent(r, tenants.EventRingEnded)); err == nil || !strings.Contains(err.Error(), "auth token") {
		t.Errorf("a wrong account: %v", err)
	}
	try(r, 4, "SM")

	// Night where the person is, and an hour later.
	o.set(noon.Add(10 * time.Hour))
	r, _ = missed()
	try(r, 4, "quiet hours")
	o.set(noon.Add(20 * time.Hour))
	try(r, 4, "more than an hour ago")

	// The test asks for the account and sends nothing.
	if a, err := o.deliver(c, connections.Event{Kind: tenants.EventRingEnded, Ring: tenants.NewID[tenants.RingID](noon)}); err != nil ||
		a.Status != 200 || !strings.Contains(string(a.Body), "knows the account") {
		t.Errorf("test: %+v, %v", a, err)
	}
}

func TestAnswersOfPeople(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenants.Salon)
	c := tenants.Connection{Role: tenants.RoleSMS, SMS: &tenants.SMSSettings{}}.Clean()
	const number = "+4915112345678"
	for _, step := range []struct {
		text    string
		stopped bool
		answer  bool
	}{
		{"hello", false, false}, {"Stop.", true, false}, {"START", false, false}, {" stopall ", true, false}, {"help", true, true},
		{"please stop", true, false}, {"unstop", false, false}, {"QUIT", true, false},
	} {
		answer, err := connections.AnswerText(t.Context(), o.scope, c, number, step.text)
		o.must(err)
		stopped, err := o.scope.Texts().Stopped(t.Context(), number)
		o.must(err)
		if stopped != step.stopped || (answer != "") != step.answer {
			t.Errorf("after %q: stopped %v, answer %q", step.text, stopped, answer)
		}
	}
}

// TestSignedByTwilio checks the example of Twilio's documentation
// (https://www.twilio.com/docs/usage/security).
func TestSignedByTwilio(t *testing.T) {
	t.Parallel()
	form := map[string][]string{"CallSid": {"CA1234567890ABCDE"}, "Caller": {"+14158675310"}, "Digits": {"1234"},
		"From": {"+14158675310"}, "To": {"+18005551212"}}
	const address = "https://example.com/myapp.php?foo=1&bar=2"
	if !connections.SignedByTwilio("12345", address, form, "L/OH5YylLD5NRKLltdqwSvS0BnU=") {
		t.Error("Twilio's example is refused")
	}
	form["To"] = []string{"+18005551213"}
	if connections.SignedByTwilio("12345", address, form, "L/OH5YylLD5NRKLltdqwSvS0BnU=") ||
		connections.SignedByTwilio("", address, form, "") {
		t.Error("a wrong signature is taken")
	}
}

// connect adds a connection.
func (o *office) connect(c tenants.Connection) tenants.Connection {
	o.Helper()
	c.ID, c.Tenant, c.Name, c.CreatedAt = tenants.NewID[tenants.ConnectionID](o.clock()), o.tenant.ID, "x", o.clock()
	token := connectionstest.AuthToken
	c.Token = &token
	c = c.Clean()
	o.must(c.Check())
	_, err := o.scope.Connections().Add(o.Context(), c)
	o.must(err)
	return c
}

// TestAuditEntriesAreFollowed: each entry from the connection's own addition on is delivered once
// and in order, no matter how many look for them and how often.
func TestAuditEntriesAreFollowed(t *testing.T) {
	t.Parallel()
	o := newOffice(t, tenants.Salon)
	o.must(o.scope.Audits().Add(t.Context(), "user.sign_in", "before", ""))
	c := o.connect(tenants.Connection{Role: tenants.RoleAudit, URL: "https://logs.example.com/in"})
	for i := range 250 {
		o.must(o.scope.Audits().Add(t.Context(), "user.sign_in", fmt.Sprint("after ", i), ""))
	}
	var seqs []int64
	for range 2 {
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				if err := connections.FeedAudits(t.Context(), o.store); err != nil {
					t.Error(err)
				}
			})
		}
		both.Wait()
		for range 300 { // one at a time: each waits for the one before
			o.set(o.clock().Add(time.Hour))
			claimed, err := o.scope.Deliveries().Claim(t.Context(), c.ID, o.clock(), time.Minute, 10)
			o.must(err)
			if len(claimed) != 1 {
				break
			}
			var e struct{ Data tenants.AuditData }
			o.must(json.Unmarshal(claimed[0].Body, &e))
			if seqs = append(seqs, e.Data.Seq); e.Data.Target == "before" || len(seqs) == 1 && e.Data.Action != "connection.add" {
				t.Errorf("entry %d: %+v", len(seqs), e.Data)
			}
			o.must(o.scope.Deliveries().Settle(t.Context(), c.ID, []store.Outcome{{Delivery: claimed[0],
				Attempt: tenants.DeliveryAttempt{At: o.clock(), Good: true}}}, false))
		}
	}
	if len(seqs) != 251 {
		t.Fatalf("%d entries of 251", len(seqs))
	}
	for i := range seqs[1:] {
		if seqs[i+1] != seqs[i]+1 {
			t.Fatalf("entry %d after %d", seqs[i+1], seqs[i])
		}
	}
}
