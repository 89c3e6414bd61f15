package push

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"path"
	"strings"

	"carillon/tenants"
)

// Key is an opened APNs credential: a signing key with its ids, or a certificate with its private
// key. It prints as ***, so that it cannot leak into a log. Safe for concurrent use.
type Key struct {
	id      identity
	private *ecdsa.PrivateKey // from a .p8 file; otherwise nil
	cert    *tls.Certificate  // from a .p12 file; otherwise nil
}

// identity tells credentials apart. It includes the hash of the public key: a tenant who enters
// another tenant's team and key id with a different key must not share a connection, provider token
// or breaker with that tenant.
type identity struct {
	team, keyID string // empty for a certificate
	fingerprint string // SHA-256 in hex of the public key (SPKI), or of the whole certificate
}

func (*Key) String() string   { return "***" }
func (*Key) GoString() string { return "***" }

// PEM returns a certificate with its private key and its chain, unprotected. OpenCertificate opens
// it again at no cost.
func (k *Key) PEM() ([]byte, error) {
	if k.cert == nil {
		return nil, errors.New("push: a signing key has no certificate")
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.cert.PrivateKey)
	if err != nil {
		return nil, err
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for _, c := range k.cert.Certificate {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
	}
	return out, nil
}

// Public returns the public key of a signing key, or the certificate; the other result is nil. A
// test Apple needs it to check what the Sender signs.
func (k *Key) Public() (*ecdsa.PublicKey, *x509.Certificate) {
	if k.cert != nil {
		return nil, k.cert.Leaf
	}
	return &k.private.PublicKey, nil
}

// Fingerprint is the SHA-256 of the public key's SubjectPublicKeyInfo (RFC 5280, 4.1), in
// lower-case hex.
func (k *Key) Fingerprint() string {
	if k.cert != nil {
		return sha256Hex(k.cert.Leaf.RawSubjectPublicKeyInfo)
	}
	return k.id.fingerprint
}

func sha256Hex(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// OpenP8 opens a signing key file from Apple, in every spelling that ReadFile knows. The file does
// not contain team and keyID; Apple shows them on its pages Membership and Keys. Every error is a
// *tenants.Error that says what is wrong with the file and what to do.
func OpenP8(team, keyID string, file []byte) (*Key, error) {
	if !appleID(team) {
		return nil, invalid("team_id", "A team id is ten capital letters and digits; copy it from your Apple membership page.", nil)
	}
	if !appleID(keyID) {
		return nil, invalid("key_id", "A key id is ten capital letters and digits; it is in the file's name, AuthKey_<key id>.p8.", nil)
	}
	f, err := ReadFile(file)
	if err != nil {
		return nil, err
	}
	private, err := f.signingKey()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return nil, badFile("The key cannot be used; make a new key on Apple's page Keys.", err)
	}
	return &Key{id: identity{team: team, keyID: keyID, fingerprint: sha256Hex(der)}, private: private}, nil
}

func badFile(msg string, err error) error { return invalid("file", msg, err) }

func invalid(field, msg string, err error) error {
	return &tenants.Error{
		Kind: tenants.Invalid, Code: "bad_credential", Msg: msg, Err: err,
		Fields: []tenants.Field{{Name: field, Message: msg}},
	}
}

// appleID checks for ten capital letters and digits, the form of Apple's team and key ids.
func appleID(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(s) == 10
}

// SuggestKeyID reads the key id from the name that Apple gives a .p8 file, AuthKey_ABC123DEFG.p8,
// or APNsAuthKey_ABC123DEFG.p8 some years ago. It also reads copies such as
// "AuthKey_ABC123DEFG (1).p8" and "clinic AuthKey_ABC123DEFG.p8.txt". It returns "" for any other
// name.
func SuggestKeyID(filename string) string {
	name := path.Base(strings.ReplaceAll(filename, `\`, "/"))
	_, rest, ok := strings.Cut(name, "AuthKey_")
	if !ok || len(rest) < 10 || !appleID(rest[:10]) {
		return ""
	}
	if tail := rest[10:]; tail != "" && !strings.ContainsRune(". (-_", rune(tail[0])) {
		return ""
	}
	return rest[:10]
}
