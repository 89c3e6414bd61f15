package app

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"carillon/tenants"
	"carillon/tenants/store"
)

// auditCmd is about tenants' records of changes.
type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Verify a tenant's audit chain, in the database or offline from an export."`
}

type auditVerifyCmd struct {
	File   string `help:"An export: JSON lines, gzip too; - reads standard input. Without it the database is verified." type:"path"`
	Tenant string `help:"Short name of the tenant, in the database; empty = every tenant."`
	Key    string `help:"The public key, as the audit page showed it earlier. Without it the key in the file or database is believed."`
	JSON   bool   `help:"Print one JSON line for each chain."`
	Database
}

// Help says what the verdict is worth.
func (a *auditVerifyCmd) Help() string {
	return `carillon audit verify --file audit.jsonl.gz --key rZ2…=
carillon audit verify --tenant elm

Exit code 0: the chain is whole. 1: it is not, and the first bad row is named. A chain proves most with a public key and signed heads
that were kept away from the server.`
}

// verdictLine is a verdict in JSON.
type verdictLine struct {
	Tenant   tenants.TenantID `json:"tenant"`
	Slug     string           `json:"slug,omitempty"`
	OK       bool             `json:"ok"`
	First    int64            `json:"first"`
	Last     int64            `json:"last"`
	Rows     int64            `json:"rows"`
	Erased   int64            `json:"erased"`
	Heads    int64            `json:"heads"`
	SignedTo int64            `json:"signed_to"`
	BadSeq   int64            `json:"bad_seq,omitempty"`
	Code     string           `json:"code,omitempty"`
	Why      string           `json:"why,omitempty"`
}

// errChain is a chain that is not whole; the fault was printed.
var errChain = errors.New("the chain is not whole")

// Run verifies.
func (a *auditVerifyCmd) Run(ctx context.Context, c terminal) error {
	key, err := a.key()
	if err != nil {
		return misused{err}
	}
	if a.File != "" {
		if a.Tenant != "" {
			return misused{errors.New("--tenant: an export is of one tenant; leave out --tenant or --file")}
		}
		return a.verifyFile(c, key)
	}
	return a.verifyDatabase(ctx, c, key)
}

func (a *auditVerifyCmd) key() (ed25519.PublicKey, error) {
	if a.Key == "" {
		return nil, nil
	}
	key, err := base64.StdEncoding.DecodeString(a.Key)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, errors.New("--key: this is no public key; give the base64 text of 44 signs that the audit page shows")
	}
	return key, nil
}

func (a *auditVerifyCmd) verifyFile(c terminal, key ed25519.PublicKey) error {
	in := io.Reader(os.Stdin)
	if a.File != "-" {
		f, err := os.Open(a.File)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	read := bufio.NewReader(in)
	in = read
	if magic, _ := read.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(read)
		if err != nil {
			return fmt.Errorf("%s: %w", a.File, err)
		}
		in = z
	}
	v, err := tenants.VerifyAuditExport(in, key)
	if err != nil {
		return fmt.Errorf("%s cannot be read to its end: %w", a.File, err)
	}
	return a.print(c, v, "")
}

func (a *auditVerifyCmd) verifyDatabase(ctx context.Context, c terminal, key ed25519.PublicKey) (err error) {
	s, err := a.open(ctx, c, tenants.Plans{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	stored, found, err := s.AuditPublicKey(ctx)
	if err != nil {
		return err
	}
	if key == nil {
		key = stored.Public
	} else if found && !stored.Public.Equal(key) {
		fmt.Fprintf(c.err, "carillon: the database has the key %s and not %s\n", stored.ID, tenants.AuditKeyID(key))
	}
	all := []tenants.Tenant{}
	if a.Tenant == "" {
		all, err = s.Tenants().List(ctx)
	} else {
		var one tenants.Tenant
		one, err = bySlug(ctx, s, a.Tenant)
		all = append(all, one)
	}
	if err != nil {
		return err
	}
	var bad error
	for _, t := range all {
		v, err := s.For(t.ID).Audits().Verify(ctx, store.AuditKey{Public: key}, nil)
		if err != nil {
			return err
		}
		if err := a.print(c, v, t.Slug); err != nil {
			bad = err
		}
	}
	return bad
}

func (a *auditVerifyCmd) print(c terminal, v tenants.AuditVerdict, slug string) error {
	l := verdictLine{Tenant: v.Tenant, Slug: slug, OK: v.Fault == nil, First: v.First, Last: v.Last, Rows: v.Rows, Erased: v.Erased,
		Heads: v.Heads, SignedTo: v.SignedTo}
	if v.Fault != nil {
		l.BadSeq, l.Code, l.Why = v.Fault.Seq, v.Fault.Code, v.Fault.Why
	}
	var err error
	switch {
	case a.JSON:
		err = json.NewEncoder(c.out).Encode(l)
	case l.OK:
		_, err = fmt.Fprintf(c.out, "%s: whole. %s rows, %d to %d; a signed head vouches for rows up to %d; %s erased values.\n", l.name(),
			tenants.FormatCount(l.Rows), l.First, l.Last, l.SignedTo, tenants.FormatCount(l.Erased))
	default:
		_, err = fmt.Fprintf(c.out, "%s: NOT whole, at row %d (%s). %s\n", l.name(), l.BadSeq, l.Code, l.Why)
	}
	if err == nil && !l.OK {
		return errChain
	}
	return err
}

func (l verdictLine) name() string {
	if l.Slug != "" {
		return l.Slug
	}
	return "tenant " + string(l.Tenant)
}
