package health_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"carillon/app/health"
	"carillon/tenants"
)

func (w *world) probe(id tenants.CredentialID) (health.Probed, error) {
	return w.credentials.Probe(w.t.Context(), w.caller.Tenant.ID, w.caller.Who, id)
}

func TestProbeSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	w, _ := realWorld(t)
	w.clock.Stop() // the right to probe comes back with time
	good := w.credential()
	p, err := w.probe(good.ID)
	must(t, err)
	if !p.OK || len(p.Verdicts) != 2 || !strings.Contains(p.Summary, "key, team and app belong together") {
		t.Errorf("%+v", p)
	}
	bad := w.uploadUnknown("KEY0000009")
	if p, err = w.probe(bad.ID); err != nil || p.OK || !strings.Contains(p.Summary, "team id, key id and .p8 file") {
		t.Errorf("%+v %v", p, err)
	}
	after, err := w.scope.Credentials().Get(t.Context(), bad.ID)
	must(t, err)
	if after.State != tenants.CredentialDisabled || after.LastError != "InvalidProviderToken" {
		t.Errorf("a key that both hosts call invalid: %+v", after)
	}
	_, err = w.probe(good.ID)
	must(t, err)
	if code, wait := tooMany(second(w.probe(good.ID))); code != "too_many_probes" || wait <= 0 || wait > 10*time.Second {
		t.Errorf("the fourth probe: %s, wait %v", code, wait)
	}
	if _, err := w.probe("nobody's"); tenants.KindOf(err) != tenants.Unknown {
		t.Errorf("an unknown credential: %v", err)
	}
	w.config.Probe = nil
	w.open()
	if _, err := w.probe(good.ID); tenants.KindOf(err) != tenants.Unavailable {
		t.Errorf("without a prober: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// The new key has a mistake. A rollback brings the old one back, and phones ring again.
func TestABadReplacementIsRolledBack(t *testing.T) {
	t.Parallel()
	w, _ := realWorld(t)
	d := w.device("")
	old := w.credential()
	bad := w.uploadUnknown("KEY0000009")
	r := w.ringOnce(d)
	if r.State != tenants.Failed || r.Attempts[0].Credential != bad.ID || r.Attempts[0].Push.Reason != "InvalidProviderToken" {
		t.Fatalf("%s, pushed with %s: %s", r.State, r.Attempts[0].Credential, r.Attempts[0].Push.Reason)
	}
	c, err := w.scope.Credentials().Get(t.Context(), bad.ID)
	must(t, err)
	if c.State != tenants.CredentialDisabled {
		t.Errorf("the bad key is %s", c.State)
	}
	back, err := w.credentials.Rollback(t.Context(), w.caller.Tenant.ID, w.caller.Who, bad.ID)
	must(t, err)
	if back.ID != old.ID {
		t.Errorf("back to %s", back.ID)
	}
	if r := w.ringOnce(d); r.State != tenants.Pushed {
		t.Errorf("the next ring is %s", r.State)
	}
	if a := w.alerts(tenants.AlertCredential); len(a) != 0 {
		t.Errorf("open alerts: %+v", a)
	}
}

func TestUploadsAreLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	try := func(tenant tenants.TenantID) error {
		_, err := w.credentials.Add(t.Context(), tenant, w.caller.Who, health.Upload{
			Filename: "x.p8", File: []byte("rubbish"), Bundle: bundle, Team: "TEAM000001", KeyID: "KEY0000001",
		})
		return err
	}
	w.clock.Stop()
	w.open() // with nothing used up
	for range 20 {
		if err := try(w.caller.Tenant.ID); tenants.KindOf(err) != tenants.Invalid {
			t.Fatal(err)
		}
	}
	if code, wait := tooMany(try(w.caller.Tenant.ID)); code != "too_many_uploads" || wait <= 0 || wait > 20*time.Second {
		t.Errorf("the 21st: %s, wait %v", code, wait)
	}
	if err := try("another"); tenants.KindOf(err) != tenants.Invalid {
		t.Errorf("another tenant is limited too: %v", err)
	}
}

// TestContentDecides: neither the name of a file nor the order in it matters.
func TestContentDecides(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, x := range []struct {
		file, name, password string
		kind                 tenants.CredentialKind
		bundle               string
	}{
		{"modern.p12", "blob", "secret", tenants.P12, "com.example.bells"},
		{"modern.p12", "Certificates.p12.txt", "secret", tenants.P12, "com.example.bells"},
		{"modern.p12", "AuthKey_ABCDE12345.p8", "secret", tenants.P12, "com.example.bells"},
		{"dist-first.p12", "Certificates.p12", "secret", tenants.P12, "com.example.gongs"},
		{"certkey.pem", "certkey.pem", "", tenants.P12, "com.example.bells"},
		{"protected.pem", "", "secret", tenants.P12, "com.example.bells"},
		{"clean.p8", "AuthKey_ABCDE12345.p8", "", tenants.P8, "com.example.bells"},
		{"literal.p8", "AuthKey_ABCDE12345.p12", "", tenants.P8, "com.example.bells"},
		{"bom.p8", "AuthKey_ABCDE12345.txt", "not needed", tenants.P8, "com.example.bells"},
	} {
		file, err := os.ReadFile("../push/testdata/" + x.file)
		must(t, err)
		u := health.Upload{Filename: x.name, File: file, Password: x.password}
		if x.kind == tenants.P8 {
			u.Team, u.Bundle = "TEAM123456", x.bundle
		}
		c, err := w.credentials.Add(t.Context(), w.caller.Tenant.ID, w.caller.Who, u)
		if err != nil || c.Kind != x.kind || c.Bundle != x.bundle || (c.KeyID == "ABCDE12345") != (x.kind == tenants.P8) {
			t.Errorf("%s as %q: %+v %v", x.file, x.name, c, err)
			continue
		}
		if key, err := w.credentials.Key(t.Context(), w.caller.Tenant.ID, c.ID); err != nil || key.Fingerprint() != c.Fingerprint {
			t.Errorf("%s is not the same when it is opened again: %v", x.file, err)
		}
		must(t, w.scope.Credentials().Remove(t.Context(), c.ID))
	}
}

// TestEveryFaultOfAnUploadIsNamed: a file that cannot be read does not hide the wrong fields.
func TestEveryFaultOfAnUploadIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for want, u := range map[string]health.Upload{
		"file":                          {File: []byte("rubbish"), Bundle: bundle, Filename: "a.p12"},
		"file bundle_id":                {File: []byte("rubbish"), Bundle: "nodots", Filename: "a.p12"},
		"file bundle_id team_id key_id": {File: []byte("rubbish"), Bundle: "nodots", Team: "x", Filename: "a.p8"},
		"bundle_id environment team_id": {File: p8(t), KeyID: "KEY1234567", Environment: "both"},
		"team_id key_id":                {File: p8(t), Bundle: bundle, Filename: "a.p12"},
	} {
		_, err := w.credentials.Add(t.Context(), w.caller.Tenant.ID, w.caller.Who, u)
		var e *tenants.Error
		if !errors.As(err, &e) || e.Kind != tenants.Invalid {
			t.Errorf("%s: %v", want, err)
			continue
		}
		var named []string
		for _, f := range e.Fields {
			named = append(named, f.Name)
		}
		if strings.Join(named, " ") != want {
			t.Errorf("%v, want %s", named, want)
		}
	}
}

func p8(t *testing.T) []byte {
	t.Helper()
	file, err := os.ReadFile("../push/testdata/clean.p8")
	must(t, err)
	return file
}
