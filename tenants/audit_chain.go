package tenants

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// The chain of a tenant's record of changes. The hash of a row is SHA-256 over:
//
//	byte 1 (the version), the hash of the row before (32 zero bytes for row 1),
//	text tenant, number seq, number at, text actor kind, text actor id, value actor name,
//	text action, value target, value target name, value detail, value changes, value address,
//	text request id, text result ("" or "refused"), number times, number last at
//
// A number is 8 bytes, big endian; a time is microseconds since 1970, 0 = none. A text is its
// length in 4 bytes, big endian, and its UTF-8. A value can name a person, and is one of: byte 0 =
// empty; byte 1 and a text, for a target that is a UUID; byte 2 and SHA-256(salt, value), with a
// salt of 16 random bytes. Erasing a value removes it with its salt and keeps the 32 bytes, so
// that the chain stays whole and nobody can find the value by trying. The value of the changes is,
// for each change, text field, text before, text after. The documentation page about the audit log
// says the same for those who write a verifier of their own.
const (
	chainVersion = 1
	saltSize     = 16
)

// AuditHash is the hash of a row of the chain.
type AuditHash [sha256.Size]byte

// String is the hash as 64 digits.
func (h AuditHash) String() string { return hex.EncodeToString(h[:]) }

// AuditValue numbers the values of a row that can name a person.
type AuditValue int

// The values of a row that can name a person, in the order in which they enter the hash.
const (
	AuditActorName AuditValue = iota
	AuditTarget
	AuditTargetName
	AuditDetail
	AuditChanges
	AuditAddress
	auditValues
)

var auditValueNames = [auditValues]string{"actor_name", "target", "target_name", "detail", "changes", "ip"}

// String is the value's name in exports.
func (v AuditValue) String() string { return auditValueNames[v] }

// AuditSalts are the salts of a row's values; the zero salt is of a value that is not committed.
type AuditSalts [auditValues][saltSize]byte

// AuditErased are what is left of values that were erased; zero where nothing was.
type AuditErased [auditValues]AuditHash

// value is the text of a value as it enters its commitment.
func (a *Audit) value(buf []byte, v AuditValue) []byte {
	switch v {
	case AuditActorName:
		return append(buf, a.Actor.Name...)
	case AuditTarget:
		return append(buf, a.Target...)
	case AuditTargetName:
		return append(buf, a.TargetName...)
	case AuditDetail:
		return append(buf, a.Detail...)
	case AuditChanges:
		for _, c := range a.Changes {
			buf = appendText(appendText(appendText(buf, c.Field), c.Before), c.After)
		}
		return buf
	default:
		return append(buf, a.IP...)
	}
}

// unchecked reports that the row has a value beside what is left of it when it is erased: the hash
// covers what is left, so the value could say anything.
func (a *Audit) unchecked() bool {
	for v := range a.Erased {
		if a.Erased[v] != (AuditHash{}) && !a.isEmpty(AuditValue(v)) {
			return true
		}
	}
	return false
}

// isEmpty reports that the row has no such value.
func (a *Audit) isEmpty(v AuditValue) bool {
	switch v {
	case AuditActorName:
		return a.Actor.Name == ""
	case AuditTarget:
		return a.Target == ""
	case AuditTargetName:
		return a.TargetName == ""
	case AuditDetail:
		return a.Detail == ""
	case AuditChanges:
		return len(a.Changes) == 0
	default:
		return a.IP == ""
	}
}

// Committed reports that the value enters the hash with a salt: it is there, and may name a person.
func (a *Audit) Committed(v AuditValue) bool {
	return !a.isEmpty(v) && (v != AuditTarget || !ValidID(a.Target))
}

// Salt gives a row new salts for its values.
func (a *Audit) Salt() {
	var random [auditValues * saltSize]byte
	_, _ = rand.Read(random[:]) // it never fails
	for v := range auditValues {
		if a.Committed(v) {
			copy(a.Salts[v][:], random[int(v)*saltSize:])
		}
	}
}

