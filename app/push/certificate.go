package push

import (
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

// OpenP12 opens a certificate with its private key and describes it. The cost is bounded for every
// input. It does not refuse an expired certificate: callers compare NotAfter. Every error is a
// *tenants.Error.
func OpenP12(data []byte, password string) (*Key, Certificate, error) {
	if err := checkSize(data); err != nil {
		return nil, Certificate{}, err
	}
	safe, err := limitWork(data, password)
	if err != nil {
		return nil, Certificate{}, err
	}
	private, leaf, chain, err := pkcs12.DecodeChain(safe, password)
	if err != nil {
		return nil, Certificate{}, decodeError(err)
	}
	if !keyMatches(private, leaf) {
		return nil, Certificate{}, badFile("The key in this file does not belong to the certificate; "+
			"export the certificate together with the key below it.", nil)
	}
	about := readCertificate(leaf)
	if !slices.ContainsFunc(about.Topics, isVoIPTopic) {
		return nil, Certificate{}, badFile("This certificate cannot push calls: it names no topic that ends in .voip. "+
			"Make a VoIP Services Certificate on Apple's page Certificates, or use a .p8 key.", nil)
	}
	cert := tls.Certificate{PrivateKey: private, Leaf: leaf, Certificate: [][]byte{leaf.Raw}}
	for _, c := range chain {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return &Key{id: identity{fingerprint: sha256Hex(leaf.Raw)}, cert: &cert}, about, nil
}

const unknownP12 = "This .p12 file is of a kind that Carillon cannot read; " +
	"export it again from Keychain Access, or with openssl pkcs12 -export."

func decodeError(err error) error {
	var missing pkcs12.NotImplementedError
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption), garbled(err):
		return invalid("password", "The password does not open this file.", err)
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
		strings.Contains(err.Error(), "private key: ") || strings.Contains(err.Error(), "trailing data")
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
