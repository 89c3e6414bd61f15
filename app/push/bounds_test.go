package push

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// takeApart makes a .p12 with the password "secret" and takes it apart.
func takeApart(t *testing.T) []content {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der := must(t)(x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private))
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	file := must(t)(pkcs12.Modern.Encode(private, leaf, nil, "secret"))
	var whole pfx
	var inside []byte
	var parts []content
	if !unmarshalWhole(file, &whole) || !unmarshalWhole(whole.AuthSafe.Body.Bytes, &inside) || !unmarshalWhole(inside, &parts) {
		t.Fatal("cannot take the file apart")
	}
	return parts
}

// TestFilesWithTooMuchWorkAreRefused: files that ask for hours of work are refused in no time,
// wherever they ask for it.
func TestFilesWithTooMuchWorkAreRefused(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*testing.T, content) content{
		"certificates": func(t *testing.T, part content) content {
			var e encrypted
			if unmarshalWhole(part.Body.Bytes, &e) {
				e.Info.Algorithm = hugeRounds(t, e.Info.Algorithm)
				part.Body = explicit(must(t)(asn1.Marshal(e)))
			}
			return part
		},
		"a second key, hidden": func(t *testing.T, part content) content {
			if part.Type.Equal(oidEncrypted) {
				part.Body = explicit(hiding(t, part))
			}
			return part
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parts := takeApart(t)
			for i, part := range parts {
				parts[i] = spoil(t, part)
			}
			file := must(t)(rewrite(parts, "secret", computeMAC))
			done := make(chan error, 1)
			go func() {
				_, _, err := OpenCertificate(file, "secret")
				done <- err
			}()
			select {
			case err := <-done:
				if err == nil {
					t.Error("opened")
				}
			case <-time.After(time.Minute):
				t.Fatal("the work is being done")
			}
		})
	}
}

func TestRoundsAreBounded(t *testing.T) {
	t.Parallel()
	legacy := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}
	for n, want := range map[int]bool{-1: false, 0: false, 1: true, 2048: true, maxRounds: true, maxRounds + 1: false, 1 << 40: false} {
		der := must(t)(asn1.Marshal(rounds{Salt: []byte("12345678"), Rounds: n}))
		got, ok := countRounds(pkix.AlgorithmIdentifier{Algorithm: legacy, Parameters: asn1.RawValue{FullBytes: der}})
		if ok != want || ok && got != n {
			t.Errorf("%d rounds: %d, %v", n, got, ok)
		}
	}
	if _, ok := countRounds(pkix.AlgorithmIdentifier{Algorithm: legacy}); ok {
		t.Error("no parameters at all are cheap")
	}
}

// hugeRounds asks for two thousand million rounds.
func hugeRounds(t *testing.T, a pkix.AlgorithmIdentifier) pkix.AlgorithmIdentifier {
	t.Helper()
	var p keyed
	var k kdf
	if !unmarshalWhole(a.Parameters.FullBytes, &p) || !unmarshalWhole(p.KDF.Parameters.FullBytes, &k) {
		t.Fatal("cannot take the algorithm apart")
	}
	k.Rounds = 1 << 31
	p.KDF.Parameters = asn1.RawValue{FullBytes: must(t)(asn1.Marshal(k))}
	a.Parameters = asn1.RawValue{FullBytes: must(t)(asn1.Marshal(p))}
	return a
}

