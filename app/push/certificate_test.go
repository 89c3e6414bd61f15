package push_test

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"carillon/app/push"
	"carillon/app/push/apnstest"
	"carillon/tenants"

	"software.sslmate.com/src/go-pkcs12"
)

func p12(t testing.TB, a *apnstest.Apple, bundle string, enc *pkcs12.Encoder, password string) []byte {
	t.Helper()
	cert, err := a.IssueCertificate(bundle, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	file, err := enc.Encode(cert.PrivateKey, cert.Leaf, nil, password)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func certificate(t testing.TB, a *apnstest.Apple, bundle string) (*push.Key, push.Certificate) {
	t.Helper()
	k, about, err := push.OpenCertificate(p12(t, a, bundle, pkcs12.Modern, "secret"), "secret")
	if err != nil {
		t.Fatal(err)
	}
	return k, about
}

func TestOpenCertificate(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	for name, enc := range map[string]*pkcs12.Encoder{
		"OpenSSL 3": pkcs12.Modern2023, "OpenSSL 1": pkcs12.LegacyDES, "Keychain": pkcs12.LegacyRC2, "PBMAC1": pkcs12.Modern2026,
	} {
		for _, password := range []string{"secret", "", "Grüße"} {
			k, about, err := push.OpenCertificate(p12(t, a, "com.example.clinic", enc, password), password)
			if err != nil {
				t.Errorf("%s %q: %v", name, password, err)
				continue
			}
			if about.Bundle != "com.example.clinic" || !slices.Contains(about.Topics, voipTopic) ||
				!slices.Equal(about.Kinds, []string{"app", "voip"}) ||
				!slices.Equal(about.Environments, []string{push.Production, push.Sandbox}) ||
				about.NotAfter.Before(time.Now()) || len(k.Fingerprint()) != 64 {
				t.Errorf("%s: %+v", name, about)
			}
			opened, err := k.PEM()
			if err != nil {
				t.Fatal(err)
			}
			again, _, err := push.OpenCertificate(opened, "")
			if err != nil || again.Fingerprint() != k.Fingerprint() {
				t.Errorf("%s: PEM opens as %v: %v", name, again, err)
			}
		}
	}
}

func TestOpenCertificateRefuses(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	good := p12(t, a, "com.example.clinic", pkcs12.Modern, "secret")
	_, p8, err := apnstest.NewKey(team, kid)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]struct {
		file     []byte
		password string
		field    string
	}{
		"empty":          {nil, "", "file"},
		"wrong password": {good, "other", "password"},
		"no password":    {good, "", "password"},
		"emoji password": {good, "🔔", "password"},
		"a .p8":          {p8, "", "file"},
		"cut":            {good[:len(good)/2], "secret", "file"},
	}
	for name, row := range rows {
		_, _, err := push.OpenCertificate(row.file, row.password)
		var e *tenants.Error
		if !errors.As(err, &e) || e.Kind != tenants.Invalid || e.Msg == "" || len(e.Fields) != 1 || e.Fields[0].Name != row.field {
			t.Errorf("%s: %#v", name, err)
		}
	}
	// About one wrong password in 256 decrypts to something that looks padded.
	quick := p12(t, a, "com.example.clinic", pkcs12.Modern.WithIterations(1), "secret")
	for i := range 3000 {
		_, _, err := push.OpenCertificate(quick, strconv.Itoa(i))
		var e *tenants.Error
		if !errors.As(err, &e) || len(e.Fields) != 1 || e.Fields[0].Name != "password" {
			t.Fatalf("password %d: %#v", i, err)
		}
	}
	if _, _, err := push.OpenCertificate(make([]byte, 65<<10), ""); tenants.KindOf(err) != tenants.TooLarge {
		t.Errorf("65 KiB: %v", err)
	}
}
