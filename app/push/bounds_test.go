package push

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// TestHiddenKey hides a second key, with two thousand million rounds, in the encrypted part: it is never derived.
func TestHiddenKey(t *testing.T) {
	t.Parallel()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	file, err := pkcs12.Modern.Encode(private, leaf, nil, "secret")
	if err != nil {
		t.Fatal(err)
	}
	var whole pfx
	var inside []byte
	var parts []content
	if !only(file, &whole) || !only(whole.AuthSafe.Body.Bytes, &inside) || !only(inside, &parts) {
		t.Fatal("cannot take the file apart")
	}
	for i, part := range parts {
		if part.Type.Equal(oidEncrypted) {
			parts[i].Body = explicit(hiding(t, part))
		}
	}
	evil, err := rewrite(parts, "secret")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, _, err := OpenP12(evil, "secret")
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil {
			t.Error("a file with a hidden key was opened")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the hidden key is being derived")
	}
}

// hiding replaces what an encrypted part holds by a shrouded key with absurd rounds.
func hiding(t *testing.T, part content) []byte {
	t.Helper()
	var e encrypted
	var p keyed
	var k kdf
	if !only(part.Body.Bytes, &e) || !only(e.Info.Algorithm.Parameters.FullBytes, &p) || !only(p.KDF.Parameters.FullBytes, &k) {
		t.Fatal("cannot take the part apart")
	}
	absurd := k
	absurd.Rounds = 1 << 31
	inner := must(t)(asn1.Marshal(absurd))
	outer := must(t)(asn1.Marshal(keyed{KDF: pkix.AlgorithmIdentifier{Algorithm: oidPBKDF2, Parameters: asn1.RawValue{FullBytes: inner}}, Scheme: p.Scheme}))
	key := must(t)(asn1.Marshal(shrouded{Algorithm: pkix.AlgorithmIdentifier{Algorithm: oidPBES2, Parameters: asn1.RawValue{FullBytes: outer}}, Data: make([]byte, 64)}))
	type plainBag struct {
		ID    asn1.ObjectIdentifier
		Value asn1.RawValue `asn1:"tag:0,explicit"`
	}
	plain := must(t)(asn1.Marshal([]plainBag{{oidShrouded, explicit(key)}}))
	secret, err := pbkdf2.Key(sha256.New, "secret", k.Salt.Bytes, k.Rounds, 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		t.Fatal(err)
	}
	fill := 16 - len(plain)%16
	plain = append(plain, bytes.Repeat([]byte{byte(fill)}, fill)...)
	cipher.NewCBCEncrypter(block, p.Scheme.Parameters.Bytes).CryptBlocks(plain, plain)
	e.Info.Data = plain
	return must(t)(asn1.Marshal(e))
}

func must(t *testing.T) func([]byte, error) []byte {
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}