// hiding replaces the content of an encrypted part by a shrouded key with hugeRounds.
func hiding(t *testing.T, part content) []byte {
	t.Helper()
	var e encrypted
	var p keyed
	var k kdf
	if !unmarshalWhole(part.Body.Bytes, &e) || !unmarshalWhole(e.Info.Algorithm.Parameters.FullBytes, &p) ||
		!unmarshalWhole(p.KDF.Parameters.FullBytes, &k) {
		t.Fatal("cannot take the part apart")
	}
	key := must(t)(asn1.Marshal(shrouded{Algorithm: hugeRounds(t, e.Info.Algorithm), Data: make([]byte, 64)}))
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

// TestP12WithSeveralKeys: a person exports the whole keychain, and the VoIP certificate's key comes
// last.
func TestP12WithSeveralKeys(t *testing.T) {
	t.Parallel()
	var bags []content
	for _, name := range []pkix.Name{
		{CommonName: "Apple Distribution"},
		{ExtraNames: []pkix.AttributeTypeAndValue{{Type: oidUID, Value: "com.example.clinic.voip"}}},
	} {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), Subject: name}
		if len(name.ExtraNames) > 0 {
			template.ExtraExtensions = []pkix.Extension{{Id: oidVoIP, Value: []byte{5, 0}}}
		}
		der := must(t)(x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private))
		cert := must(t)(asn1.Marshal(content{Type: oidX509, Body: explicit(must(t)(asn1.Marshal(der)))}))
		key := must(t)(x509.MarshalPKCS8PrivateKey(private))
		bags = append(bags, content{oidKeyBag, explicit(key)}, content{oidCertBag, explicit(cert)})
	}
	for n, want := range map[int]bool{len(bags): true, 2 * maxKeys: false} {
		all := bags
		for len(all) < n {
			all = append(all, bags[0])
		}
		part, err := dataPart(must(t)(asn1.Marshal(all)))
		if err != nil {
			t.Fatal(err)
		}
		_, about, err := OpenCertificate(must(t)(rewrite([]content{part}, "", computeMAC)), "")
		if (err == nil) != want || want && about.Bundle != "com.example.clinic" {
			t.Errorf("%d bags: %+v %v", n, about, err)
		}
	}
}

// TestNoPasswordAtAll: some programs derive the key from nothing, where others derive it from the
// two zero bytes that end an empty password.
func TestNoPasswordAtAll(t *testing.T) {
	t.Parallel()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		Subject: pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{{Type: oidUID, Value: "com.example.clinic.voip"}}}}
	leaf, err := x509.ParseCertificate(must(t)(x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)))
	if err != nil {
		t.Fatal(err)
	}
	salt := []byte("saltsalt")
	plain := must(t)(x509.MarshalPKCS8PrivateKey(private))
	fill := 8 - len(plain)%8
	plain = append(plain, bytes.Repeat([]byte{byte(fill)}, fill)...)
	block, err := des.NewTripleDESCipher(deriveFromNothing(1, salt, 24))
	if err != nil {
		t.Fatal(err)
	}
	cipher.NewCBCEncrypter(block, deriveFromNothing(2, salt, 8)).CryptBlocks(plain, plain)
	key := must(t)(asn1.Marshal(shrouded{Data: plain, Algorithm: pkix.AlgorithmIdentifier{
		Algorithm:  asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 1, 3}, // SHA-1 and triple DES
		Parameters: asn1.RawValue{FullBytes: must(t)(asn1.Marshal(rounds{Salt: salt, Rounds: 1}))},
	}}))
	file := must(t)(p12Of(key, leaf))
	if _, about, err := OpenCertificate(file, ""); err != nil || about.Bundle != "com.example.clinic" {
		t.Errorf("%+v %v", about, err)
	}
	if _, _, err := OpenCertificate(file, "secret"); err == nil {
		t.Error("another password opens it")
	}
}

// deriveFromNothing is RFC 7292, B.2, for an empty password, one round and at most 40 bytes.
func deriveFromNothing(purpose byte, salt []byte, n int) []byte {
	d, i := bytes.Repeat([]byte{purpose}, 64), bytes.Repeat(salt, 8)
	a := sha1.Sum(append(bytes.Clone(d), i...))
	b := append(append(append(bytes.Clone(a[:]), a[:]...), a[:]...), a[:4]...)
	sum := new(big.Int).Add(new(big.Int).Add(new(big.Int).SetBytes(i), new(big.Int).SetBytes(b)), big.NewInt(1))
	next := sum.FillBytes(make([]byte, 65))[1:] // modulo 2 to the 512
	a2 := sha1.Sum(append(d, next...))
	return append(a[:], a2[:]...)[:n]
}
