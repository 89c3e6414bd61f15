package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"carillon/tenants"
)

// Qualities are how the tenant's calls sounded, a row for each call.
type Qualities struct{ *scope }

// Qualities returns the tenant's Qualities.
func (s *Scope) Qualities() Qualities { return Qualities{&s.scope} }

// qualityText is a CallQuality as JSON. Samples are rows of numbers, because there are many.
type qualityText struct {
	FirstAudio int64     `json:"first_audio_us,omitempty"`
	BargeIns   []int64   `json:"barge_in_us,omitempty"`
	Samples    [][]int64 `json:"samples"` // ms since the answer, then legFields for the phone and the agent; zeros at the end are left out
}

// legFields is how many numbers a leg has in a row: MOS × 100, jitter in and out in microseconds,
// loss in and out × 10000, round trip in microseconds, queued ms, underruns.
const legFields = 8

func numbersOf(l tenants.LegQuality) []int64 {
	return []int64{
		int64(l.MOS*100 + 0.5), span(l.JitterIn), span(l.JitterOut), int64(l.LossIn*10000 + 0.5), int64(l.LossOut*10000 + 0.5),
		span(l.RoundTrip), l.Queued.Milliseconds(), int64(l.Underruns),
	}
}

func legOf(n []int64) tenants.LegQuality {
	return tenants.LegQuality{
		MOS: float64(n[0]) / 100, JitterIn: length(n[1]), JitterOut: length(n[2]), LossIn: float64(n[3]) / 10000,
		LossOut: float64(n[4]) / 10000, RoundTrip: length(n[5]), Queued: time.Duration(n[6]) * time.Millisecond, Underruns: int(n[7]),
	}
}

func textOfQuality(q *tenants.CallQuality) (string, error) {
	t := qualityText{FirstAudio: span(q.FirstAudio), Samples: make([][]int64, 0, len(q.Samples))}
	for _, d := range q.BargeIns {
		t.BargeIns = append(t.BargeIns, span(d))
	}
	for _, s := range q.Samples {
		row := append(append([]int64{s.At.Milliseconds()}, numbersOf(s.Phone)...), numbersOf(s.Agent)...)
		n := len(row)
		for n > 1 && row[n-1] == 0 {
			n--
		}
		t.Samples = append(t.Samples, row[:n])
	}
	b, err := json.Marshal(t)
	return string(b), err
}

func qualityOf(text string) (*tenants.CallQuality, error) {
	var t qualityText
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return nil, err
	}
	q := &tenants.CallQuality{FirstAudio: length(t.FirstAudio)}
	for _, d := range t.BargeIns {
		q.BargeIns = append(q.BargeIns, length(d))
	}
	for _, row := range t.Samples {
		var n [1 + 2*legFields]int64
		copy(n[:], row)
		q.Samples = append(q.Samples, tenants.QualitySample{
			At: time.Duration(n[0]) * time.Millisecond, Phone: legOf(n[1 : 1+legFields]), Agent: legOf(n[1+legFields:]),
		})
	}
	return q, nil
}

// Set replaces how a call sounded. With over the call has ended: its figures are counted, once
// however often Set is called. A ring that is not the tenant's is refused with Unknown.
func (s Qualities) Set(ctx context.Context, id tenants.RingID, q *tenants.CallQuality, over bool) error {
	text, err := textOfQuality(q)
	if err != nil {
		return fmt.Errorf("store: quality of ring %s: %w", id, err)
	}
	return s.s.w.do(ctx, s.access(), func(t *tx) error {
		now := s.s.now()
		var counted bool
		rows, err := t.query(ctx, "SELECT counted FROM call_quality WHERE tenant_id = ? AND ring_id = ?", uuid(s.id), uuid(id))
		found, err := collect(rows, err, func(b *bool) []any { return []any{b} })
		if err != nil {
			return err
		}
		counted = len(found) > 0 && found[0]
		n, err := t.change("INSERT INTO call_quality (tenant_id, ring_id, updated_at, counted, samples) "+
			"SELECT tenant_id, id, ?, ?, ? FROM rings WHERE tenant_id = ? AND id = ? "+
			"ON CONFLICT (tenant_id, ring_id) DO UPDATE SET updated_at = excluded.updated_at, counted = excluded.counted, "+
			"samples = excluded.samples", micros(now), counted || over, text, uuid(s.id), uuid(id))
		if err == nil && n == 0 {
			err = tenants.NoSuch("ring")
		}
		if err != nil || counted || !over {
			return err
		}
		return t.rings().countFigures(s.id, now, q)
	})
}

// countFigures adds what was measured of a call that ended at now.
func (t ringsTx) countFigures(tenant tenants.TenantID, now time.Time, q *tenants.CallQuality) error {
	cells := map[tenants.Measure]int64{}
	for _, m := range q.Measures() {
		cells[m]++
	}
	if len(cells) == 0 {
		return nil
	}
	b := newBatch("call_figures", "tenant_id", "hour", "figure", "bucket", "n")
	for m, n := range cells {
		b.add(uuid(tenant), floor(micros(now), hour), string(m.Figure), m.Bucket, n)
	}
	return b.flush(t.d.dialect, func(text string, args []any, _ int) error {
		_, err := t.run(text+" ON CONFLICT (tenant_id, hour, figure, bucket) DO UPDATE SET n = call_figures.n + excluded.n", args)
		return err
	})
}

// Get returns how a call sounded so far; nil if nothing was measured, or the ring is not the
// tenant's.
func (s Qualities) Get(ctx context.Context, id tenants.RingID) (*tenants.CallQuality, error) {
	rows, err := s.reads().query(ctx, "SELECT samples FROM call_quality WHERE tenant_id = ? AND ring_id = ?", uuid(s.id), uuid(id))
	found, err := collect(rows, err, func(text *string) []any { return []any{text} })
	if err != nil || len(found) == 0 {
		return nil, translate(err)
	}
	q, err := qualityOf(found[0])
	if err != nil {
		return nil, fmt.Errorf("store: quality of ring %s: %w", id, err)
	}
	return q, nil
}

// Figures counts the calls that ended in the hours of [from, to) by figure and bucket; see
// tenants.PercentileBucket. It reads counts only, so it costs the same however many calls there
// were.
func (s Analytics) Figures(ctx context.Context, from, to time.Time) (map[tenants.CallFigure]map[int]int64, error) {
	type sum struct {
		figure string
		bucket int
		n      int64
	}
	rows, err := s.reads().scan(ctx, "SELECT figure, bucket, CAST(SUM(n) AS BIGINT) FROM call_figures "+
		"WHERE tenant_id = ? AND hour >= ? AND hour < ? GROUP BY 1, 2", uuid(s.id), floor(micros(from), hour), until(to))
	sums, err := collect(rows, err, func(x *sum) []any { return []any{&x.figure, &x.bucket, &x.n} })
	out := map[tenants.CallFigure]map[int]int64{}
	for _, x := range sums {
		f := tenants.CallFigure(x.figure)
		if out[f] == nil {
			out[f] = map[int]int64{}
		}
		out[f][x.bucket] = x.n
	}
	return out, translate(err)
}
