package push

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"unicode/utf8"

	"carillon/tenants"
)

// maxFile is the largest accepted size of a credential file, in bytes. Apple's files are under 10
// KiB.
const maxFile = 64 << 10

// File is a credential file that was recognized by its content: a signing key, or a certificate
// with its private key. Its name, encoding and surroundings do not matter.
type File struct {
	keys      []crypto.PrivateKey
	protected []byte // a key that needs a password (PKCS#8, RFC 5958)
	certs     []*x509.Certificate
	p12       []byte
	ber       bool // the .p12 was in BER; what is encrypted in it may still be
}

// IsCertificate says that the file is for Certificate; otherwise it is for SigningKey.
func (f File) IsCertificate() bool { return f.p12 != nil || len(f.certs) > 0 }

// IsCostly says that the file needs its password to be hashed, which OpenCertificate does as often
// as the file says, up to a bound that takes seconds.
func (f File) IsCostly() bool { return f.p12 != nil || f.protected != nil && len(f.keys) == 0 }

// ReadFile finds the key or certificate in a file. It takes DER, PEM and base64 alone, in any text
// encoding, with the line ends, quotes, escapes and indentation that mail programs, editors and
// environment variables add. Every error is a *tenants.Error that says what the file is instead.
func ReadFile(file []byte) (File, error) {
	switch {
	case len(bytes.TrimSpace(file)) == 0:
		return File{}, badFile("The file is empty.", nil)
	case len(file) > maxFile:
		return File{}, &tenants.Error{
			Kind: tenants.TooLarge, Code: "file_too_large",
			Msg: "The file is larger than 64 KiB; a .p8 or .p12 file is a few KiB. Upload the file as Apple gave it.",
		}
	case isBinary(file) && file[0] == 0x30:
		f, says := readDER(file)
		if says != "" {
			return File{}, badFile(says, nil)
		}
		return f.checked()
	}
	return readSpelled(file)
}

// isBinary says that the bytes are no text in UTF-8 or UTF-16.
func isBinary(file []byte) bool {
	return !mostlyZero(file, 0) && !mostlyZero(file, 1) &&
		(!utf8.Valid(file) || bytes.ContainsAny(file, "\x00\x01\x02\x03\x04\x05\x06\x07\x08"))
}

func readSpelled(file []byte) (File, error) {
	text := readText(file)
	if blocks := findPEM(text); len(blocks) > 0 {
		return readBlocks(blocks)
	}
	said := ""
	for _, data := range findBareBase64(text) {
		if data[0] != 0x30 {
			if blocks := findPEM(readText(data)); len(blocks) > 0 { // a PEM file in base64
				return readBlocks(blocks)
			}
			continue
		}
		f, says := readDER(data)
		if says == "" {
			return f.checked()
		}
		if says != unknownDER && said == "" {
			said = says
		}
	}
	if said != "" {
		return File{}, badFile(said, nil)
	}
	return File{}, unknownFile(file, text)
}

// unknownFile says what a file without a key is, where that helps.
func unknownFile(file []byte, text string) error {
	for magic, says := range map[string]string{
		"PK\x03\x04":       "This is a zip archive or an Office document; upload the .p8 or .p12 file itself.",
		"%PDF":             "This is a PDF document; upload the .p8 or .p12 file itself.",
		"\xfe\xed\xfe\xed": "This is a Java keystore; convert it to a .p12 with keytool -importkeystore -deststoretype pkcs12.",
	} {
		if bytes.HasPrefix(file, []byte(magic)) {
			return badFile(says, nil)
		}
	}
	switch {
	case pemMarker.MatchString(text):
		return badFile("The beginning of the key is missing; upload the whole file, from -----BEGIN PRIVATE KEY----- to the END line.", nil)
	case isBinary(file):
		return badFile("This binary file holds neither a key nor a certificate; "+
			"upload the AuthKey_….p8 file as Apple gave it, or a .p12 file.", nil)
	}
	return badFile("This text holds neither a key nor a certificate. A .p8 file has a line -----BEGIN PRIVATE KEY-----; "+
		"upload the AuthKey_….p8 file as Apple gave it.", nil)
}

