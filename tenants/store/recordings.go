package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"carillon/tenants"
	"carillon/tenants/seal"
)

type recordingRow struct {
	TenantID, RingID                   uuid
	Person, Codec, Policy, Consent     string
	Began, Length, Bytes, Chunks, Lost int64
}

const recordingColumns = "tenant_id, ring_id, person, codec, policy, consent, began_at, length, bytes, chunks, lost"

func (r *recordingRow) fields() []any {
	return []any{&r.TenantID, &r.RingID, &r.Person, &r.Codec, &r.Policy, &r.Consent, &r.Began, &r.Length, &r.Bytes, &r.Chunks, &r.Lost}
}

func (r recordingRow) noun() tenants.Recording {
	return tenants.Recording{Ring: tenants.RingID(r.RingID), Codec: r.Codec, Policy: tenants.RecordingPolicy(r.Policy), Consent: r.Consent,
		BeganAt: moment(r.Began), Length: r.Length, Bytes: r.Bytes, Chunks: int(r.Chunks), Lost: int(r.Lost)}
}

// Recordings are the recordings of the tenant's calls, and the rule for making them. They are in
// the database, in sealed chunks of a few seconds: any node reads what another one wrote, a backup
// has them, and a crash loses the chunk at hand only. Like notes they are kept as the plan says.
type Recordings struct{ *scope }

// Recordings returns the tenant's Recordings.
func (s *Scope) Recordings() Recordings { return Recordings{&s.scope} }

// Rule is whether calls are recorded: off when nobody has set it.
func (s Recordings) Rule(ctx context.Context) (tenants.RecordingRule, error) {
	rows, err := s.reads().query(ctx, "SELECT policy, reason, ogg, pcmu, set_by, set_at FROM recording_rules WHERE tenant_id = ?",
		uuid(s.id))
	type row struct {
		policy, reason, by string
		ogg, pcmu          []byte
		at                 int64
	}
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.policy, &r.reason, &r.ogg, &r.pcmu, &r.by, &r.at} })
	if err != nil || len(found) == 0 {
		return tenants.RecordingRule{Policy: tenants.RecordOff}, translate(err)
	}
	r := found[0]
	return tenants.RecordingRule{Policy: tenants.RecordingPolicy(r.policy), Reason: r.reason, By: r.by, SetAt: moment(r.at), Ogg: r.ogg,
		PCMU: r.pcmu}, nil
}

// SetRule sets whether calls are recorded. The audit row has the policy and the reason.
func (s Recordings) SetRule(ctx context.Context, r tenants.RecordingRule) error {
	return s.write(ctx, func(t *tx) error {
		was := string(tenants.RecordOff)
		err := t.row("SELECT policy FROM recording_rules WHERE tenant_id = ?", []any{uuid(s.id)}, &was)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		_, err = t.exec("INSERT INTO recording_rules (tenant_id, policy, reason, ogg, pcmu, set_by, set_at) VALUES (?, ?, ?, ?, ?, ?, ?) "+
			"ON CONFLICT (tenant_id) DO UPDATE SET "+replaced("policy, reason, ogg, pcmu, set_by, set_at"),
			uuid(s.id), string(r.Policy), r.Reason, append([]byte{}, r.Ogg...), append([]byte{}, r.PCMU...), s.who.Name, micros(s.s.now()))
		if err != nil {
			return err
		}
		detail := string(r.Policy)
		if r.Reason != "" {
			detail += ": " + r.Reason
		}
		return t.auditSet(s.scope, "recording.policy", string(s.id), detail,
			tenants.Change{Field: "recording", Before: was, After: string(r.Policy)})
	})
}

