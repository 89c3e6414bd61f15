// Package seal encrypts secrets at rest: envelope encryption with AES-256-GCM (NIST SP 800-38D).
// Every secret gets its own random data key, which is sealed under a master key. Associated data
// ties the blob to its row, so that a blob copied to another tenant, table or row does not open. It
// reads no file and knows no database: bytes in, bytes out.
//
// A master key file holds one key per line: base64 of 32 bytes, with an optional `id:` before it
// (without one, a hash of the key is its id). The first key is the current one; the others only
// open older blobs. To rotate, Parse a new file with the old one beside it, Rewrap every blob, then
// remove the old file.
//
// Start reading at Keyring.Seal.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The format of a blob: version, length of the key id, key id, nonce of the wrap, wrapped data key
// with its tag, nonce, sealed secret with its tag. A GCM key seals one message only, but random
// nonces cost nothing.
const (
	version   = 1
	keySize   = 32
	nonceSize = 12
	tagSize   = 16
	maxID     = 32
	wrapSize  = nonceSize + keySize + tagSize
)

// Errors of Open and Rewrap.
var (
	ErrBlob   = errors.New("seal: not a sealed blob of a version we know")
	ErrKey    = errors.New("seal: sealed under a master key that is not in the key file")
	ErrTamper = errors.New("seal: the blob was changed, or belongs to another row")
)

// Keyring holds the master keys of one installation. It is safe for concurrent use.
type Keyring struct {
	current string
	keys    map[string]cipher.AEAD
	marks   []markKey // one per master key, the current one's first
}

// markKey is the key of the marks of one master key.
type markKey struct {
	id  string
	key []byte
}

// Generate returns the text of a new key file with one random key.
func Generate() string {
	var id [4]byte
	var key [keySize]byte
	rand.Read(id[:]) // never fails since Go 1.24
	rand.Read(key[:])
	return "k" + hex.EncodeToString(id[:]) + ":" + base64.StdEncoding.EncodeToString(key[:]) + "\n"
}

// Parse reads a key file, and older ones whose keys only open. One in several counts once.
// Its error names every fault in the files and holds no part of a key. Empty lines and lines that
// start with # are skipped.
func Parse(file []byte, older ...[]byte) (*Keyring, error) {
	k := &Keyring{keys: map[string]cipher.AEAD{}}
	faults := k.add("master key file", file, false)
	if len(faults) == 0 && k.current == "" {
		faults = append(faults, errors.New("master key file: it holds no key"))
	}
	for _, f := range older {
		faults = append(faults, k.add("old master key file", f, true)...)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return k, nil
}

func (k *Keyring) add(name string, file []byte, older bool) (faults []error) {
	for i, line := range strings.Split(string(file), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := k.addLine(line, older); err != nil {
			faults = append(faults, fmt.Errorf("%s, line %d: %w", name, i+1, err))
		}
	}
	return faults
}

func (k *Keyring) addLine(line string, older bool) error {
	id, key, err := parseLine(line)
	if err != nil {
		return err
	}
	mark := hmacOf(key, "carillon marks 1")
	if _, twice := k.keys[id]; twice {
		same := slices.ContainsFunc(k.marks, func(m markKey) bool { return m.id == id && hmac.Equal(m.key, mark) })
		switch {
		case older && same:
			return nil
		case older:
			return fmt.Errorf("the key id %q belongs to another key of the master key file; give one of them another id", id)
		}
		return fmt.Errorf("the key id %q appears twice", id)
	}
	if k.keys[id], err = gcm(key); err != nil {
		return err
	}
	if k.current == "" {
		k.current = id
	}
	k.marks = append(k.marks, markKey{id, mark})
	return nil
}

func parseLine(line string) (id string, key []byte, err error) {
	id, text, named := strings.Cut(line, ":")
	if !named {
		text = line
	} else if !validID(id) {
		return "", nil, fmt.Errorf("the key id must be 1 to %d of a-z, 0-9 and '-'", maxID)
	}
	key, err = base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(text))
	if err != nil {
		return "", nil, errors.New("the key is not standard base64")
	}
	if len(key) != keySize {
		return "", nil, fmt.Errorf("the key has %d bytes, want %d", len(key), keySize)
	}
	if !named {
		// Eight hex digits of a hash tell keys apart and do not reveal the key.
		sum := sha256.Sum256(key)
		id = "h" + hex.EncodeToString(sum[:4])
	}
	return id, key, nil
}