// Erase empties a value and its salt, and keeps its commitment. It reports whether there was one.
func (a *Audit) Erase(v AuditValue) bool {
	if !a.Committed(v) || a.Erased[v] != (AuditHash{}) {
		return false
	}
	a.Erased[v] = a.commitment(v)
	a.Salts[v] = [saltSize]byte{}
	switch v {
	case AuditActorName:
		a.Actor.Name = ""
	case AuditTarget:
		a.Target = ""
	case AuditTargetName:
		a.TargetName = ""
	case AuditDetail:
		a.Detail = ""
	case AuditChanges:
		a.Changes = nil
	case AuditAddress:
		a.IP = ""
	}
	return true
}

func (a *Audit) commitment(v AuditValue) AuditHash {
	var room [256]byte
	return sha256.Sum256(a.value(append(room[:0], a.Salts[v][:]...), v))
}

// Chained is the hash of the row behind the one with the hash before.
func (a *Audit) Chained(before AuditHash, tenant TenantID) AuditHash {
	var room [1024]byte
	b := append(append(room[:0], chainVersion), before[:]...)
	b = appendText(b, string(tenant))
	b = appendNumber(appendNumber(b, a.Seq), chainTime(a.At))
	b = appendText(appendText(b, string(a.Actor.Kind)), a.Actor.ID)
	b = a.appendValue(b, AuditActorName)
	b = appendText(b, a.Action)
	for v := AuditTarget; v < auditValues; v++ {
		b = a.appendValue(b, v)
	}
	b = appendText(b, a.RequestID)
	if a.Refused {
		b = appendText(b, AuditRefused)
	} else {
		b = appendText(b, "")
	}
	return sha256.Sum256(appendNumber(appendNumber(b, a.Times), chainTime(a.LastAt)))
}

// AuditRefused is the result of what was asked for and not done.
const AuditRefused = "refused"

func (a *Audit) appendValue(b []byte, v AuditValue) []byte {
	switch {
	case a.Erased[v] != (AuditHash{}):
		return append(append(b, 2), a.Erased[v][:]...)
	case a.isEmpty(v):
		return append(b, 0)
	case !a.Committed(v):
		return appendText(append(b, 1), a.Target)
	}
	c := a.commitment(v)
	return append(append(b, 2), c[:]...)
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func appendNumber(b []byte, n int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(n)) }

// chainTime is a moment as a number; the zero moment is 0.
func chainTime(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// AuditHead says that the chain of a tenant had a row with this number and hash at a moment. It is
// signed, so that a person who changes the database cannot write the chain again unseen. An
// anchor is a head up to which older rows were removed, because they had been kept long enough.
type AuditHead struct {
	Seq       int64
	Hash      AuditHash
	At        time.Time
	Anchor    bool
	Key       string // id of the public key
	Signature []byte
}

// Signed is what the signature is over: "carillon audit head" or "carillon audit anchor" as a text,
// then text tenant, number seq, the hash, number at.
func (h AuditHead) Signed(tenant TenantID) []byte {
	what := "carillon audit head"
	if h.Anchor {
		what = "carillon audit anchor"
	}
	b := appendNumber(appendText(appendText(nil, what), string(tenant)), h.Seq)
	return appendNumber(append(b, h.Hash[:]...), chainTime(h.At))
}

// Verify reports whether the key signed the head for the tenant.
func (h AuditHead) Verify(key ed25519.PublicKey, tenant TenantID) bool {
	return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, h.Signed(tenant), h.Signature)
}

// AuditKeyID is the id of a public key: the first 16 digits of its SHA-256.
func AuditKeyID(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:8])
}

// AuditVerdict is what verifying a chain came to.
type AuditVerdict struct {
	Tenant   TenantID
	First    int64 // the first row; 0 = there is none
	Last     int64
	Rows     int64
	Refused  int64
	Erased   int64 // values that were erased
	Heads    int64 // signed heads that the rows agree with
	SignedTo int64 // the last row that a signed head vouches for
	Fault    *AuditFault
}

// AuditFault is the first fault of a chain.
type AuditFault struct {
	Seq  int64
	Code string // changed, missing, order, cut, rewritten, key or format
	Why  string // a sentence for a person
}

