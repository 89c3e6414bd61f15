package natstest

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// Authority signs certificates of tests.
type Authority struct {
	PEM  []byte // its own certificate
	Pool *x509.CertPool

	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes one that nobody else knows.
func NewAuthority() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	a := &Authority{key: key, Pool: x509.NewCertPool(), PEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	a.Pool.AddCert(a.cert)
	return a, nil
}

// Certificate makes one for servers and clients on this machine.
func (a *Authority) Certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "carillon"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// NewSecure starts a server that speaks TLS with a certificate of the authority. With clients it
// takes only clients that show one too. With a key it takes only those that sign with it, as those
// with a credentials file do.
func NewSecure(a *Authority, clients bool, key ed25519.PublicKey) (*Server, error) {
	own, err := a.Certificate()
	if err != nil {
		return nil, err
	}
	secure := &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}
	if clients {
		secure.ClientAuth, secure.ClientCAs = tls.RequireAndVerifyClientCert, a.Pool
	}
	s := &Server{port: server.RANDOM_PORT, options: server.Options{TLSConfig: secure, TLSTimeout: 10}}
	if key != nil {
		s.options.AlwaysEnableNonce, s.options.CustomClientAuthentication = true, signed(key)
	}
	return s, s.Start()
}

// signed takes those who have signed what the server asked them to.
type signed ed25519.PublicKey

// Check implements server.Authentication.
func (k signed) Check(c server.ClientAuthentication) bool {
	sig, err := base64.RawURLEncoding.DecodeString(c.GetOpts().Sig)
	return err == nil && ed25519.Verify(ed25519.PublicKey(k), c.GetNonce(), sig)
}
