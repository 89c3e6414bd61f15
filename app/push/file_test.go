package push_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"errors"
	"html"
	"math/big"
	"mime/quotedprintable"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"carillon/app/push"
	"carillon/app/push/apnstest"
	"carillon/tenants"

	"software.sslmate.com/src/go-pkcs12"
)

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func utf16File(s string, order binary.AppendByteOrder, mark bool) []byte {
	var b []byte
	if mark {
		b = order.AppendUint16(b, 0xfeff)
	}
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

// body is the base64 of a PEM text in one line.
func body(s string) string {
	block, _ := pem.Decode([]byte(s))
	return base64.StdEncoding.EncodeToString(block.Bytes)
}

func quotedPrintable(s string) []byte {
	var b bytes.Buffer
	w := quotedprintable.NewWriter(&b)
	w.Write([]byte(s))
	w.Close()
	return b.Bytes()
}

func jsonText(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// spellings write one PEM file in the ways in which it is uploaded.
var spellings = map[string]func(string) []byte{
	"as Apple gave it":      func(s string) []byte { return []byte(s) },
	"CRLF":                  func(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) },
	"CR":                    func(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r")) },
	"no final line end":     func(s string) []byte { return []byte(strings.TrimSpace(s)) },
	"empty lines":           func(s string) []byte { return []byte("\n\n" + strings.ReplaceAll(s, "\n", "\n\n")) },
	"UTF-8 mark":            func(s string) []byte { return []byte("\ufeff" + s) },
	"UTF-16 little":         func(s string) []byte { return utf16File(s, binary.LittleEndian, true) },
	"UTF-16 big":            func(s string) []byte { return utf16File(s, binary.BigEndian, true) },
	"UTF-16 little no mark": func(s string) []byte { return utf16File(s, binary.LittleEndian, false) },
	"UTF-16 big no mark":    func(s string) []byte { return utf16File(s, binary.BigEndian, false) },
	"literal line ends":     func(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", `\n`)) },
	"literal CRLF":          func(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", `\r\n`)) },
	"escaped twice":         func(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", `\\n`)) },
	"spaces for line ends":  func(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", " ")) },
	"nothing for line ends": func(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "")) },
	"no spaces at all":      func(s string) []byte { return []byte(strings.Join(strings.Fields(s), "")) },
	"indented":              func(s string) []byte { return []byte("\t  " + strings.ReplaceAll(s, "\n", "\n\t  ")) },
	"hard spaces":           func(s string) []byte { return []byte(strings.ReplaceAll(s, " ", "\u00a0")) },
	"invisible spaces":      func(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\u200b\n")) },
	"double quotes":         func(s string) []byte { return []byte(`"` + s + `"`) },
	"single quotes":         func(s string) []byte { return []byte("'" + s + "'\n") },
	"environment file":      func(s string) []byte { return []byte(`APNS_KEY="` + strings.ReplaceAll(s, "\n", `\n`) + `"`) },
	"JSON":                  func(s string) []byte { return []byte(`{"kid":"ABCDE12345","key":` + jsonText(s) + `}`) },
	"JSON in PHP":           func(s string) []byte { return []byte(strings.ReplaceAll(jsonText(s), "/", `\/`)) },
	"JSON in .NET":          func(s string) []byte { return []byte(strings.ReplaceAll(jsonText(s), "+", `\u002B`)) },
	"YAML":                  func(s string) []byte { return []byte("apns:\n  key: |\n    " + strings.ReplaceAll(s, "\n", "\n    ")) },
	"JavaScript":            func(s string) []byte { return []byte("k = '" + strings.ReplaceAll(s, "\n", "\\n' +\n  '") + "';") },
	"quoted in a mail":      func(s string) []byte { return []byte("Ann wrote:\n> > " + strings.ReplaceAll(s, "\n", "\n> > ")) },
	"in a mail": func(s string) []byte {
		return []byte("Here is the key:\n\n" + s + "\nKind regards\nJürgen - Bells & Co\n")
	},
	"in a Latin-1 mail": func(s string) []byte { return []byte("Schl\xfcssel:\n\n" + s + "\nGr\xfc\xdfe\n") },
	"quoted-printable":  quotedPrintable,
	"HTML":              func(s string) []byte { return []byte("<p>" + strings.ReplaceAll(s, "\n", "<br>\n") + "</p>") },
	"HTML entities": func(s string) []byte {
		return []byte(strings.NewReplacer("\n", "&#10;", "+", "&#43;", "/", "&#x2F;").Replace(html.EscapeString(s)))
	},
	"URL path":  func(s string) []byte { return []byte(strings.ReplaceAll(url.PathEscape(s), "+", "%2B")) },
	"URL query": func(s string) []byte { return []byte(url.QueryEscape(s)) },
	"RTF": func(s string) []byte {
		return []byte("{\\rtf1\\ansi\\f0 " + strings.ReplaceAll(s, "\n", "\\par\n\\f1 ") + "}")
	},
	"em dashes":        func(s string) []byte { return []byte(strings.ReplaceAll(s, "-----", "—–-")) },
	"four dashes":      func(s string) []byte { return []byte(strings.ReplaceAll(s, "-----", "----")) },
	"no END line":      func(s string) []byte { return []byte(s[:strings.Index(s, "-----END")]) },
	"no BEGIN line":    func(s string) []byte { return []byte(s[strings.Index(s, "\n")+1:]) },
	"lines of 76":      func(s string) []byte { return []byte(regexp.MustCompile(`(?m)^.{60}`).ReplaceAllString(s, "$0\n")) },
	"text and key":     func(s string) []byte { return []byte("Key ID: ABCDE12345 " + s) },
	"base64 alone":     func(s string) []byte { return []byte(body(s)) },
	"base64 in lines":  func(s string) []byte { return []byte(body(s)[:64] + "\r\n" + body(s)[64:128] + "\r\n" + body(s)[128:]) },
	"base64 variable":  func(s string) []byte { return []byte("export APNS_KEY=" + body(s) + "\n") },
	"base64 and words": func(s string) []byte { return []byte("My key is " + body(s) + " with love") },
	"base64url": func(s string) []byte {
		return []byte(strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(body(s)))
	},
	"base64 of PEM": func(s string) []byte { return []byte(base64.StdEncoding.EncodeToString([]byte(s))) },
	"base64 of a marked PEM": func(s string) []byte {
		return []byte(base64.StdEncoding.EncodeToString([]byte("\ufeff" + s)))
	},
	"base64 of UTF-16": func(s string) []byte {
		return []byte(base64.StdEncoding.EncodeToString(utf16File(s, binary.LittleEndian, true)))
	},
	"data URL": func(s string) []byte {
		return []byte("data:application/x-pem-file;base64," + base64.StdEncoding.EncodeToString([]byte(s)))
	},
	"DER":             func(s string) []byte { b, _ := pem.Decode([]byte(s)); return b.Bytes },
	"twice":           func(s string) []byte { return []byte(s + s) },
	"another label":   func(s string) []byte { return []byte(strings.ReplaceAll(s, "PRIVATE KEY", "EC PRIVATE KEY")) },
	"SEC 1 (openssl)": sec1,
}

// sec1 is what openssl ec makes of the key.
func sec1(s string) []byte {
	block, _ := pem.Decode([]byte(s))
	k, _ := x509.ParsePKCS8PrivateKey(block.Bytes)
	der, _ := x509.MarshalECPrivateKey(k.(*ecdsa.PrivateKey))
	parameters := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}})
	return append(parameters, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})...)
}

