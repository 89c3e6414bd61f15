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

// maxFile is the size in bytes of the largest credential file that is read at all; Apple's are
// under 10 KiB.
const maxFile = 64 << 10

// Key is an opened APNs credential, ready to push with: a signing key with its ids, or a
// certificate with its key. It prints as ***. Safe for concurrent use.
type Key struct {
	id      identity
	private *ecdsa.PrivateKey // of a .p8
	cert    *tls.Certificate  // of a .p12
}

// identity tells credentials apart. The hash of the public key is part of it, so that a tenant who
// types another's team and key id with a key of his own shares neither connection, provider token
// nor breaker with the other.
type identity struct {
	team, keyID string // empty for a certificate
	print       string // SHA-256 of the SPKI, hex; for a certificate of the whole certificate
}

func (*Key) String() string   { return "***" }
func (*Key) GoString() string { return "***" }

// Fingerprint is the SHA-256 of the public key's SubjectPublicKeyInfo, in lower-case hex.
func (k *Key) Fingerprint() string {
	if k.cert != nil {
		return spki(k.cert.Leaf.RawSubjectPublicKeyInfo)
	}
	return k.id.print
}

func spki(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// OpenP8 opens a signing key as downloaded from Apple: PEM, PKCS#8, P-256. team and keyID are not
// in the file; Apple shows them beside it. Every error is a *tenants.Error that says what the file
// is instead, and what to do.
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
	return &Key{id: identity{team: team, keyID: keyID, print: spki(der)}, private: private}, nil
}

func readP8(file []byte) (*ecdsa.PrivateKey, error) {
	if err := sized(file); err != nil {
		return nil, err
	}
	block, _ := pem.Decode(file)
	if block == nil {
		if bytes.HasPrefix(file, []byte{0x30}) {
			return nil, badFile("This is not a .p8 file; it looks like a .p12 or another binary file. Upload it as a certificate, or upload the AuthKey_….p8 file.", nil)
		}
		return nil, badFile("This is not a .p8 file: it should begin with -----BEGIN PRIVATE KEY-----. Upload the AuthKey_….p8 file as Apple gave it.", nil)
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
		return nil, badFile("This key is on the curve "+private.Curve.Params().Name+"; APNs signing keys are on P-256. Make an APNs key on Apple's page Keys.", nil)
	}
	return private, nil
}

func isRSA(key any) bool {
	_, ok := key.(*rsa.PrivateKey)
	return ok
}

// notPKCS8 says what a PEM block of another type is; empty for the right type.
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

func sized(file []byte) error {
	switch {
	case len(bytes.TrimSpace(file)) == 0:
		return badFile("The file is empty.", nil)
	case len(file) > maxFile:
		return &tenants.Error{Kind: tenants.TooLarge, Code: "file_too_large", Msg: "The file is larger than 64 KiB; a .p8 or .p12 file is a few KiB. Upload the file as Apple gave it."}
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

// appleID: ten capital letters and digits, as Apple prints team and key ids.
func appleID(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return len(s) == 10
}

// SuggestKeyID reads the key id out of the name Apple gives to a .p8 file, AuthKey_ABC123DEFG.p8;
// empty when the name is another. Browsers' copies such as "AuthKey_ABC123DEFG (1).p8" count too.
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
