package store

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"carillon/tenants"
)

// AuditKey is the key that signs heads of chains. There is one for a database, made at the first
// start; its private half is sealed under the master key and never leaves.
type AuditKey struct {
	ID     string
	Public ed25519.PublicKey

	private ed25519.PrivateKey
}

func sealedAuditKey(id string) []string { return []string{"audit_keys", id} }

// AuditKey is the public half of the key that signs heads; it is made if there is none yet.
func (s *Store) AuditKey(ctx context.Context) (AuditKey, error) {
	k, err := s.auditKey(ctx)
	k.private = nil
	return k, err
}

// AuditPublicKey is AuditKey for a command without a master key, which makes none.
func (s *Store) AuditPublicKey(ctx context.Context) (k AuditKey, found bool, err error) {
	k, _, err = s.storedAuditKey(ctx)
	return k, k.ID != "", err
}

func (s *core) storedAuditKey(ctx context.Context) (k AuditKey, sealed []byte, err error) {
	type row struct {
		id             string
		public, sealed []byte
	}
	rows, err := s.db.through(noTenant).query(ctx, "SELECT id, public, sealed FROM audit_keys ORDER BY n LIMIT 1")
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.id, &r.public, &r.sealed} })
	if err != nil || len(found) == 0 {
		return k, nil, translate(err)
	}
	return AuditKey{ID: found[0].id, Public: found[0].public}, found[0].sealed, nil
}

func (s *core) auditKey(ctx context.Context) (AuditKey, error) {
	if s.seal == nil {
		return AuditKey{}, errors.New("store: heads of audit chains cannot be signed without the master key")
	}
	k, sealed, err := s.storedAuditKey(ctx)
	if err == nil && k.ID == "" {
		if err = s.makeAuditKey(ctx); err == nil {
			k, sealed, err = s.storedAuditKey(ctx)
		}
	}
	if err != nil {
		return k, err
	}
	seed, err := s.seal.Open(sealed, sealedAuditKey(k.ID)...)
	if err != nil || len(seed) != ed25519.SeedSize {
		return k, fmt.Errorf("store: the key that signs audit chains: %w", errors.Join(err, ErrMasterKey))
	}
	k.private = ed25519.NewKeyFromSeed(seed)
	return k, nil
}

// makeAuditKey makes the key. Of several nodes that start at once, the first one's stays.
func (s *core) makeAuditKey(ctx context.Context) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	id := tenants.AuditKeyID(public)
	sealed, err := s.seal.Seal(private.Seed(), sealedAuditKey(id)...)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return s.w.do(ctx, noTenant, func(t *tx) error {
		_, err := t.exec("INSERT INTO audit_keys (n, id, public, sealed, created_at) VALUES (1, ?, ?, ?, ?) ON CONFLICT (n) DO NOTHING", id,
			[]byte(public), sealed, micros(s.now()))
		return err
	})
}

type headRow struct {
	seq, at         int64
	anchor          bool
	key             string
	hash, signature []byte
}

// Heads are the tenant's signed heads, oldest first.
func (s Audits) Heads(ctx context.Context) ([]tenants.AuditHead, error) {
	rows, err := s.reads().query(ctx, "SELECT seq, at, anchor, key_id, hash, signature FROM audit_heads WHERE tenant_id = ? ORDER BY seq, "+
		"anchor", uuid(s.id))
	found, err := collect(rows, err, func(r *headRow) []any {
		return []any{&r.seq, &r.at, &r.anchor, &r.key, &r.hash, &r.signature}
	})
	return nouns(found, headRow.noun), translate(err)
}

func (r headRow) noun() tenants.AuditHead {
	h := tenants.AuditHead{Seq: r.seq, At: moment(r.at), Anchor: r.anchor, Key: r.key, Signature: r.signature}
	copy(h.Hash[:], r.hash)
	return h
}

// anchor is the newest anchor, whose seq is 0 if no row was ever removed.
func (s *scope) anchor(ctx context.Context) (tenants.AuditHead, error) {
	rows, err := s.reads().query(ctx, "SELECT seq, at, anchor, key_id, hash, signature FROM audit_heads WHERE tenant_id = ? AND anchor "+
		"ORDER BY seq DESC LIMIT 1", uuid(s.id))
	found, err := collect(rows, err, func(r *headRow) []any {
		return []any{&r.seq, &r.at, &r.anchor, &r.key, &r.hash, &r.signature}
	})
	if err != nil || len(found) == 0 {
		return tenants.AuditHead{}, translate(err)
	}
	return found[0].noun(), nil
}