// readBlocks sorts PEM blocks into keys and certificates. Other blocks are no fault beside a key:
// openssl writes some.
func readBlocks(blocks []pemBlock) (File, error) {
	var f File
	said := ""
	for _, b := range blocks {
		if says := f.add(b); says != "" && said == "" {
			said = says
		}
	}
	if len(f.keys) == 0 && f.protected == nil && f.p12 == nil && said != "" {
		return File{}, badFile(said, nil)
	}
	return f.checked()
}

// add reads a block by its content. The label only explains what cannot be read; add returns that
// explanation.
func (f *File) add(b pemBlock) string {
	switch _, cut := wholeDER(b.der); {
	case b.encrypted:
		return "The key in this file is protected by a password, in a form that Carillon cannot open; " +
			"write it without a password, or export certificate and key as a .p12."
	case notForAPNs[b.label] != "":
		return notForAPNs[b.label]
	case len(b.der) == 0:
		return "There is nothing between the BEGIN line and the next; upload the file as Apple gave it."
	case cut && b.unended:
		return "The end of the key is missing; upload the whole file, to the END line."
	}
	more, says := readDER(b.der)
	if says == unknownDER || says == cutDER {
		says = "The key in this file is damaged; upload the file as Apple gave it, or make a new key."
		switch {
		case b.label == "PUBLICKEY":
			says = publicKey
		case !strings.HasSuffix(b.label, "PRIVATEKEY"):
			says = "This PEM file holds no private key; upload the AuthKey_….p8 file as Apple gave it."
		}
	}
	f.keys, f.certs, f.ber = append(f.keys, more.keys...), append(f.certs, more.certs...), f.ber || more.ber
	if more.p12 != nil {
		f.p12 = more.p12
	}
	if more.protected != nil {
		f.protected = more.protected
	}
	return says
}

// notForAPNs explains PEM blocks whose content is not DER.
var notForAPNs = map[string]string{
	"OPENSSHPRIVATEKEY":  "This is an SSH key; make an APNs key on Apple's page Keys.",
	"PGPPRIVATEKEYBLOCK": "This is a PGP key; make an APNs key on Apple's page Keys.",
}

// checked refuses what cannot push whatever the caller adds.
func (f File) checked() (File, error) {
	switch keys := len(f.keys); {
	case f.p12 != nil:
		return f, nil
	case len(f.certs) > 0 && keys == 0 && f.protected == nil:
		return File{}, badFile("This is a certificate without its key; export certificate and key together as a .p12, "+
			"or upload an AuthKey_….p8 file.", nil)
	case len(f.certs) > 0:
		return f, nil
	case f.protected != nil && keys == 0:
		return File{}, badFile("This key is encrypted with a password; Apple's .p8 files are not. Upload the file as Apple gave it.", nil)
	}
	for _, k := range f.keys[1:] {
		if !k.(interface{ Equal(crypto.PrivateKey) bool }).Equal(f.keys[0]) {
			return File{}, badFile("This file holds more than one key; upload the AuthKey_….p8 file of one key.", nil)
		}
	}
	return f, nil
}

// What readDER says of bytes that it does not know.
const (
	convertBER = "export it again, or convert it with openssl pkcs12 -in FILE -out credential.pem, and upload credential.pem."
	unknownDER = "This binary file is neither a key nor a certificate; upload the AuthKey_….p8 file as Apple gave it, or a .p12 file."
	publicKey  = "This is a public key; the private one is in the AuthKey_….p8 file, which Apple lets you download once."
	cutDER     = "The end of this binary file is missing, or it is damaged; upload the .p12 or .p8 file again."
)

