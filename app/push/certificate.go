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

// Certificate is what was read out of a .p12: which app it may ring, where, and until when.
type Certificate struct {
	Bundle       string        // the app's bundle id
	Topics       []string      // what it may push to; those for calls end in .voip
	Kinds        []string      // Apple's names of what it serves: app, voip, complication …
	Environments []Environment // the hosts that take it
	NotAfter     time.Time
}

// Apple's certificate extensions (Apple, "Sending notification requests to APNs"; the VoIP ones as
// clients find them).
var (
	oidVoIP        = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 4}
	oidTopics      = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 6}
	oidDevelopment = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 1}
	oidProduction  = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 2}
	oidUID         = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}
)

// OpenP12 opens a certificate with its key and reads out what it is for. The work is bounded
// whatever the file says. It does not judge whether the certificate is still valid: NotAfter says
// until when. Every error is a *tenants.Error.
func OpenP12(data []byte, password string) (*Key, Certificate, error) {
	if err := sized(data); err != nil {
		return nil, Certificate{}, err
	}
	safe, err := bounded(data, password)
	if err != nil {
		return nil, Certificate{}, err
	}
	private, leaf, chain, err := pkcs12.DecodeChain(safe, password)
	if err != nil {
		return nil, Certificate{}, unreadable(err)
	}
	if !pair(private, leaf) {
		return nil, Certificate{}, badFile("The key in this file is not the certificate's; export the certificate together with the key below it.", nil)
	}
	about := describe(leaf)
	if !slices.ContainsFunc(about.Topics, topic) {
		return nil, Certificate{}, badFile("This certificate cannot push calls: it names no topic that ends in .voip. Make a VoIP Services Certificate on Apple's page Certificates, or use a .p8 key.", nil)
	}
	cert := tls.Certificate{PrivateKey: private, Leaf: leaf, Certificate: [][]byte{leaf.Raw}}
	for _, c := range chain {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return &Key{id: identity{print: spki(leaf.Raw)}, cert: &cert}, about, nil
}

func unreadable(err error) error {
	var missing pkcs12.NotImplementedError
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption), garbled(err):
		return invalid("password", "The password does not open this file.", err)
	case errors.As(err, &missing):
		return badFile("This .p12 file is of a kind that Carillon cannot read; export it again from Keychain Access, or with openssl pkcs12 -export.", err)
	}
	return badFile("This .p12 file cannot be read; export the certificate with its key again.", err)
}

// garbled says whether what was decrypted is noise. The padding alone does not tell: one wrong
// password in 256 leaves bytes that end as padding would (RFC 8018, 6.1.1). What the file shows
// without a password was checked before.
func garbled(err error) bool {
	return errors.As(err, new(asn1.StructuralError)) || errors.As(err, new(asn1.SyntaxError)) ||
		strings.Contains(err.Error(), "private key: ") || strings.Contains(err.Error(), "trailing data")
}

// pair says whether the key is the certificate's.
func pair(private any, leaf *x509.Certificate) bool {
	switch k := private.(type) {
	case *ecdsa.PrivateKey:
		return k.PublicKey.Equal(leaf.PublicKey)
	case *rsa.PrivateKey:
		return k.PublicKey.Equal(leaf.PublicKey)
	}
	return false
}

func describe(leaf *x509.Certificate) Certificate {
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
			about.Topics, about.Kinds = topicsIn(ext.Value)
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
	if len(about.Topics) == 0 && uid != "" { // of before Apple listed topics
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

// topicsIn reads Apple's extension: a topic, then a list of the kinds it serves, and so on.
func topicsIn(der []byte) (topics, kinds []string) {
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
