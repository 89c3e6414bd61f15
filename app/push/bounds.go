package push

import (
	"bytes"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"unicode/utf16"
	"unicode/utf8"
)

// maxRounds bounds each key derivation of a .p12. There are two for each of its keys. All together
// have at most four times maxRounds, and twice that without a password. OpenSSL writes 2,048;
// OWASP's "Password Storage Cheat Sheet" (2023) recommends 600,000 for passwords. A round takes
// under a microsecond.
const maxRounds = 600_000

// The parts of a PKCS#12 file (RFC 7292) that determine the cost of opening it.
type (
	pfx struct {
		Version  int
		AuthSafe content
		MacData  macData `asn1:"optional"`
	}
	content struct {
		Type asn1.ObjectIdentifier
		Body asn1.RawValue `asn1:"tag:0,explicit,optional"`
	}
	macData struct {
		Mac    digestInfo
		Salt   []byte
		Rounds int `asn1:"optional,default:1"`
	}
	digestInfo struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	encrypted struct {
		Version int
		Info    struct {
			Type      asn1.ObjectIdentifier
			Algorithm pkix.AlgorithmIdentifier
			Data      []byte `asn1:"tag:0,optional"`
		}
	}
	bag struct {
		ID         asn1.ObjectIdentifier
		Value      asn1.RawValue `asn1:"tag:0,explicit"`
		Attributes asn1.RawValue `asn1:"set,optional"`
	}
	shrouded struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}
	keyed struct { // PBES2-params and PBMAC1-params (RFC 8018)
		KDF    pkix.AlgorithmIdentifier
		Scheme pkix.AlgorithmIdentifier
	}
	kdf struct {
		Salt   asn1.RawValue
		Rounds int
		Length int                      `asn1:"optional"`
		PRF    pkix.AlgorithmIdentifier `asn1:"optional"`
	}
	rounds struct { // pkcs-12PbeParams
		Salt   []byte
		Rounds int
	}
)

var (
	oidData      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEncrypted = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidPBES2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBMAC1    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 14}
	oidPBKDF2    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidSHA1      = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	oidHMAC256   = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidKeyBag    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidCertBag   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidX509      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}
	oidShrouded  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
)

// maxKeys bounds the keys of a .p12. A person who exports a whole keychain has a few.
const maxKeys = 16

// splitP12 checks the cost of opening a .p12. It returns the parts of a new file for each key that
// the file shows, because the decoder takes one key only.
//
// A file can hide a key with any number of rounds inside its encrypted part, where it cannot be
// seen before decryption. The decoder refuses a second key before it decrypts that key, so the
// part with the visible key comes first. The MAC covers the order, so rewrite computes it again.
// A wrong password is still detected, by the decryption.
func splitP12(der []byte) ([][]content, error) {
	var file pfx
	if !unmarshalWhole(der, &file) || file.Version != 3 || !file.AuthSafe.Type.Equal(oidData) {
		return nil, badFile(unknownP12, nil)
	}
	var inside []byte
	var parts []content
	if !unmarshalWhole(file.AuthSafe.Body.Bytes, &inside) || !unmarshalWhole(inside, &parts) || len(parts) == 0 {
		return nil, badFile(unknownP12, nil)
	}
	var found p12Parts
	for _, part := range parts {
		if !found.add(part) {
			return nil, badFile("This .p12 file is damaged, or costs more to open than any that Apple's tools write; export it again.", nil)
		}
	}
	switch {
	case len(found.keys) == 0:
		return nil, badFile("This .p12 file holds a certificate without its key; "+
			"in Keychain Access choose the certificate and the key below it, and export both.", nil)
	case len(found.sealed) > 1:
		return nil, badFile(unknownP12, nil)
	case len(found.keys) > maxKeys || len(found.keys)*found.rounds > 2*maxRounds:
		return nil, badFile("This .p12 file holds so many keys that it costs too much to open; "+
			"in Keychain Access choose only the VoIP certificate and the key below it, and export both.", nil)
	}
	return found.files()
}

// p12Parts is what can be seen of a .p12 without its password.
type p12Parts struct {
	keys   []asn1.RawValue // bags with a key
	open   []asn1.RawValue // other bags that are not encrypted
	sealed []content       // encrypted parts
	rounds int             // of the costliest key and the encrypted part together
}

// add sorts a part; false if it is damaged or too costly.
func (p *p12Parts) add(part content) bool {
	if part.Type.Equal(oidEncrypted) {
		var e encrypted
		if !unmarshalWhole(part.Body.Bytes, &e) {
			return false
		}
		p.sealed = append(p.sealed, part)
		return p.count(e.Info.Algorithm)
	}
	var inside []byte
	var bags []asn1.RawValue
	if !part.Type.Equal(oidData) || !unmarshalWhole(part.Body.Bytes, &inside) || !unmarshalWhole(inside, &bags) {
		return false
	}
	for _, raw := range bags {
		var b bag
		if !unmarshalWhole(raw.FullBytes, &b) {
			return false
		}
		switch {
		case b.ID.Equal(oidKeyBag):
			p.keys = append(p.keys, raw)
		case b.ID.Equal(oidShrouded):
			var s shrouded
			if !unmarshalWhole(b.Value.Bytes, &s) || !p.count(s.Algorithm) {
				return false
			}
			p.keys = append(p.keys, raw)
		default:
			p.open = append(p.open, raw)
		}
	}
	return true
}

func (p *p12Parts) count(a pkix.AlgorithmIdentifier) bool {
	n, ok := countRounds(a)
	p.rounds = max(p.rounds, n)
	return ok
}