// readDER recognizes a DER value. If it cannot be used, says is what it is and what to do instead.
func readDER(der []byte) (f File, says string) {
	der, cut := wholeDER(der)
	switch {
	case cut:
		return f, cutDER
	case der[1] == 0x80:
		converted, ok := toDER(der)
		if !ok {
			return f, "This file is damaged, or a binary file in a form (BER) that Carillon cannot read; " + convertBER
		}
		f, says = readDER(converted)
		f.ber = true
		return f, says
	}
	if key := parseKey(der); key != nil {
		f.keys = []crypto.PrivateKey{key}
		return f, ""
	}
	if cert, err := x509.ParseCertificate(der); err == nil {
		f.certs = []*x509.Certificate{cert}
		return f, ""
	}
	if isPFX(der) {
		f.p12 = der
		return f, ""
	}
	var sealed shrouded
	if unmarshalWhole(der, &sealed) {
		f.protected = der
		return f, ""
	}
	return f, explainDER(der)
}

// parseKey parses a private key in any of its three forms: PKCS#8, SEC 1, PKCS#1.
func parseKey(der []byte) crypto.PrivateKey {
	if k, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return k
	}
	if k, err := x509.ParseECPrivateKey(der); err == nil {
		return k
	}
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k
	}
	return nil
}

func isPFX(der []byte) bool {
	var file pfx
	return unmarshalWhole(der, &file) && file.Version == 3
}

var (
	oidSigned = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidECKey  = asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidP256   = asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}
)

// explainDER says what DER without a usable key is.
func explainDER(der []byte) string {
	var key struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
		Rest      asn1.RawValue `asn1:"optional"`
	}
	if unmarshalWhole(der, &key) {
		var curve asn1.ObjectIdentifier
		if key.Algorithm.Algorithm.Equal(oidECKey) && unmarshalWhole(key.Algorithm.Parameters.FullBytes, &curve) && curve.Equal(oidP256) {
			return unknownDER
		}
		return "This is a private key of a kind that APNs does not use; make an APNs key on Apple's page Keys."
	}
	if _, err := x509.ParseCertificateRequest(der); err == nil {
		return "This is a certificate request, not a key; upload the AuthKey_….p8 file, or a .p12 file."
	}
	if _, err := x509.ParsePKIXPublicKey(der); err == nil {
		return publicKey
	}
	var message struct {
		Type asn1.ObjectIdentifier
		Body asn1.RawValue `asn1:"optional"`
	}
	if unmarshalWhole(der, &message) && message.Type.Equal(oidSigned) {
		if bytes.Contains(der, []byte("<plist")) {
			return "This is a provisioning profile, not a key; upload the AuthKey_….p8 file, or a .p12 file."
		}
		return "This file holds certificates without a key; export certificate and key together as a .p12."
	}
	return unknownDER
}

// signingKey returns the APNs signing key of the file.
func (f File) signingKey() (*ecdsa.PrivateKey, error) {
	if f.IsCertificate() || len(f.keys) == 0 {
		return nil, badFile("This is not a .p8 file but a certificate; upload it as a certificate, without team id and key id, "+
			"or upload the AuthKey_….p8 file.", nil)
	}
	switch k := f.keys[0].(type) {
	case *ecdsa.PrivateKey:
		if k.Curve != elliptic.P256() {
			return nil, badFile("This key is on the curve "+k.Curve.Params().Name+"; APNs signing keys are on P-256. "+
				"Make an APNs key on Apple's page Keys.", nil)
		}
		return k, nil
	case *rsa.PrivateKey:
		return nil, badFile("This is an RSA key; APNs signing keys are elliptic-curve keys. Make an APNs key on Apple's page Keys, "+
			"or, if it belongs to a certificate, export both together as a .p12.", nil)
	}
	return nil, badFile("This is a private key of a kind that APNs does not use; make an APNs key on Apple's page Keys.", nil)
}