// TestKeySpellings: one key in many spellings. Twenty keys, because base64 differs in its + and /.
func TestKeySpellings(t *testing.T) {
	t.Parallel()
	for range 20 {
		_, good, err := apnstest.NewKey(team, kid)
		if err != nil {
			t.Fatal(err)
		}
		want, err := push.OpenP8(team, kid, good)
		if err != nil {
			t.Fatal(err)
		}
		for name, spell := range spellings {
			k, err := push.OpenP8(team, kid, spell(string(good)))
			if err != nil || k.Fingerprint() != want.Fingerprint() {
				t.Fatalf("%s: %v\n%s", name, err, spell(string(good)))
			}
		}
	}
	want, err := push.OpenP8(team, kid, testdata(t, "clean.p8"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bom.p8", "literal.p8", "spaces.p8", "indent.p8", "nonl.p8"} {
		if k, err := push.OpenP8(team, kid, testdata(t, name)); err != nil || k.Fingerprint() != want.Fingerprint() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCertificateSpellings: a certificate with its key, as .p12 or as PEM.
func TestCertificateSpellings(t *testing.T) {
	t.Parallel()
	modern, pair := testdata(t, "modern.p12"), testdata(t, "certkey.pem")
	block, rest := pem.Decode(pair)
	cert := pem.EncodeToMemory(block)
	key := bytes.TrimSpace(rest)
	for name, x := range map[string]struct {
		file     []byte
		password string
		bundle   string
	}{
		"modern":                    {modern, "secret", "com.example.bells"},
		"with bytes after its end":  {append(bytes.Clone(modern), "\r\n"...), "secret", "com.example.bells"},
		"in base64":                 {[]byte(base64.StdEncoding.EncodeToString(modern)), "secret", "com.example.bells"},
		"in a variable":             {[]byte("P12=\"" + base64.StdEncoding.EncodeToString(modern) + "\""), "secret", "com.example.bells"},
		"the VoIP one comes second": {testdata(t, "dist-first.p12"), "secret", "com.example.gongs"},
		"pair":                      {pair, "", "com.example.bells"},
		"pair with a password":      {pair, "not needed", "com.example.bells"},
		"key first":                 {append(append(bytes.Clone(key), '\n'), cert...), "", "com.example.bells"},
		"pair in UTF-16":            {utf16File(string(pair), binary.LittleEndian, true), "", "com.example.bells"},
		"pair with literal ends":    {bytes.ReplaceAll(pair, []byte("\n"), []byte(`\n`)), "", "com.example.bells"},
		"pair with a protected key": {testdata(t, "protected.pem"), "secret", "com.example.bells"},
		"pair in base64":            {[]byte(base64.StdEncoding.EncodeToString(pair)), "", "com.example.bells"},
	} {
		f, err := push.ReadFile(x.file)
		if err != nil || !f.IsCertificate() {
			t.Errorf("%s: %v", name, err)
			continue
		}
		k, about, err := push.OpenCertificate(x.file, x.password)
		if err != nil || about.Bundle != x.bundle || len(k.Fingerprint()) != 64 {
			t.Errorf("%s: %+v %v", name, about, err)
		}
	}
}

// signed makes a self-signed VoIP certificate for a key.
func signed(t *testing.T, k any, like *x509.Certificate, ends time.Time) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(7), NotAfter: ends, Subject: like.Subject, ExtraExtensions: like.Extensions}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public(k), k)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func public(k any) any {
	switch k := k.(type) {
	case *ecdsa.PrivateKey:
		return &k.PublicKey
	case ed25519.PrivateKey:
		return k.Public()
	}
	return nil
}

// TestNewestCertificateIsChosen: a keychain holds the certificate of last year beside this year's.
func TestNewestCertificateIsChosen(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	issued, err := a.IssueCertificate("com.example.clinic", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	old, fresh := signed(t, k, issued.Leaf, time.Now()), signed(t, k, issued.Leaf, time.Now().Add(time.Hour))
	for _, order := range [][2]*x509.Certificate{{old, fresh}, {fresh, old}} {
		file, err := pkcs12.Modern.Encode(k, order[0], order[1:], "secret")
		if err != nil {
			t.Fatal(err)
		}
		_, about, err := push.OpenCertificate(file, "secret")
		if err != nil || !about.NotAfter.Equal(fresh.NotAfter) {
			t.Errorf("%+v %v", about, err)
		}
	}
}

// TestFilesAreRefusedForTheirReason gives each refusal of a file its own cause.
func TestFilesAreRefusedForTheirReason(t *testing.T) {
	t.Parallel()
	_, good, err := apnstest.NewKey(team, kid)
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := apnstest.NewKey(team, kid)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := pem.Decode(good)
	parsed, err := x509.ParsePKCS8PrivateKey(key.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	private := parsed.(*ecdsa.PrivateKey)
	spki, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, private)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := pem.Decode(testdata(t, "certkey.pem"))
	voip, err := x509.ParseCertificate(cert.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	in := func(label string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}) }
	p12 := func(k any, c *x509.Certificate, more ...*x509.Certificate) []byte {
		file, err := pkcs12.Modern.Encode(k, c, more, "secret")
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	plain := signed(t, private, &x509.Certificate{}, time.Now().Add(time.Hour))
	damaged := bytes.Clone(key.Bytes)
	damaged[30] ^= 0xff // the tag of the private key's version
	for i := 27; i < 36; i++ {
		damaged[i] ^= 0xff
	}
	koblitz := bytes.Replace(key.Bytes, []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7}, []byte{0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 9}, 1)
	for name, x := range map[string]struct {
		file []byte
		says string
	}{
		"empty":          {nil, "empty"},
		"blank":          {[]byte("\r\n\t "), "empty"},
		"text":           {[]byte("hello"), "This text holds neither"},
		"a web page":     {[]byte("<html><body>Sign in to Apple</body></html>"), "This text holds neither"},
		"picture":        {[]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), "This binary file holds neither"},
		"zip":            {[]byte("PK\x03\x04\x14\x00\x00\x00"), "zip archive"},
		"PDF":            {[]byte("%PDF-1.7\n%\xe2\xe3\xcf\xd3"), "PDF"},
		"keystore":       {[]byte("\xfe\xed\xfe\xed\x00\x00\x00\x02"), "Java keystore"},
		"other DER":      {[]byte{0x30, 3, 2, 1, 0}, "neither a key nor a certificate"},
		"BER":            {[]byte{0x30, 0x80, 2, 1, 3, 0x30, 0x80, 0, 0}, "BER"}, // without its own end
		"other BER":      {[]byte{0x30, 0x80, 2, 1, 3, 0, 0}, "neither a key nor a certificate"},
		"half a .p12":    {p12(private, voip)[:900], "end of this binary file is missing"},
		"only END":       {[]byte(string(good)[60:]), "beginning of the key is missing"},
		"half, no END":   {good[:120], "end of the key is missing"},
		"half":           {in("PRIVATE KEY", key.Bytes[:90]), "damaged"},
		"noise":          {in("PRIVATE KEY", []byte{1, 2, 3}), "damaged"},
		"damaged":        {in("PRIVATE KEY", damaged), "damaged"},
		"nothing inside": {[]byte("-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n"), "nothing between"},
		"two keys":       {append(bytes.Clone(good), other...), "more than one key"},
		"Ed25519":        {pkcs8(t, edwards), "of a kind that APNs does not use"},
		"another curve":  {in("PRIVATE KEY", koblitz), "of a kind that APNs does not use"},
		"DSA":            {in("DSA PRIVATE KEY", []byte{0x30, 3, 2, 1, 0}), "damaged"},
		"SSH":            {in("OPENSSH PRIVATE KEY", []byte("openssh-key-v1\x00")), "SSH key"},
		"PGP":            {in("PGP PRIVATE KEY BLOCK", []byte{0x95, 1, 2, 3}), "PGP key"},
		"protected, old form": {[]byte("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n" +
			"AAAA\n-----END EC PRIVATE KEY-----\n"), "protected by a password"},
		"protected":           {testdata(t, "protected.p8"), "encrypted with a password"},
		"certificate":         {in("CERTIFICATE", voip.Raw), "certificate without its key"},
		"certificate as .cer": {voip.Raw, "certificate without its key"},
		"public key":          {in("PUBLIC KEY", spki), "public key"},
		"public key as DER":   {spki, "public key"},
		"request":             {in("CERTIFICATE REQUEST", request), "certificate request"},
		"parameters":          {in("EC PARAMETERS", []byte{6, 1, 7}), "no private key"},
	} {
		_, err := push.OpenP8(team, kid, x.file)
		refusedFor(t, name, err, "file", x.says)
	}
	pair := testdata(t, "protected.pem")
	for name, x := range map[string]struct {
		file     []byte
		password string
		field    string
		says     string
	}{
		"wrong password":         {testdata(t, "modern.p12"), "other", "password", "does not open"},
		"a signing key":          {good, "", "file", "team id"},
		"another's key":          {append(in("CERTIFICATE", voip.Raw), good...), "", "file", "does not belong"},
		"another's key in a p12": {p12(private, voip), "secret", "file", "does not belong"},
		"no VoIP":                {append(in("CERTIFICATE", plain.Raw), good...), "", "file", "cannot push calls"},
		"no VoIP in a p12":       {p12(private, plain), "secret", "file", "cannot push calls"},
		"VoIP without its key":   {p12(private, plain, voip), "secret", "file", "has no key beside it"},
		"protected, no password": {pair, "", "password", "enter it"},
		"protected, wrong one":   {pair, "other", "password", "does not open"},
		"protected, another's":   {append(in("CERTIFICATE", voip.Raw), testdata(t, "protected.p8")...), "secret", "file", "not belong"},
	} {
		_, _, err := push.OpenCertificate(x.file, x.password)
		refusedFor(t, name, err, x.field, x.says)
	}
}

func refusedFor(t *testing.T, name string, err error, field, says string) {
	t.Helper()
	var e *tenants.Error
	if !errors.As(err, &e) || e.Kind != tenants.Invalid || len(e.Fields) != 1 || e.Fields[0].Name != field ||
		!strings.Contains(e.Msg, says) {
		t.Errorf("%s: %v, want %q", name, err, says)
	}
}