// files makes the parts of one file for each key.
func (p *p12Parts) files() ([][]content, error) {
	files := make([][]content, 0, len(p.keys))
	for _, k := range p.keys {
		bags, err := asn1.Marshal(append([]asn1.RawValue{k}, p.open...))
		if err != nil {
			return nil, badFile(unknownP12, err)
		}
		part, err := dataPart(bags)
		if err != nil {
			return nil, badFile(unknownP12, err)
		}
		files = append(files, append([]content{part}, p.sealed...))
	}
	return files, nil
}

func dataPart(der []byte) (content, error) {
	wrapped, err := asn1.Marshal(der)
	return content{Type: oidData, Body: explicit(wrapped)}, err
}

// unmarshalWhole decodes DER that holds one value and nothing after it.
func unmarshalWhole(der []byte, into any) bool {
	rest, err := asn1.Unmarshal(der, into)
	return err == nil && len(rest) == 0
}

// countRounds reads the rounds of a password-based algorithm; false if they are unknown or more
// than maxRounds.
func countRounds(a pkix.AlgorithmIdentifier) (n int, ok bool) {
	if a.Algorithm.Equal(oidPBES2) {
		var p keyed
		var k kdf
		if !unmarshalWhole(a.Parameters.FullBytes, &p) || !unmarshalWhole(p.KDF.Parameters.FullBytes, &k) || k.Length > 64 {
			return 0, false
		}
		n = k.Rounds
	} else {
		var p rounds
		if !unmarshalWhole(a.Parameters.FullBytes, &p) {
			return 0, false
		}
		n = p.Rounds
	}
	return n, n > 0 && n <= maxRounds
}

// p12Of makes a .p12 without a MAC from a protected key and a certificate.
func p12Of(key []byte, cert *x509.Certificate) ([]byte, error) {
	certBag, err := asn1.Marshal(cert.Raw)
	if err != nil {
		return nil, err
	}
	if certBag, err = asn1.Marshal(content{Type: oidX509, Body: explicit(certBag)}); err != nil {
		return nil, err
	}
	bags, err := asn1.Marshal([]content{{oidShrouded, explicit(key)}, {oidCertBag, explicit(certBag)}})
	if err != nil {
		return nil, err
	}
	part, err := dataPart(bags)
	if err != nil {
		return nil, err
	}
	inside, err := asn1.Marshal([]content{part})
	if err != nil {
		return nil, err
	}
	whole, err := dataPart(inside)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(pfx{Version: 3, AuthSafe: whole})
}

// rewrite makes a file of the parts, with a MAC of one round.
func rewrite(parts []content, password string, mac func([]byte, string) (macData, error)) ([]byte, error) {
	if !utf8.ValidString(password) || !fitsBMP(password) {
		return nil, invalid("password", "The password has characters that a .p12 file cannot have.", nil)
	}
	inside, err := asn1.Marshal(parts)
	if err != nil {
		return nil, badFile("This .p12 file is damaged; export it again.", err)
	}
	sum, err := mac(inside, password)
	if err != nil {
		return nil, badFile("This .p12 file cannot be read; export it again.", err)
	}
	whole, err := dataPart(inside)
	if err != nil {
		return nil, badFile("This .p12 file is damaged; export it again.", err)
	}
	return asn1.Marshal(pfx{Version: 3, AuthSafe: whole, MacData: sum})
}

func explicit(der []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: der}
}

// computeBareMAC is the MAC under no password at all: HMAC-SHA-1 with the key of RFC 7292, B.2. For
// one round and an empty password that is the hash of a block of the purpose and one of the salt.
func computeBareMAC(inside []byte, _ string) (macData, error) {
	salt := make([]byte, 8)
	key := sha1.Sum(append(bytes.Repeat([]byte{3}, sha1.BlockSize), make([]byte, sha1.BlockSize)...))
	h := hmac.New(sha1.New, key[:])
	h.Write(inside)
	hash := pkix.AlgorithmIdentifier{Algorithm: oidSHA1, Parameters: asn1.NullRawValue}
	return macData{Mac: digestInfo{Algorithm: hash, Digest: h.Sum(nil)}, Salt: salt, Rounds: 1}, nil
}

// computeMAC is PBMAC1 (RFC 9579), which knows no difference between an empty password and none.
func computeMAC(inside []byte, password string) (macData, error) {
	salt := make([]byte, 8) // only this process reads the MAC, so the salt need not be random
	key, err := pbkdf2.Key(sha256.New, password, salt, 1, sha256.Size)
	if err != nil {
		return macData{}, err
	}
	saltDER, err := asn1.Marshal(salt)
	if err != nil {
		return macData{}, err
	}
	prf := pkix.AlgorithmIdentifier{Algorithm: oidHMAC256, Parameters: asn1.NullRawValue}
	inner, err := asn1.Marshal(kdf{Salt: asn1.RawValue{FullBytes: saltDER}, Rounds: 1, Length: sha256.Size, PRF: prf})
	if err != nil {
		return macData{}, err
	}
	params, err := asn1.Marshal(keyed{
		KDF:    pkix.AlgorithmIdentifier{Algorithm: oidPBKDF2, Parameters: asn1.RawValue{FullBytes: inner}},
		Scheme: prf,
	})
	if err != nil {
		return macData{}, err
	}
	h := hmac.New(sha256.New, key)
	h.Write(inside)
	return macData{
		Mac: digestInfo{
			Algorithm: pkix.AlgorithmIdentifier{Algorithm: oidPBMAC1, Parameters: asn1.RawValue{FullBytes: params}},
			Digest:    h.Sum(nil),
		},
		Salt: salt, Rounds: 1,
	}, nil
}

// fitsBMP says whether every character fits into the two bytes of a PKCS#12 password.
func fitsBMP(s string) bool {
	for _, r := range s {
		if r > 0xffff || utf16.IsSurrogate(r) {
			return false
		}
	}
	return true
}
