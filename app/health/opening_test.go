package health

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// TestTwoFilesAreOpenedAtOnce: while two certificates are being opened, a third one waits and is
// then refused; another one of the same tenant is refused at once. Keys without a password need no
// turn, and the refusals cost the tenant no upload.
func TestTwoFilesAreOpenedAtOnce(t *testing.T) {
	t.Parallel()
	rows, now := storetest.OpenConfig(t, store.Config{}), time.Now()
	credentials, err := NewCredentials(CredentialsConfig{Store: rows, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	tenant := func(slug string) tenants.TenantID {
		id := tenants.NewID[tenants.TenantID](now)
		err := rows.Tenants().Add(t.Context(), store.Who{Actor: tenants.System}, tenants.Tenant{ID: id, Slug: slug, Name: slug,
			Industry: tenants.Salon, State: tenants.TenantActive, TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: now})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	upload := func(tenant tenants.TenantID, name string) error {
		t.Helper()
		file, err := os.ReadFile("../push/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err = credentials.Add(ctx, tenant, store.Who{Actor: tenants.System}, Upload{Filename: "AuthKey_ABCDE12345.p8", File: file,
			Password: "secret", Team: "TEAM123456", Bundle: "com.example.bells"})
		return err
	}
	refused := func(what string, err error, kind tenants.Kind) {
		t.Helper()
		var e *tenants.Error
		if !errors.As(err, &e) || e.Kind != kind || e.Code != codeOpening || e.RetryAfter <= 0 {
			t.Errorf("%s: %v", what, err)
		}
	}
	a, b, c := tenant("anna"), tenant("bert"), tenant("carl")
	leaveA, err := credentials.opening.enter(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	leaveB, err := credentials.opening.enter(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 * uploadRate.Burst {
		refused("the same tenant's second", upload(a, "modern.p12"), tenants.TooMany)
	}
	refused("a third tenant's", upload(c, "modern.p12"), tenants.Unavailable)
	refused("a protected key in PEM", upload(c, "protected.pem"), tenants.Unavailable)
	leaveB()
	_, err = credentials.Add(t.Context(), a, store.Who{Actor: tenants.System}, Upload{Filename: "AuthKey_ABCDE12345.p8",
		File: p8(t), Team: "TEAM123456", Bundle: "com.example.bells"})
	if err != nil {
		t.Errorf("a key without a password: %v", err)
	}
	leaveA()
	for _, who := range []tenants.TenantID{a, b, c} {
		file, err := os.ReadFile("../push/testdata/modern.p12")
		if err != nil {
			t.Fatal(err)
		}
		_, err = credentials.Add(t.Context(), who, store.Who{Actor: tenants.System}, Upload{File: file, Password: "secret"})
		if err != nil {
			t.Errorf("when both are done: %v", err)
		}
	}
	if n := len(credentials.opening.tenants) + len(credentials.opening.turns); n != 0 {
		t.Errorf("%d turns are left over", n)
	}
}

func p8(t *testing.T) []byte {
	t.Helper()
	file, err := os.ReadFile("../push/testdata/clean.p8")
	if err != nil {
		t.Fatal(err)
	}
	return file
}
