package push

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"carillon/tenants"

	"software.sslmate.com/src/go-pkcs12"
)

// Certificate describes the certificate of a .p12: which app it may push to, on which hosts, and
// until when.
type Certificate struct {
	Bundle       string        // the app's bundle id
	Topics       []string      // the topics it may push to; those for calls end in .voip
	Kinds        []string      // Apple's names of what it serves: app, voip, complication …
	Environments []Environment // the hosts that accept it
	NotAfter     time.Time
}

// Apple's certificate extensions. Apple documents none of the numbers on its APNs pages; they are
// those found in its certificates.
var (
	oidVoIP        = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 4}
	oidTopics      = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 6}
	oidDevelopment = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 1}
	oidProduction  = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 2}
	oidUID         = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}
)

// OpenCertificate opens a certificate with its private key, from a .p12 or from PEM, and describes
// it. If the file holds more, it takes the VoIP certificate that has its key in the file and ends
// last, whatever the order. The cost is bounded for every input. It does not refuse an expired
// certificate: callers compare NotAfter. Every error is a *tenants.Error.
func OpenCertificate(file []byte, password string) (*Key, Certificate, error) {
	f, err := ReadFile(file)
	switch {
	case err != nil:
	case !f.IsCertificate():
		err = badFile("This is a key without a certificate; a .p8 key needs its team id and key id.", nil)
	case f.p12 != nil:
		f.keys, f.certs, err = openP12(f.p12, password)
		if wrong := new(tenants.Error); f.ber && errors.As(err, &wrong) && len(wrong.Fields) == 1 && wrong.Fields[0].Name == "password" {
			err = invalid("password", "The password does not open this file. If it is right, the file is in a form (BER) "+
				"that Carillon cannot read; "+convertBER, err)
		}
	case len(f.keys) == 0:
		f.keys, _, err = openProtected(f.protected, f.certs[0], password)
	}
	if err != nil {
		return nil, Certificate{}, err
	}
	return chooseCertificate(f.keys, f.certs)
}

// chooseCertificate returns the VoIP certificate that one of the keys belongs to and that ends
// last.
func chooseCertificate(keys []crypto.PrivateKey, certs []*x509.Certificate) (*Key, Certificate, error) {
	var best *tls.Certificate
	var about Certificate
	matched, voip := false, false
	for _, c := range certs {
		read := readCertificate(c)
		pushes := slices.ContainsFunc(read.Topics, isVoIPTopic)
		voip = voip || pushes
		for _, k := range keys {
			if !keyMatches(k, c) {
				continue
			}
			if matched = true; pushes && (best == nil || read.NotAfter.After(about.NotAfter)) {
				best, about = &tls.Certificate{PrivateKey: k, Leaf: c, Certificate: [][]byte{c.Raw}}, read
			}
		}
	}
	switch {
	case best != nil:
	case !matched:
		return nil, about, badFile("The key in this file does not belong to the certificate; "+
			"export the certificate together with the key below it.", nil)
	case voip:
		return nil, about, badFile("The VoIP certificate in this file has no key beside it; the key belongs to another certificate. "+
			"In Keychain Access choose the VoIP certificate and the key below it, and export both.", nil)
	default:
		return nil, about, badFile("This certificate cannot push calls: it names no topic that ends in .voip. "+
			"Make a VoIP Services Certificate on Apple's page Certificates, or use a .p8 key.", nil)
	}
	for _, c := range certs {
		if c.IsCA && c != best.Leaf {
			best.Certificate = append(best.Certificate, c.Raw)
		}
	}
	return &Key{id: identity{fingerprint: sha256Hex(best.Leaf.Raw)}, cert: best}, about, nil
}

// openP12 returns all keys and certificates of a .p12.
func openP12(der []byte, password string) (keys []crypto.PrivateKey, certs []*x509.Certificate, err error) {
	files, err := splitP12(der)
	if err != nil {
		return nil, nil, err
	}
	for _, parts := range files {
		private, leaf, chain, err := decode(parts, password)
		if err != nil {
			return nil, nil, err
		}
		keys, certs = append(keys, private), append(chain, leaf) // each file has all certificates
	}
	return keys, certs, nil
}

// decode opens a .p12 of one key. Without a password it tries both forms that RFC 7292 (B.1) leaves
// open: the empty string with its two zero bytes, and nothing.
func decode(parts []content, password string) (private any, leaf *x509.Certificate, chain []*x509.Certificate, err error) {
	safe, err := rewrite(parts, password, computeMAC)
	if err != nil {
		return nil, nil, nil, err
	}
	private, leaf, chain, err = pkcs12.DecodeChain(safe, password)
	if err != nil && password == "" {
		if safe, err := rewrite(parts, password, computeBareMAC); err == nil {
			if private, leaf, chain, err := pkcs12.DecodeChain(safe, password); err == nil {
				return private, leaf, chain, nil
			}
		}
	}
	if err != nil {
		return nil, nil, nil, decodeError(err, password)
	}
	return private, leaf, chain, nil
}

