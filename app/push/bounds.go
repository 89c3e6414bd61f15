package push

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"unicode/utf16"
	"unicode/utf8"
)

// maxRounds bounds each key derivation of a .p12; there are at most four. OpenSSL writes 2,048;
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
	oidHMAC256   = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidKeyBag    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidShrouded  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
)

// limitWork checks the cost of opening a .p12, and rewrites the file so that decoding costs no more
// than was checked.
//
// A file can hide a second key, with any number of rounds, inside its encrypted
// part, where it cannot be seen before decryption. The decoder refuses a second key before it
// decrypts that key, so the part with the visible key must come first. The MAC covers the order, so
// it is computed again. A wrong password is still detected, by the decryption.
func limitWork(data []byte, password string) ([]byte, error) {
	var file pfx
	rest, err := asn1.Unmarshal(data, &file)
	if err != nil || len(rest) > 0 || file.Version != 3 || !file.AuthSafe.Type.Equal(oidData) {
		return nil, badFile("This is not a .p12 file; export the certificate with its key from Keychain Access, or upload a .p8 key.", err)
	}
	var inside []byte
	var parts []content
	if !unmarshalWhole(file.AuthSafe.Body.Bytes, &inside) || !unmarshalWhole(inside, &parts) || len(parts) == 0 || len(parts) > 2 {
		return nil, badFile(unknownP12, nil)
	}
	keys, at := 0, 0
	for i, part := range parts {
		found, ok := countKeys(part)
		if !ok {
			return nil, badFile("This .p12 file is damaged, or costs more to open than any that Apple's tools write; export it again.", nil)
		}
		if keys += found; found > 0 {
			at = i
		}
	}
	if keys != 1 {
		return nil, badFile("This file must hold exactly one key beside its certificate; "+
			"in Keychain Access choose the certificate and the key below it, and export both.", nil)
	}
	parts[0], parts[at] = parts[at], parts[0]
	return rewrite(parts, password)
}

// unmarshalWhole decodes DER that holds one value and nothing after it.
func unmarshalWhole(der []byte, into any) bool {
	rest, err := asn1.Unmarshal(der, into)
	return err == nil && len(rest) == 0
}

// countKeys counts the visible keys of a part; ok is false if the part is damaged or too costly.
func countKeys(part content) (keys int, ok bool) {
	if part.Type.Equal(oidEncrypted) {
		var e encrypted
		return 0, unmarshalWhole(part.Body.Bytes, &e) && withinRounds(e.Info.Algorithm)
	}
	var inside []byte
	var bags []bag
	if !part.Type.Equal(oidData) || !unmarshalWhole(part.Body.Bytes, &inside) || !unmarshalWhole(inside, &bags) {
		return 0, false
	}
	for _, b := range bags {
		switch {
		case b.ID.Equal(oidKeyBag):
			keys++
		case b.ID.Equal(oidShrouded):
			var s shrouded
			if !unmarshalWhole(b.Value.Bytes, &s) || !withinRounds(s.Algorithm) {
				return 0, false
			}
			keys++
		}
	}
	return keys, true
}

// withinRounds says whether a password-based algorithm uses at most maxRounds rounds.
func withinRounds(a pkix.AlgorithmIdentifier) bool {
	n := 0
	if a.Algorithm.Equal(oidPBES2) {
		var p keyed
		var k kdf
		if !unmarshalWhole(a.Parameters.FullBytes, &p) || !unmarshalWhole(p.KDF.Parameters.FullBytes, &k) || k.Length > 64 {
			return false
		}
		n = k.Rounds
	} else {
		var p rounds
		if !unmarshalWhole(a.Parameters.FullBytes, &p) {
			return false
		}
		n = p.Rounds
	}
	return n > 0 && n <= maxRounds
}

// rewrite makes a file of the parts, with a MAC of one round (PBMAC1, RFC 9579).
func rewrite(parts []content, password string) ([]byte, error) {
	if !utf8.ValidString(password) || !fitsBMP(password) {
		return nil, invalid("password", "The password has characters that a .p12 file cannot have.", nil)
	}
	inside, err := asn1.Marshal(parts)
	if err != nil {
		return nil, badFile("This .p12 file is damaged; export it again.", err)
	}
	mac, err := computeMAC(inside, password)
	if err != nil {
		return nil, badFile("This .p12 file cannot be read; export it again.", err)
	}
	wrapped, err := asn1.Marshal(inside)
	if err != nil {
		return nil, badFile("This .p12 file is damaged; export it again.", err)
	}
	return asn1.Marshal(pfx{Version: 3, AuthSafe: content{Type: oidData, Body: explicit(wrapped)}, MacData: mac})
}

func explicit(der []byte) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: der}
}

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
