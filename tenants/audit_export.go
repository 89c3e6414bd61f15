package tenants

import (
	"bufio"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
)

// An export of the record of changes is one JSON object a line: a line "chain", then the lines
// "head", then the lines "row" in the order of their numbers, then a line "end".
type auditLine struct {
	Kind string `json:"kind"`

	// chain
	Version   int      `json:"version,omitempty"`
	Tenant    TenantID `json:"tenant,omitempty"`
	PublicKey string   `json:"public_key,omitempty"`
	After     int64    `json:"after,omitempty"` // the number of the row before the first one
	Before    string   `json:"before,omitempty"`

	// head and row
	Seq       int64  `json:"seq,omitempty"`
	At        string `json:"at,omitempty"`
	Hash      string `json:"hash,omitempty"`
	Anchor    bool   `json:"anchor,omitempty"`
	Key       string `json:"key,omitempty"`
	Signature string `json:"signature,omitempty"`

	// row
	Actor      *AuditActor       `json:"actor,omitempty"`
	Action     string            `json:"action,omitempty"`
	Target     string            `json:"target,omitempty"`
	TargetName string            `json:"target_name,omitempty"`
	Detail     string            `json:"detail,omitempty"`
	Changes    []Change          `json:"changes,omitempty"`
	IP         string            `json:"ip,omitempty"`
	RequestID  string            `json:"request_id,omitempty"`
	Result     string            `json:"result,omitempty"`
	Times      int64             `json:"times,omitempty"`
	LastAt     string            `json:"last_at,omitempty"`
	Salts      map[string]string `json:"salts,omitempty"`
	Erased     map[string]string `json:"erased,omitempty"`

	// end
	Rows int64 `json:"rows,omitempty"`
}

const (
	lineChain = "chain"
	lineHead  = "head"
	lineRow   = "row"
	lineEnd   = "end"
)

// AuditWriter writes an export, line by line.
type AuditWriter struct {
	out  *json.Encoder
	rows int64
}

// NewAuditWriter begins an export of the rows behind the row that from names.
func NewAuditWriter(w io.Writer, t TenantID, key ed25519.PublicKey, from AuditHead) (*AuditWriter, error) {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	l := auditLine{Kind: lineChain, Version: chainVersion, Tenant: t, PublicKey: base64.StdEncoding.EncodeToString(key), After: from.Seq}
	if from.Seq > 0 {
		l.Before = from.Hash.String()
	}
	return &AuditWriter{out: out}, out.Encode(l)
}

// Head writes a signed head.
func (w *AuditWriter) Head(h AuditHead) error {
	return w.out.Encode(auditLine{Kind: lineHead, Seq: h.Seq, At: lineTime(h.At), Hash: h.Hash.String(), Anchor: h.Anchor, Key: h.Key,
		Signature: base64.StdEncoding.EncodeToString(h.Signature)})
}

// Row writes a row with its hash.
func (w *AuditWriter) Row(a *Audit) error {
	w.rows++
	l := auditLine{Kind: lineRow, Seq: a.Seq, At: lineTime(a.At), Hash: a.Hash.String(),
		Actor: &AuditActor{a.Actor.Kind, a.Actor.ID, a.Actor.Name}, Action: a.Action, Target: a.Target, TargetName: a.TargetName,
		Detail: a.Detail, Changes: a.Changes, IP: a.IP, RequestID: a.RequestID, Times: a.Times, LastAt: lineTime(a.LastAt)}
	if a.Refused {
		l.Result = AuditRefused
	}
	for v := range auditValues {
		if a.Erased[v] != (AuditHash{}) {
			l.Erased = put(l.Erased, v.String(), a.Erased[v].String())
		} else if a.Committed(v) {
			l.Salts = put(l.Salts, v.String(), hex.EncodeToString(a.Salts[v][:]))
		}
	}
	return w.out.Encode(l)
}

// End ends the export.
func (w *AuditWriter) End() error { return w.out.Encode(auditLine{Kind: lineEnd, Rows: w.rows}) }

func put(m map[string]string, key, value string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	m[key] = value
	return m
}

func lineTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

// auditLineMost bounds a line of an export, in bytes.
const auditLineMost = 1 << 20

// auditHeadsMost bounds the signed heads of an export: twenty years of one every 10 minutes.
const auditHeadsMost = 1 << 20

// VerifyAuditExport reads an export and verifies its chain. Without a key it believes the one in
// the file, which proves only that the file fits itself. An error is of reading; everything that
// the file says is a verdict, also that it is no export.
func VerifyAuditExport(r io.Reader, key ed25519.PublicKey) (AuditVerdict, error) {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 64<<10), auditLineMost)
	x := &auditReader{key: key}
	for in.Scan() {
		if len(strings.TrimSpace(in.Text())) == 0 {
			continue
		}
		x.lines++
		if fault := x.line(in.Bytes()); fault != nil {
			return x.verdict(fault), nil
		}
	}
	if err := in.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return x.verdict(x.wrong("is longer than an export writes")), nil
		}
		return AuditVerdict{}, err
	}
	return x.end(), nil
}

type auditReader struct {
	key      ed25519.PublicKey
	v        *AuditVerifier
	lines    int64
	heads    int
	rows     int64
	declared int64
	ended    bool
}