// Error is the sentence.
func (f *AuditFault) Error() string { return f.Why }

// AuditVerifier checks a chain row by row. It needs memory for the heads only.
type AuditVerifier struct {
	tenant  TenantID
	key     ed25519.PublicKey
	before  AuditHash
	heads   map[int64]AuditHead
	last    int64 // the largest seq that a head names
	anchor  int64
	verdict AuditVerdict
}

// NewAuditVerifier checks the chain of a tenant that begins behind the row with the number and hash
// of from: the zero head for a whole chain. Heads are believed if key signed them.
func NewAuditVerifier(t TenantID, key ed25519.PublicKey, from AuditHead) *AuditVerifier {
	return &AuditVerifier{tenant: t, key: key, before: from.Hash, heads: map[int64]AuditHead{},
		verdict: AuditVerdict{Tenant: t, Last: from.Seq}}
}

// Head adds a signed head; all heads come before the first row.
func (v *AuditVerifier) Head(h AuditHead) *AuditFault {
	if v.verdict.Fault != nil {
		return v.verdict.Fault
	}
	if !h.Verify(v.key, v.tenant) {
		return v.fail(h.Seq, "key", "The head of row %d is not signed by the key "+AuditKeyID(v.key)+
			": it was made by another server, or changed. Verify with the public key that was written down earlier.")
	}
	if h.Anchor && h.Seq > v.anchor {
		v.anchor = h.Seq
	}
	if was, ok := v.heads[h.Seq]; ok && was.Hash != h.Hash {
		return v.fail(h.Seq, "rewritten", "Two signed heads give row %d another hash: the chain was written twice.")
	}
	v.heads[h.Seq] = h
	v.last = max(v.last, h.Seq)
	return nil
}

// Row adds the next row and its stored hash.
func (v *AuditVerifier) Row(a *Audit, hash AuditHash) *AuditFault {
	d := &v.verdict
	if d.Fault != nil {
		return d.Fault
	}
	want := d.Last + 1
	switch {
	case a.Seq > want && d.Rows == 0 && want == 1:
		return v.fail(want, "missing", "Row %d is missing: the chain does not begin where it should, and no signed anchor says why.")
	case a.Seq > want:
		return v.fail(want, "missing", "Row %d is missing: the next one that is there is row "+strconv.FormatInt(a.Seq, 10)+".")
	case a.Seq < want:
		return v.fail(a.Seq, "order", "Row %d is out of order: it comes behind row "+strconv.FormatInt(d.Last, 10)+".")
	}
	if a.Chained(v.before, v.tenant) != hash || a.unchecked() {
		return v.fail(a.Seq, "changed", "Row %d was changed: its hash does not fit what it says and the row before.")
	}
	if h, ok := v.heads[a.Seq]; ok {
		if h.Hash != hash {
			return v.fail(a.Seq, "rewritten", "Row %d is not the row that was signed: the chain was written again at or before it.")
		}
		d.Heads++
		d.SignedTo = a.Seq
	}
	if d.Rows == 0 {
		d.First = a.Seq
	}
	d.Rows++
	d.Last, v.before = a.Seq, hash
	if a.Refused {
		d.Refused++
	}
	for i := range a.Erased {
		if a.Erased[i] != (AuditHash{}) {
			d.Erased++
		}
	}
	return nil
}

// End is the verdict when there are no more rows.
func (v *AuditVerifier) End() AuditVerdict {
	if v.verdict.Fault == nil && v.last > v.verdict.Last {
		v.fail(v.verdict.Last+1, "cut", "Row %d is missing: a signed head says that the chain goes to row "+
			strconv.FormatInt(v.last, 10)+", so its end was cut off.")
	}
	return v.verdict
}

func (v *AuditVerifier) fail(seq int64, code, why string) *AuditFault {
	v.verdict.Fault = &AuditFault{Seq: seq, Code: code, Why: strings.ReplaceAll(why, "%d", strconv.FormatInt(seq, 10))}
	return v.verdict.Fault
}
