package apnstest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Apple's certificate extensions: the topics a certificate may push to, and its environments.
var (
	oidTopics      = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 6}
	oidDevelopment = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 1}
	oidProduction  = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 2}
	oidUID         = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}
)

// authority signs the hosts' certificates and the push certificates that tests ask for.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
	host tls.Certificate
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificateTemplate("Carillon APNs stand-in CA")
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	ca := &authority{cert: cert, key: key, pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	leaf := certificateTemplate("localhost")
	leaf.DNSNames = []string{"localhost"}
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	ca.host, err = ca.issue(leaf)
	return ca, err
}

func certificateTemplate(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // crypto/rand never fails
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
	}
}

func (ca *authority) issue(template *x509.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &key.PublicKey, ca.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

func (ca *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

func (ca *authority) serverConfig() *tls.Config {
	return &tls.Config{
		Certificates:           []tls.Certificate{ca.host},
		ClientAuth:             tls.RequestClientCert,
		NextProtos:             []string{"h2"},
		MinVersion:             tls.VersionTLS12,
		SessionTicketsDisabled: true,
	}
}

// IssueCertificate makes a push certificate that this Apple accepts: for bundle and its .voip
// topic, in the named environments (none = both), valid until notAfter (zero = a year).
func (a *Apple) IssueCertificate(bundle string, notAfter time.Time, envs ...string) (tls.Certificate, error) {
	topics, err := topicsExtension(bundle)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := certificateTemplate("Apple Push Services: " + bundle)
	template.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: oidUID, Value: bundle}}
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	template.ExtraExtensions = []pkix.Extension{{Id: oidTopics, Value: topics}}
	if !notAfter.IsZero() {
		template.NotAfter = notAfter
	}
	if len(envs) == 0 {
		envs = []string{Production, Sandbox}
	}
	for _, env := range envs {
		id := oidProduction
		if env == Sandbox {
			id = oidDevelopment
		}
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: id, Value: asn1.NullBytes})
	}
	return a.ca.issue(template)
}

// topicsExtension writes the extension as Apple does: each topic is followed by the kinds of push
// it allows.
func topicsExtension(bundle string) ([]byte, error) {
	var body []byte
	for _, pair := range [][2]string{{bundle, "app"}, {bundle + ".voip", "voip"}} {
		topic, err := asn1.MarshalWithParams(pair[0], "utf8")
		if err != nil {
			return nil, fmt.Errorf("apnstest: topic %q: %w", pair[0], err)
		}
		kind, err := asn1.MarshalWithParams(pair[1], "utf8")
		if err != nil {
			return nil, err
		}
		kinds, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: kind})
		if err != nil {
			return nil, err
		}
		body = append(append(body, topic...), kinds...)
	}
	return asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: body})
}

// client is what a client certificate may do.
type client struct {
	topics      map[string]bool
	envs        map[string]bool
	fingerprint [32]byte
	signedByUs  bool
}

func (ca *authority) readClient(cert *x509.Certificate) *client {
	c := &client{topics: map[string]bool{}, envs: map[string]bool{}, fingerprint: sha256.Sum256(cert.Raw)}
	c.signedByUs = cert.CheckSignatureFrom(ca.cert) == nil
	for _, name := range cert.Subject.Names {
		if name.Type.Equal(oidUID) {
			c.topics[fmt.Sprint(name.Value)] = true
		}
	}
	for _, ext := range cert.Extensions {
		switch {
		case ext.Id.Equal(oidTopics):
			for _, topic := range topicsIn(ext.Value) {
				c.topics[topic] = true
			}
		case ext.Id.Equal(oidDevelopment):
			c.envs[Sandbox] = true
		case ext.Id.Equal(oidProduction):
			c.envs[Production] = true
		}
	}
	return c
}

func topicsIn(der []byte) []string {
	var outer asn1.RawValue
	if _, err := asn1.Unmarshal(der, &outer); err != nil {
		return nil
	}
	var topics []string
	for rest := outer.Bytes; len(rest) > 0; {
		var value asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &value); err != nil {
			return topics
		}
		if value.Tag == asn1.TagUTF8String {
			topics = append(topics, string(value.Bytes))
		}
	}
	return topics
}
