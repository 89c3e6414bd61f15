package push_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"carillon/app/push"
	"carillon/app/push/apnstest"
	"carillon/tenants"

	"software.sslmate.com/src/go-pkcs12"
)

func pkcs8(t testing.TB, private any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func TestOpenP8(t *testing.T) {
	t.Parallel()
	_, good, err := apnstest.NewKey(team, kid)
	if err != nil {
		t.Fatal(err)
	}
	k, err := push.OpenP8(team, kid, good)
	if err != nil || len(k.Fingerprint()) != 64 {
		t.Fatal(k, err)
	}
	if s := fmt.Sprintf("%v %+v %#v %s", k, k, k, k); strings.Trim(s, "* ") != "" {
		t.Errorf("a key prints as %s", s)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]struct {
		team, kid string
		file      []byte
		field     string
		says      string
	}{
		"team":    {"team", kid, good, "team_id", "ten capital letters"},
		"key id":  {team, "ABC", good, "key_id", "AuthKey_"},
		"empty":   {team, kid, []byte(" \n"), "file", "empty"},
		"text":    {team, kid, []byte("hello"), "file", "BEGIN PRIVATE KEY"},
		"binary":  {team, kid, []byte{0x30, 0x82}, "file", ".p12"},
		"RSA":     {team, kid, pkcs8(t, rsaKey), "file", "RSA"},
		"P-384":   {team, kid, pkcs8(t, p384), "file", "P-384"},
		"damaged": {team, kid, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1, 2, 3}}), "file", "damaged"},
	}
	for name, row := range rows {
		_, err := push.OpenP8(row.team, row.kid, row.file)
		var e *tenants.Error
		if !errors.As(err, &e) || e.Kind != tenants.Invalid || len(e.Fields) != 1 || e.Fields[0].Name != row.field ||
			!strings.Contains(e.Msg, row.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := push.OpenP8(team, kid, make([]byte, 65<<10)); err == nil {
		t.Error("65 KiB were read")
	}
	if _, err := push.OpenP8(team, kid, append(good, bytes.Repeat([]byte("x"), 64<<10)...)); tenants.KindOf(err) != tenants.TooLarge {
		t.Errorf("65 KiB: %v", err)
	}
}

func TestSuggestKeyID(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"AuthKey_ABC123DEFG.p8":              "ABC123DEFG",
		"AuthKey_ABC123DEFG (1).p8":          "ABC123DEFG",
		`C:\Users\Ann\AuthKey_ABC123DEFG.p8`: "ABC123DEFG",
		"/home/ann/AuthKey_ABC123DEFG.p8":    "ABC123DEFG",
		"AuthKey_ABC123DEFG":                 "ABC123DEFG",
		"AuthKey_ABC123DEFGH.p8":             "",
		"AuthKey_abc123defg.p8":              "",
		"key.p8":                             "",
		"":                                   "",
		"AuthKey_ABC.p8":                     "",
		"ApiKey_ABC123DEFG.p8":               "",
		"APNsAuthKey_ABC123DEFG.p8":          "ABC123DEFG",
		"AuthKey_ABC123DEFG.p8.txt":          "ABC123DEFG",
		"the clinic's AuthKey_ABC123DEFG.p8": "ABC123DEFG",
	} {
		if got := push.SuggestKeyID(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func FuzzOpenP8(f *testing.F) {
	_, good, err := apnstest.NewKey(team, kid)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(team, kid, good)
	f.Add("", "", []byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Add(team, kid, []byte{0x30, 0x80})
	for _, spell := range spellings {
		f.Add(team, kid, spell(string(good)))
	}
	f.Fuzz(func(t *testing.T, team, kid string, file []byte) {
		k, err := push.OpenP8(team, kid, file)
		if (k == nil) == (err == nil) {
			t.Fatalf("%v, %v", k, err)
		}
		var e *tenants.Error
		if err != nil && (!errors.As(err, &e) || e.Msg == "" || e.Kind == tenants.Internal) {
			t.Fatalf("an error for nobody: %#v", err)
		}
	})
}

func FuzzOpenCertificate(f *testing.F) {
	a := apple(f, apnstest.Config{})
	f.Add([]byte{0x30, 0x80}, "")
	f.Add(p12(f, a, "com.example.clinic", pkcs12.Modern, "secret"), "secret")
	f.Add(p12(f, a, "com.example.clinic", pkcs12.LegacyRC2, ""), "")
	for _, name := range []string{"dist-first.p12", "modern.p12", "certkey.pem"} {
		f.Add(testdata(f, name), "secret")
	}
	f.Fuzz(func(t *testing.T, file []byte, password string) {
		k, _, err := push.OpenCertificate(file, password)
		var e *tenants.Error
		if (k == nil) == (err == nil) || err != nil && (!errors.As(err, &e) || e.Msg == "" || e.Kind == tenants.Internal) {
			t.Fatalf("%v, %#v", k, err)
		}
	})
}