func (x *auditReader) verdict(f *AuditFault) AuditVerdict {
	var d AuditVerdict
	if x.v != nil {
		d = x.v.verdict
	}
	d.Fault = f
	return d
}

// next is the number of the row that would come now.
func (x *auditReader) next() int64 {
	if x.v == nil {
		return 1
	}
	return x.v.verdict.Last + 1
}

func (x *auditReader) wrong(why string) *AuditFault {
	return &AuditFault{Seq: x.next(), Code: "format", Why: "Line " + FormatCount(x.lines) + " of the export " + why + "."}
}

func (x *auditReader) line(text []byte) *AuditFault {
	var l auditLine
	if err := json.Unmarshal(text, &l); err != nil {
		return x.wrong("is not what an export writes: it was changed, or the file was cut inside of it")
	}
	if x.ended {
		return x.wrong("comes behind the line that ends it")
	}
	switch {
	case l.Kind == lineChain && x.v == nil:
		return x.chain(l)
	case x.v == nil:
		return x.wrong("is not the line \"chain\" that an export begins with")
	case l.Kind == lineHead && x.rows == 0:
		return x.head(l)
	case l.Kind == lineRow:
		return x.row(l)
	case l.Kind == lineEnd:
		x.ended, x.declared = true, l.Rows
		return nil
	}
	return x.wrong("is out of order or of an unknown kind")
}

func (x *auditReader) chain(l auditLine) *AuditFault {
	key, err := base64.StdEncoding.DecodeString(l.PublicKey)
	if l.Version != chainVersion || err != nil || len(key) != ed25519.PublicKeySize || !ValidID(string(l.Tenant)) || l.After < 0 {
		return x.wrong("is no beginning of an export that this program can read")
	}
	if x.key == nil {
		x.key = key
	} else if !x.key.Equal(ed25519.PublicKey(key)) {
		return &AuditFault{Seq: l.After + 1, Code: "key", Why: "The export names the key " + AuditKeyID(key) + " and not " +
			AuditKeyID(x.key) + ": it is from another server, or its heads were signed by somebody else."}
	}
	from := AuditHead{Seq: l.After}
	if l.After > 0 && !from.Hash.parse(l.Before) {
		return x.wrong("has no hash of the row before the first one")
	}
	x.v = NewAuditVerifier(l.Tenant, x.key, from)
	return nil
}

func (x *auditReader) head(l auditLine) *AuditFault {
	if x.heads++; x.heads > auditHeadsMost {
		return x.wrong("is one signed head too many")
	}
	h := AuditHead{Seq: l.Seq, Anchor: l.Anchor, Key: l.Key}
	var err error
	if h.Signature, err = base64.StdEncoding.DecodeString(l.Signature); err != nil || !h.Hash.parse(l.Hash) || !parseLineTime(l.At, &h.At) {
		return x.wrong("is no signed head")
	}
	return x.v.Head(h)
}

func (x *auditReader) row(l auditLine) *AuditFault {
	a := Audit{Seq: l.Seq, Action: l.Action, Target: l.Target, TargetName: l.TargetName, Detail: l.Detail, Changes: l.Changes, IP: l.IP,
		RequestID: l.RequestID, Refused: l.Result == AuditRefused, Times: l.Times}
	if l.Actor != nil {
		a.Actor = Actor{l.Actor.Kind, l.Actor.ID, l.Actor.Name}
	}
	ok := parseLineTime(l.At, &a.At) && parseLineTime(l.LastAt, &a.LastAt) && a.Hash.parse(l.Hash) &&
		(l.Result == "" || l.Result == AuditRefused)
	for v := range auditValues {
		if salt, there := l.Salts[v.String()]; there {
			b, err := hex.DecodeString(salt)
			ok = ok && err == nil && len(b) == saltSize
			copy(a.Salts[v][:], b)
		}
		if left, there := l.Erased[v.String()]; there {
			ok = ok && a.Erased[v].parse(left) && a.isEmpty(v) // a value beside its commitment would be believed unchecked
		}
	}
	if !ok {
		return x.wrong("is no row: one of its values was changed")
	}
	x.rows++
	return x.v.Row(&a, a.Hash)
}

// end is the verdict at the end of the file.
func (x *auditReader) end() AuditVerdict {
	switch {
	case x.v == nil:
		return x.verdict(&AuditFault{Seq: 1, Code: "format", Why: "The file is empty: it is no export of a record of changes."})
	case x.v.End().Fault != nil:
		return x.v.End()
	case !x.ended:
		return x.verdict(&AuditFault{Seq: x.next(), Code: "cut", Why: "The export has no end: what comes behind row " +
			FormatCount(x.v.verdict.Last) + " was cut off."})
	case x.declared != x.rows:
		return x.verdict(&AuditFault{Seq: x.next(), Code: "cut", Why: "The export says that it has " + FormatCount(x.declared) +
			" rows and has " + FormatCount(x.rows) + "."})
	}
	return x.v.End()
}

func (h *AuditHash) parse(s string) bool {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return false
	}
	copy(h[:], b)
	return true
}

func parseLineTime(s string, to *time.Time) bool {
	if s == "" {
		return true
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	*to = t
	return err == nil
}
