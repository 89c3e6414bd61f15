package push

import (
	"crypto/ecdsa"
	"crypto/x509"
)

// Public is the public key of a signing key, or the certificate: what an Apple must know to believe
// this credential. One of the two is nil.
func (k *Key) Public() (*ecdsa.PublicKey, *x509.Certificate) {
	if k.cert != nil {
		return nil, k.cert.Leaf
	}
	return &k.private.PublicKey, nil
}
