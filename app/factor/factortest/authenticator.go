// Package factortest is an authenticator in software, with the browser around it, for tests. It
// does what the options ask of it, and its fields make it lie.
package factortest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// Authenticator makes passkeys and signs with the newest one. Its fields may be changed between two
// answers.
type Authenticator struct {
	Origin     string // of the page that asks
	Unverified bool   // it does not check who uses it
	Handle     []byte // named in place of the passkey's own; nil = its own
	Counter    uint32 // of signatures; it only grows in honest ones
	RPID       string // signed in place of the one in the options; empty = that one

	t    testing.TB
	keys []passkey
}

type passkey struct {
	id, handle []byte
	key        *ecdsa.PrivateKey
}

// New makes an authenticator without passkeys, in a browser that is on a page of origin.
func New(t testing.TB, origin string) *Authenticator { return &Authenticator{Origin: origin, t: t} }

// text is bytes as JSON has them here.
type text []byte

func (b text) MarshalJSON() ([]byte, error) {
	return json.Marshal(base64.RawURLEncoding.EncodeToString(b))
}

func (b *text) UnmarshalJSON(j []byte) (err error) {
	var s string
	if err = json.Unmarshal(j, &s); err == nil {
		*b, err = base64.RawURLEncoding.DecodeString(s)
	}
	return err
}

// asked are the options of either kind, as far as they are used.
type asked struct {
	PublicKey struct {
		Challenge text
		RP        struct{ ID string }
		RPID      string
		User      struct{ ID text }

		UserVerification       string
		AuthenticatorSelection struct {
			ResidentKey, UserVerification string
		}
		ExcludeCredentials []struct{ ID text }
	}
}

func (a *Authenticator) read(options []byte) (o asked) {
	a.t.Helper()
	if err := json.Unmarshal(options, &o); err != nil || len(o.PublicKey.Challenge) < 16 {
		a.t.Fatalf("the options are %s: %v", options, err)
	}
	return o
}

// client is what the browser says about the page.
func (a *Authenticator) client(kind string, challenge []byte) []byte {
	b, err := json.Marshal(map[string]any{"type": kind, "challenge": text(challenge), "origin": a.Origin, "crossOrigin": false})
	if err != nil {
		a.t.Fatal(err)
	}
	return b
}

// The flags of the authenticator's data: the user is present, was verified, a new key follows.
const (
	present  = 0x01
	verified = 0x04
	attested = 0x40
)

func (a *Authenticator) data(rpID string, flags byte) []byte {
	if a.RPID != "" {
		rpID = a.RPID
	}
	if !a.Unverified {
		flags |= verified
	}
	sum := sha256.Sum256([]byte(rpID))
	return binary.BigEndian.AppendUint32(append(sum[:], flags|present), a.Counter)
}

// Create answers options for a new passkey.
func (a *Authenticator) Create(options []byte) []byte {
	a.t.Helper()
	o := a.read(options).PublicKey
	if o.AuthenticatorSelection.ResidentKey != "required" || o.AuthenticatorSelection.UserVerification != "required" {
		a.t.Fatalf("a passkey is asked for with %+v", o.AuthenticatorSelection)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes() // 4, x and y
	if err != nil {
		a.t.Fatal(err)
	}
	k := passkey{id: make([]byte, 32), handle: o.User.ID, key: key}
	rand.Read(k.id)
	a.keys = append(a.keys, k)
	cose := a.cbor(map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]}) // EC2, ES256, P-256 (RFC 9053)
	data := append(a.data(o.RP.ID, attested), make([]byte, 16)...)
	data = append(binary.BigEndian.AppendUint16(data, uint16(len(k.id))), k.id...)
	return a.answer(k, map[string]any{"clientDataJSON": text(a.client("webauthn.create", o.Challenge)),
		"attestationObject": text(a.cbor(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": append(data, cose...)}))})
}

// Get answers options for a sign-in with the newest passkey.
func (a *Authenticator) Get(options []byte) []byte {
	a.t.Helper()
	o := a.read(options).PublicKey
	if o.UserVerification != "required" {
		a.t.Fatalf("user verification is %q", o.UserVerification)
	}
	k := a.keys[len(a.keys)-1]
	a.Counter++
	data, client := a.data(o.RPID, 0), a.client("webauthn.get", o.Challenge)
	hashed := sha256.Sum256(client)
	sum := sha256.Sum256(append(data[:len(data):len(data)], hashed[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.key, sum[:])
	if err != nil {
		a.t.Fatal(err)
	}
	handle := k.handle
	if a.Handle != nil {
		handle = a.Handle
	}
	return a.answer(k, map[string]any{"clientDataJSON": text(client), "authenticatorData": text(data), "signature": text(signature),
		"userHandle": text(handle)})
}

func (a *Authenticator) answer(k passkey, response map[string]any) []byte {
	b, err := json.Marshal(map[string]any{"id": text(k.id), "rawId": text(k.id), "type": "public-key", "response": response,
		"clientExtensionResults": map[string]any{}})
	if err != nil {
		a.t.Fatal(err)
	}
	return b
}

func (a *Authenticator) cbor(v any) []byte {
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		a.t.Fatal(err)
	}
	b, err := mode.Marshal(v)
	if err != nil {
		a.t.Fatal(err)
	}
	return b
}