// hashOf is the hash of a row that is there. A row that has none yet is chained first.
func (s *scope) hashOf(ctx context.Context, seq int64) (h tenants.AuditHash, err error) {
	read := func() (hash []byte, err error) {
		rows, err := s.reads().query(ctx, "SELECT hash FROM audits WHERE tenant_id = ? AND seq = ?", uuid(s.id), seq)
		found, err := collect(rows, err, func(b *[]byte) []any { return []any{b} })
		if err == nil && len(found) == 0 {
			return nil, tenants.NoSuch("entry")
		}
		return slices.Concat(found...), translate(err)
	}
	hash, err := read()
	if err == nil && len(hash) == 0 {
		if err = s.s.w.chain(ctx, s.id, nil); err == nil {
			hash, err = read()
		}
	}
	copy(h[:], hash)
	return h, err
}

// sign signs the row as a head or as an anchor. One that is signed already stays as it is.
// Connections of the role audit get each new head.
func (s *scope) sign(ctx context.Context, seq int64, anchor bool) error {
	if seq == 0 {
		return nil
	}
	key, err := s.s.auditKey(ctx)
	if err != nil {
		return err
	}
	hash, err := s.hashOf(ctx, seq)
	if err != nil {
		return err
	}
	h := tenants.AuditHead{Seq: seq, Hash: hash, At: stored(s.s.now()), Anchor: anchor, Key: key.ID}
	tenant := tenants.TenantID(strings.ToLower(string(s.id)))
	h.Signature = ed25519.Sign(key.private, h.Signed(tenant))
	return s.s.w.do(ctx, s.access(), func(t *tx) error {
		n, err := t.change("INSERT INTO audit_heads (tenant_id, seq, anchor, hash, at, key_id, signature) VALUES (?, ?, ?, ?, ?, ?, ?) "+
			"ON CONFLICT (tenant_id, seq, anchor) DO NOTHING", uuid(s.id), h.Seq, h.Anchor, h.Hash[:], micros(h.At), h.Key, h.Signature)
		if err != nil || n == 0 {
			return err
		}
		return t.deliveries().sendHead(s, h)
	})
}

// sendHead writes the deliveries of a head, also for connections that are disabled: see letGo.
func (t deliveriesTx) sendHead(s *scope, h tenants.AuditHead) error {
	rows, err := t.query(context.Background(), "SELECT c.id FROM connections c WHERE c.tenant_id = ? AND c.role = ? AND "+hears,
		uuid(s.id), string(tenants.RoleAudit), heardSince(s.s.now()))
	found, err := collect(rows, err, func(id *tenants.ConnectionID) []any { return []any{(*uuid)(id)} })
	if err != nil {
		return err
	}
	for _, id := range found {
		d := NewDelivery{Tenant: s.id, Connection: id, Event: tenants.NewRandomID(), Kind: tenants.EventAuditHead, Ring: tenants.RingID(id),
			At: h.At, Body: tenants.AuditHeadEvent(s.id, h).Write()}
		if err := t.deliveries().deliver(d, micros(h.At)); err != nil {
			return err
		}
	}
	return nil
}

// SignHeads signs the end of each tenant's chain that has grown since it was signed last. It says
// how many that was.
func (s Jobs) SignHeads(ctx context.Context) (signed int, err error) {
	type end struct {
		tenant uuid
		seq    sql.NullInt64
	}
	rows, err := s.db.through(allTenants).query(ctx, "SELECT id, seq FROM (SELECT t.id AS id, (SELECT MAX(a.seq) FROM audits a WHERE "+
		"a.tenant_id = t.id) AS seq, COALESCE((SELECT MAX(h.seq) FROM audit_heads h WHERE h.tenant_id = t.id), 0) AS signed "+
		"FROM tenants t) AS ends WHERE seq > signed")
	found, err := collect(rows, err, func(e *end) []any { return []any{&e.tenant, &e.seq} })
	if err != nil {
		return 0, translate(err)
	}
	for _, e := range found {
		if err := s.of(tenants.TenantID(e.tenant)).sign(ctx, e.seq.Int64, false); err != nil {
			return signed, err
		}
		signed++
	}
	return signed, nil
}