// openProtected opens the key of a PEM file that needs a password. The decoder of .p12 files opens
// such keys beside a certificate.
func openProtected(key []byte, cert *x509.Certificate, password string) ([]crypto.PrivateKey, []*x509.Certificate, error) {
	if password == "" {
		return nil, nil, invalid("password", "The key in this file is protected by a password; enter it.", nil)
	}
	der, err := p12Of(key, cert)
	if err != nil {
		return nil, nil, badFile("The key in this file is damaged; export certificate and key together as a .p12.", err)
	}
	return openP12(der, password)
}

const unknownP12 = "This .p12 file is of a kind that Carillon cannot read; " +
	"export it again from Keychain Access, or with openssl pkcs12 -export."

func decodeError(err error, password string) error {
	var missing pkcs12.NotImplementedError
	wrong := "The password does not open this file."
	if password == "" {
		wrong = "This file has a password; enter the one it was exported with."
	}
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption), garbled(err):
		return invalid("password", wrong, err)
	case strings.Contains(err.Error(), "certificate missing"):
		return badFile("This .p12 file holds a key without a certificate; export the certificate together with the key below it.", err)
	case errors.As(err, &missing):
		return badFile(unknownP12, err)
	}
	return badFile("This .p12 file cannot be read; export the certificate with its key again.", err)
}

// garbled says whether the decrypted bytes are noise, which means a wrong password. The padding
// alone does not show it: about one wrong password in 256 leaves valid padding (RFC 8018, 6.1.1).
// The unencrypted structure was checked before, so an error there is not the cause.
func garbled(err error) bool {
	return errors.As(err, new(asn1.StructuralError)) || errors.As(err, new(asn1.SyntaxError)) ||
		slices.ContainsFunc([]string{"private key: ", "shrouded key bag: ", "trailing data"}, func(s string) bool {
			return strings.Contains(err.Error(), s)
		})
}

// keyMatches says whether the private key belongs to the certificate.
func keyMatches(private any, leaf *x509.Certificate) bool {
	switch k := private.(type) {
	case *ecdsa.PrivateKey:
		return k.PublicKey.Equal(leaf.PublicKey)
	case *rsa.PrivateKey:
		return k.PublicKey.Equal(leaf.PublicKey)
	}
	return false
}

func readCertificate(leaf *x509.Certificate) Certificate {
	about := Certificate{NotAfter: leaf.NotAfter}
	uid, voip := "", false
	for _, name := range leaf.Subject.Names {
		if name.Type.Equal(oidUID) {
			uid = fmt.Sprint(name.Value)
		}
	}
	for _, ext := range leaf.Extensions {
		switch {
		case ext.Id.Equal(oidTopics):
			about.Topics, about.Kinds = readTopics(ext.Value)
		case ext.Id.Equal(oidVoIP):
			voip = true
		case ext.Id.Equal(oidDevelopment):
			about.Environments = append(about.Environments, Sandbox)
		case ext.Id.Equal(oidProduction):
			about.Environments = append(about.Environments, Production)
		}
	}
	slices.Sort(about.Environments)
	about.Bundle = strings.TrimSuffix(uid, ".voip")
	if !slices.Contains(about.Topics, about.Bundle+".voip") && slices.ContainsFunc(about.Topics, isVoIPTopic) {
		about.Bundle = "" // the UID is of something else than calls
	}
	if len(about.Topics) == 0 && uid != "" { // older certificates list no topics
		about.Topics = []string{uid}
		if voip {
			about.Topics, about.Kinds = []string{about.Bundle + ".voip"}, []string{"voip"}
		}
	}
	if about.Bundle == "" {
		for _, t := range about.Topics {
			if bundle, ok := strings.CutSuffix(t, ".voip"); ok {
				about.Bundle = bundle
			}
		}
	}
	return about
}

// readTopics reads Apple's extension, which holds pairs: a topic, and the list of kinds it serves.
func readTopics(der []byte) (topics, kinds []string) {
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return nil, nil
	}
	for rest := outer.Bytes; len(rest) > 0; {
		var v asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &v); err != nil {
			return topics, kinds
		}
		switch v.Tag {
		case asn1.TagUTF8String:
			topics = append(topics, string(v.Bytes))
		case asn1.TagSequence:
			var kind string
			if _, err := asn1.UnmarshalWithParams(v.Bytes, &kind, "utf8"); err == nil && !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
	}
	return topics, kinds
}
