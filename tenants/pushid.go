package tenants

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// PushIDs makes apns-ids. To everybody else they are random (UUIDv4). Who has the key reads out of
// one when its ring was placed, and so finds the push without an index of random values, which
// would slow every ring down.
type PushIDs struct{ block cipher.Block }

// NewPushIDs takes a secret key of at least 16 bytes.
func NewPushIDs(key []byte) (PushIDs, error) {
	var k [16]byte
	copy(k[:], key)
	block, err := aes.NewCipher(k[:])
	return PushIDs{block}, err
}

// New makes an id for a push of a ring that was placed at a moment.
func (p PushIDs) New(at time.Time) string {
	var u [16]byte
	rand.Read(u[:10]) // never fails since Go 1.24
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(0, at.UnixMilli())))
	mask := p.mask(u)
	for i := range 6 {
		u[10+i] = ms[2+i] ^ mask[i]
	}
	return format(u, 4)
}

// Placed is the millisecond in which the ring of a push was placed. For an id that was not made
// with this key it is any moment.
func (p PushIDs) Placed(id string) time.Time {
	var u [16]byte
	if !ValidID(id) {
		return time.Time{}
	}
	if _, err := hex.Decode(u[:], []byte(strings.ReplaceAll(id, "-", ""))); err != nil {
		return time.Time{}
	}
	var ms [8]byte
	mask := p.mask(u)
	for i := range 6 {
		ms[2+i] = u[10+i] ^ mask[i]
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:])))
}

// mask hides the time: it is made of the random part of the id, so that no two are alike.
func (p PushIDs) mask(u [16]byte) (mask [16]byte) {
	clear(u[10:])
	p.block.Encrypt(mask[:], u[:])
	return mask
}