func validID(id string) bool {
	for _, c := range []byte(id) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
			return false
		}
	}
	return len(id) >= 1 && len(id) <= maxID
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Current is the id of the master key that new secrets are sealed under.
func (k *Keyring) Current() string { return k.current }

// KeyOf is the id of the master key that a blob is sealed under, or "" if it is not a blob.
func (k *Keyring) KeyOf(blob []byte) string {
	b, err := splitBlob(blob)
	if err != nil {
		return ""
	}
	return b.id
}

// errNoKeys is the error of a nil Keyring. A command that handles no secrets runs without master
// keys.
var errNoKeys = errors.New("seal: there is no master key")

// Marks returns keyed hashes of a text (HMAC), one per master key, the current key's first, and one
// per key of marks whose master key was removed (see MarkKeys). A caller stores the first and
// searches by all of them, without storing the text; without the key file they cannot be made.
func (k *Keyring) Marks(purpose, text string, removed ...[]byte) ([][]byte, error) {
	if k == nil {
		return nil, errNoKeys
	}
	data := string(associatedData(purpose, nil, []string{text}))
	var out [][]byte
	for _, m := range k.marks {
		out = append(out, hmacOf(m.key, data))
	}
	for _, key := range removed {
		out = append(out, hmacOf(key, data))
	}
	return out, nil
}

// MarkKeys are the keys of the marks of every master key but the current one, by the key's id. They
// open no blob. A rotation stores them sealed, so that marks are found after a key was removed.
func (k *Keyring) MarkKeys() map[string][]byte {
	out := map[string][]byte{}
	for _, m := range k.marks {
		if m.id != k.current {
			out[m.id] = m.key
		}
	}
	return out
}

// Header is how every blob under the current master key begins, and no other.
func (k *Keyring) Header() []byte { return header(k.current) }

// Has says whether the keyring has the master key of that id.
func (k *Keyring) Has(id string) bool { return k.keys[id] != nil }

// Old says whether the keyring has keys that only open.
func (k *Keyring) Old() bool { return k != nil && len(k.keys) > 1 }

func hmacOf(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text)) // never fails
	return h.Sum(nil)
}

// Seal encrypts plain for the row that aad names (tenant, table, row id, in that order by
// convention).
func (k *Keyring) Seal(plain []byte, aad ...string) ([]byte, error) {
	if k == nil {
		return nil, errNoKeys
	}
	var dataKey [keySize]byte
	rand.Read(dataKey[:])
	aead, err := gcm(dataKey[:])
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	head := header(k.current)
	blob := k.wrap(head, dataKey[:], aad)
	nonce := make([]byte, nonceSize)
	rand.Read(nonce)
	blob = append(blob, nonce...)
	return aead.Seal(blob, nonce, plain, associatedData("secret", nil, aad)), nil
}

// Open decrypts a blob. It returns ErrTamper for a blob that was changed or belongs to another row,
// ErrKey if the master key is not in the key file, and ErrBlob for anything else.
func (k *Keyring) Open(blob []byte, aad ...string) ([]byte, error) {
	if k == nil {
		return nil, errNoKeys
	}
	b, err := splitBlob(blob)
	if err != nil {
		return nil, err
	}
	dataKey, err := k.unwrap(b, aad)
	if err != nil {
		return nil, err
	}
	aead, err := gcm(dataKey)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	plain, err := aead.Open(nil, b.sealed[:nonceSize], b.sealed[nonceSize:], associatedData("secret", nil, aad))
	if err != nil {
		return nil, ErrTamper
	}
	return plain, nil
}

