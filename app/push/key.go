package push

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"path"
	"strings"

	"carillon/tenants"
)

// maxFile is the largest accepted size of a credential file, in bytes. Apple's files are under 10
// KiB.
const maxFile = 64 << 10

// Key is an opened APNs credential: a signing key with its ids, or a certificate with its private
// key. It prints as ***, so that it cannot leak into a log. Safe for concurrent use.
type Key struct {
	id      identity
	private *ecdsa.PrivateKey // from a .p8 file; otherwise nil file; otherwise nil
	cert    *tls.Certificate  // from a .p12 file; otherwise nil file; otherwise nil
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

// OpenP8 opens a signing key file as downloaded from Apple: PEM, PKCS#8, P-256. The file does not
// contain team and keyID; Apple shows them on its pages Membership and Keys. Every error is a
// *tenants.Error that says what is wrong with the file and what to do.
func OpenP8(team, keyID string, file []byte) (*Key, error) {
	if !appleID(team) {
		return nil, invalid("team_id", "A team id is ten capital letters and digits; copy it from your Apple membership page.", nil)
	}
	if !appleID(keyID) {
		return nil, invalid("key_id", "A key id is ten capital letters and digits; it is in the file's name, AuthKey_<key id>.p8.", nil)
	}
	private, err := readP8(file)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		return nil, badFile("The key cannot be used; download it again from Apple.", err)
	}
	return &Key{id: identity{team: team, keyID: keyID, fingerprint: sha256Hex(der)}, private: private}, nil
}

func readP8(file []byte) (*ecdsa.PrivateKey, error) {
	if err := checkSize(file); err != nil {
		return nil, err
	}
	block, _ := pem.Decode(file)
	if block == nil {
		if bytes.HasPrefix(file, []byte{0x30}) {
			return nil, badFile("This is not a .p8 file; it looks like a .p12 or another binary file. "+
				"Upload it as a certificate, or upload the AuthKey_….p8 file.", nil)
		}
		return nil, badFile("This is not a .p8 file: it should begin with -----BEGIN PRIVATE KEY-----. "+
			"Upload the AuthKey_….p8 file as Apple gave it.", nil)
	}
	if msg := notPKCS8(block.Type); msg != "" {
		return nil, badFile(msg, nil)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, badFile("The key in this file is damaged; download it again from Apple, or make a new key.", err)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	switch {
	case !ok && isRSA(parsed):
		return nil, badFile("This is an RSA key; APNs signing keys are elliptic-curve keys. Make an APNs key on Apple's page Keys.", nil)
	case !ok:
		return nil, badFile("This is not an elliptic-curve key; make an APNs key on Apple's page Keys.", nil)
	case private.Curve != elliptic.P256():
		return nil, badFile("This key is on the curve "+private.Curve.Params().Name+"; APNs signing keys are on P-256. "+
			"Make an APNs key on Apple's page Keys.", nil)
	}
	return private, nil
}

func isRSA(key any) bool {
	_, ok := key.(*rsa.PrivateKey)
	return ok
}

// notPKCS8 explains a PEM block of a wrong type; it returns "" for the right type.
func notPKCS8(kind string) string {
	switch kind {
	case "PRIVATE KEY":
		return ""
	case "ENCRYPTED PRIVATE KEY":
		return "This key is encrypted with a password; Apple's .p8 files are not. Upload the file as Apple gave it."
	case "CERTIFICATE":
		return "This is a certificate without its key; upload the AuthKey_….p8 file, or export certificate and key together as a .p12."
	case "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST":
		return "This is a certificate request, not a key; upload the AuthKey_….p8 file."
	case "PUBLIC KEY":
		return "This is a public key; the private one is in the AuthKey_….p8 file, which Apple lets you download once."
	case "RSA PRIVATE KEY":
		return "This is an RSA key; APNs signing keys are elliptic-curve keys. Make an APNs key on Apple's page Keys."
	case "EC PRIVATE KEY":
		return "This key was converted to another form; upload the AuthKey_….p8 file as Apple gave it."
	}
	return "This PEM file holds no private key; upload the AuthKey_….p8 file as Apple gave it."
}

func checkSize(file []byte) error {
	switch {
	case len(bytes.TrimSpace(file)) == 0:
		return badFile("The file is empty.", nil)
	case len(file) > maxFile:
		return &tenants.Error{
			Kind: tenants.TooLarge, Code: "file_too_large",
			Msg: "The file is larger than 64 KiB; a .p8 or .p12 file is a few KiB. Upload the file as Apple gave it.",
		}
	}
	return nil
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

// SuggestKeyID reads the key id from the name that Apple gives a .p8 file, AuthKey_ABC123DEFG.p8.
// It also reads a browser's copy such as "AuthKey_ABC123DEFG (1).p8". It returns "" for any other
// name.
func SuggestKeyID(filename string) string {
	name := path.Base(strings.ReplaceAll(filename, `\`, "/"))
	rest, ok := strings.CutPrefix(name, "AuthKey_")
	if !ok || len(rest) < 10 || !appleID(rest[:10]) {
		return ""
	}
	if tail := rest[10:]; tail != "" && tail[0] != '.' && tail[0] != ' ' && tail[0] != '(' && tail[0] != '-' && tail[0] != '_' {
		return ""
	}
	return rest[:10]
}