// key is the tenant's recording key, made at its first use.
func (s *scope) recordingKey(ctx context.Context) (*seal.Key, error) {
	aad := []string{string(s.id), "recording_keys"}
	for range 2 {
		rows, err := s.reads().query(ctx, "SELECT sealed FROM recording_keys WHERE tenant_id = ?", uuid(s.id))
		found, err := collect(rows, err, func(b *[]byte) []any { return []any{b} })
		if err != nil {
			return nil, translate(err)
		}
		if len(found) > 0 {
			plain, err := s.s.seal.Open(found[0], aad...)
			if err != nil {
				return nil, fmt.Errorf("store: recording key: %w", err)
			}
			return seal.KeyOf(plain)
		}
		blob, err := s.s.seal.Seal(seal.NewKey(), aad...)
		if err != nil {
			return nil, fmt.Errorf("store: recording key: %w", err)
		}
		err = s.s.w.do(ctx, s.access(), func(t *tx) error {
			_, err := t.exec("INSERT INTO recording_keys (tenant_id, sealed) VALUES (?, ?) ON CONFLICT (tenant_id) DO NOTHING",
				uuid(s.id), blob)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return nil, errors.New("store: the recording key was not stored")
}

// Begin makes the recording of a call. It refuses where the tenant has stored as much as it may.
func (s Recordings) Begin(ctx context.Context, ring tenants.RingID, r tenants.Recording) error {
	of, err := s.ring(ctx, s.reads(), ring, "")
	if err != nil {
		return translate(err)
	}
	person, err := s.personOf(ctx, of)
	if err != nil {
		return err
	}
	return s.s.w.do(ctx, s.access(), func(t *tx) error {
		have, err := t.tally("SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM recordings WHERE tenant_id = ?", uuid(s.id))
		if err != nil {
			return err
		}
		if have >= tenants.MaxRecordedBytes {
			return tenants.Refuse(tenants.Unprocessable, "recordings_full",
				"recordings have %d GiB, which is the most; they are removed when their retention is over", tenants.MaxRecordedBytes>>30)
		}
		row := recordingRow{uuid(s.id), uuid(ring), person, r.Codec, string(r.Policy), r.Consent, micros(r.BeganAt), 0, 0, 0, 0}
		_, err = t.exec("INSERT INTO recordings ("+recordingColumns+") VALUES ("+places(recordingColumns)+")", values(row.fields())...)
		return taken(err, "this call has a recording already")
	})
}

// Add adds a chunk to the recording of a call. It refuses one that was erased with Unknown, and one
// that has as many bytes as a call may have.
func (s Recordings) Add(ctx context.Context, ring tenants.RingID, chunk []byte, length int64, lost int) error {
	key, err := s.recordingKey(ctx)
	if err != nil {
		return err
	}
	n, bytes, err := s.size(ctx, ring)
	if err != nil {
		return err
	}
	if bytes+int64(len(chunk)) > tenants.MaxRecordingBytes {
		return tenants.Refuse(tenants.TooLarge, "recording_full", "this recording has %d MiB, which is the most of a call",
			tenants.MaxRecordingBytes>>20)
	}
	blob := key.Seal(chunk, s.sealedChunk(ring, n)...)
	return s.s.w.do(ctx, s.access(), func(t *tx) error {
		done, err := t.change("UPDATE recordings SET length = ?, lost = ?, bytes = bytes + ?, chunks = chunks + 1 "+
			"WHERE tenant_id = ? AND ring_id = ? AND chunks = ?", length, int64(lost), int64(len(chunk)), uuid(s.id), uuid(ring), n)
		if err != nil {
			return err
		}
		if done == 0 {
			return tenants.NoSuch("recording")
		}
		_, err = t.exec("INSERT INTO recording_chunks (tenant_id, ring_id, n, sealed) VALUES (?, ?, ?, ?)", uuid(s.id), uuid(ring), n, blob)
		return err
	})
}

func (s *scope) sealedChunk(ring tenants.RingID, n int64) []string {
	return []string{string(s.id), "recording_chunks", string(ring), strconv.FormatInt(n, 10)}
}

func (s *scope) size(ctx context.Context, ring tenants.RingID) (chunks, bytes int64, err error) {
	r, err := s.recording(ctx, ring)
	return int64(r.Chunks), r.Bytes, err
}

func (s *scope) recording(ctx context.Context, ring tenants.RingID) (tenants.Recording, error) {
	rows, err := s.reads().query(ctx, "SELECT "+recordingColumns+" FROM recordings WHERE tenant_id = ? AND ring_id = ?",
		uuid(s.id), uuid(ring))
	found, err := collect(rows, err, (*recordingRow).fields)
	if err == nil && len(found) == 0 {
		return tenants.Recording{}, tenants.NoSuch("recording")
	}
	if err != nil {
		return tenants.Recording{}, translate(err)
	}
	return found[0].noun(), nil
}

// Get is the recording of a call, without its sound.
func (s Recordings) Get(ctx context.Context, ring tenants.RingID) (tenants.Recording, error) {
	return s.recording(ctx, ring)
}

// Listen is the sound of a recording, for somebody who hears or downloads it: that is in the audit
// log before the first chunk is read. action is "recording.listen" or "recording.download". The
// chunks may be read after the request is over.
func (s Recordings) Listen(ctx context.Context, r tenants.Recording, action, detail string) (iter.Seq2[[]byte, error], error) {
	key, err := s.recordingKey(ctx)
	if err == nil {
		_, err = s.recording(ctx, r.Ring)
	}
	if err == nil {
		err = Audits(s).Add(ctx, action, string(r.Ring), detail)
	}
	if err != nil {
		return nil, err
	}
	return func(yield func([]byte, error) bool) {
		for n := range int64(r.Chunks) {
			rows, err := s.reads().query(context.WithoutCancel(ctx),
				"SELECT sealed FROM recording_chunks WHERE tenant_id = ? AND ring_id = ? AND n = ?", uuid(s.id), uuid(r.Ring), n)
			found, err := collect(rows, err, func(b *[]byte) []any { return []any{b} })
			var plain []byte
			switch {
			case err != nil:
				err = translate(err)
			case len(found) == 0:
				err = tenants.NoSuch("recording")
			default:
				plain, err = key.Open(found[0], s.sealedChunk(r.Ring, n)...)
			}
			if !yield(plain, err) || err != nil {
				return
			}
		}
	}, nil
}