// Rewrap seals the blob's data key under the current master key; the encrypted secret stays the
// same. changed is false if it is already under that key. Rewrap opens the secret once, so that a
// rotation finds a damaged blob while the old key still exists.
func (k *Keyring) Rewrap(blob []byte, aad ...string) (fresh []byte, changed bool, err error) {
	if _, err := k.Open(blob, aad...); err != nil {
		return nil, false, err
	}
	b, err := splitBlob(blob)
	if err != nil {
		return nil, false, err
	}
	if b.id == k.current {
		return blob, false, nil
	}
	dataKey, err := k.unwrap(b, aad)
	if err != nil {
		return nil, false, err
	}
	return append(k.wrap(header(k.current), dataKey, aad), b.sealed...), true, nil
}

// wrap returns head, nonce and the data key sealed under the current master key.
func (k *Keyring) wrap(head, dataKey []byte, aad []string) []byte {
	nonce := make([]byte, nonceSize)
	rand.Read(nonce)
	out := append(append([]byte{}, head...), nonce...)
	return k.keys[k.current].Seal(out, nonce, dataKey, associatedData("key", head, aad))
}

func (k *Keyring) unwrap(b parts, aad []string) ([]byte, error) {
	master, ok := k.keys[b.id]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrKey, b.id)
	}
	dataKey, err := master.Open(nil, b.wrapped[:nonceSize], b.wrapped[nonceSize:], associatedData("key", b.head, aad))
	if err != nil {
		return nil, ErrTamper
	}
	return dataKey, nil
}

// MostHeader is the length of the longest beginning of a blob that names its master key.
const MostHeader = 2 + maxID

// KeyOfHeader is the id of the master key that a blob with this beginning is sealed under, or "".
func KeyOfHeader(head []byte) string {
	if len(head) < 2 || head[0] != version || len(head) < 2+int(head[1]) || !validID(string(head[2:2+int(head[1])])) {
		return ""
	}
	return string(head[2 : 2+int(head[1])])
}

// parts are slices of one blob.
type parts struct {
	id                    string
	head, wrapped, sealed []byte
}

func header(id string) []byte { return append([]byte{version, byte(len(id))}, id...) }

func splitBlob(blob []byte) (parts, error) {
	if len(blob) < 2 || blob[0] != version {
		return parts{}, ErrBlob
	}
	n := 2 + int(blob[1])
	if len(blob) < n+wrapSize+nonceSize+tagSize || !validID(string(blob[2:n])) {
		return parts{}, ErrBlob
	}
	return parts{
		id:      string(blob[2:n]),
		head:    blob[:n:n],
		wrapped: blob[n : n+wrapSize : n+wrapSize],
		sealed:  blob[n+wrapSize:],
	}, nil
}

// associatedData puts its length before each part, so that two different lists never give the same
// bytes.
func associatedData(purpose string, head []byte, aad []string) []byte {
	out := appendPart(nil, purpose)
	out = appendPart(out, string(head))
	for _, s := range aad {
		out = appendPart(out, s)
	}
	return out
}

func appendPart(out []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint64(out, uint64(len(s))), s...)
}

// Key seals many messages of one owner, such as the parts of a recording. It is safe for concurrent
// use. With random nonces it may seal 2^32 messages (NIST SP 800-38D 8.3).
type Key struct{ aead cipher.AEAD }

// NewKey returns the bytes of a new random key, to be stored sealed by a Keyring.
func NewKey() []byte {
	key := make([]byte, keySize)
	rand.Read(key) // never fails since Go 1.24
	return key
}

// KeyOf makes a Key of the bytes that NewKey returned.
func KeyOf(key []byte) (*Key, error) {
	if len(key) != keySize {
		return nil, ErrBlob
	}
	aead, err := gcm(key)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return &Key{aead}, nil
}

// Seal encrypts plain for the row that aad names.
func (k *Key) Seal(plain []byte, aad ...string) []byte {
	out := make([]byte, nonceSize, nonceSize+len(plain)+tagSize)
	rand.Read(out)
	return k.aead.Seal(out, out, plain, associatedData("message", nil, aad))
}

// Open decrypts what Seal returned for the same row. It returns ErrTamper for anything else.
func (k *Key) Open(sealed []byte, aad ...string) ([]byte, error) {
	if len(sealed) < nonceSize+tagSize {
		return nil, ErrBlob
	}
	plain, err := k.aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], associatedData("message", nil, aad))
	if err != nil {
		return nil, ErrTamper
	}
	return plain, nil
}
