package store

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"

	"carillon/tenants"
)

// KeysMost is how many keys Funnel gives a group of their own, beside that of the console.
const KeysMost = 50

// OtherKeys is the group of the rings of all further keys.
const OtherKeys = "other"

// hopFacts are the facts that the funnel shows. Only they are counted by key, because the others
// would be written and never read.
var hopFacts = func() map[string]bool {
	out := map[string]bool{}
	for _, h := range tenants.Hops {
		out[string(h.Fact)] = true
	}
	return out
}()

// keyHour is a key of key_tallies.
type keyHour struct {
	tenant, key uuid
	hour        int64
}

// keyHops is the funnel of a key: cells by fact and bucket. One row of key_tallies holds it whole:
// a row for each cell, as tallies has them, made the roller a tenth slower.
type keyHops map[keyCell]int64

type keyCell struct {
	fact   string
	bucket int
}

func (h keyHops) add(others keyHops) {
	for c, n := range others {
		h[c] += n
	}
}

// pack writes each cell as the fact with its length, the bucket from ringCounted on, and the count.
func (h keyHops) pack() []byte {
	var out []byte
	for _, c := range slices.SortedFunc(maps.Keys(h), func(a, b keyCell) int {
		return cmp.Or(strings.Compare(a.fact, b.fact), cmp.Compare(a.bucket, b.bucket))
	}) {
		out = append(binary.AppendUvarint(out, uint64(len(c.fact))), c.fact...)
		out = binary.AppendUvarint(binary.AppendUvarint(out, uint64(c.bucket-ringCounted)), uint64(h[c]))
	}
	return out
}

var errPacked = errors.New("store: a row of key_tallies is not as it was packed")

// unpack adds what pack wrote.
func (h keyHops) unpack(packed []byte) error {
	number := func() uint64 {
		n, size := binary.Uvarint(packed)
		if size <= 0 {
			packed = nil
			return 0
		}
		packed = packed[size:]
		return n
	}
	for len(packed) > 0 {
		length := number()
		if length == 0 || length >= uint64(len(packed)) {
			return errPacked
		}
		fact := string(packed[:length])
		packed = packed[length:]
		bucket := number()
		if len(packed) == 0 {
			return errPacked
		}
		h[keyCell{fact, int(bucket) + ringCounted}] += int64(number())
	}
	return nil
}

// countKeys adds the hours' cells up by key. It runs in the roller's transaction, which has moved
// the cursor already: no other roller reads the same rows before it commits.
func (t tallyTx) countKeys(cells map[cell]int64) error {
	keys := map[keyHour]keyHops{}
	for c, n := range cells {
		if !hopFacts[c.fact] {
			continue
		}
		k := keyHour{c.tenant, c.key, c.hour}
		if keys[k] == nil {
			keys[k] = keyHops{}
		}
		keys[k][keyCell{c.fact, c.bucket}] += n
	}
	if err := t.countedKeys(keys); err != nil {
		return err
	}
	b := newBatch("key_tallies", "tenant_id", "hour", "key_id", "hops")
	for k, hops := range keys {
		b.add(k.tenant, k.hour, k.key, hops.pack())
	}
	t.wrote = true
	return b.flush(t.d.dialect, func(text string, args []any, _ int) error {
		_, err := t.run(text+" ON CONFLICT (tenant_id, hour, key_id) DO UPDATE SET hops = excluded.hops", args)
		return err
	})
}

// countedKeys adds what is in the table already.
func (t tallyTx) countedKeys(keys map[keyHour]keyHops) error {
	type row struct {
		keyHour
		hops []byte
	}
	const one = "(tenant_id = ? AND hour = ? AND key_id = ?)"
	all := slices.Collect(maps.Keys(keys))
	for some := range slices.Chunk(all, sizes[0]) {
		n := sizeFor(len(some))
		var args []any
		for i := range n {
			k := some[min(i, len(some)-1)]
			args = append(args, k.tenant, k.hour, k.key)
		}
		rows, err := t.query(context.Background(), "SELECT tenant_id, hour, key_id, hops FROM key_tallies WHERE "+one+
			strings.Repeat(" OR "+one, n-1), args...)
		found, err := collect(rows, err, func(r *row) []any { return []any{&r.tenant, &r.hour, &r.key, &r.hops} })
		if err != nil {
			return err
		}
		for _, r := range found {
			if err := keys[r.keyHour].unpack(r.hops); err != nil {
				return err
			}
		}
	}
	return nil
}

// funnelByKey sums the hours in [from, to) by fact and key: the KeysMost with most rings, those
// of the console, and all others together. A tenant has few keys at a time, so what it holds
// meanwhile is small.
func (s Analytics) funnelByKey(ctx context.Context, from, to int64) ([]FunnelRow, error) {
	rows, err := s.reads().scan(ctx, "SELECT key_id, hops FROM key_tallies WHERE tenant_id = ? AND hour >= ? AND hour < ?",
		uuid(s.id), from, to)
	if err != nil {
		return nil, translate(err)
	}
	defer rows.Close()
	keys := map[string]keyHops{}
	var key uuid
	var hops []byte
	for rows.Next() {
		if err := rows.Scan(&key, &hops); err != nil {
			return nil, translate(err)
		}
		if keys[string(key)] == nil {
			keys[string(key)] = keyHops{}
		}
		if err := keys[string(key)].unpack(hops); err != nil {
			return nil, translate(err)
		}
	}
	return rowsOf(mostRings(keys)), translate(rows.Err())
}

// mostRings keeps the keys with most rings and the rings of the console, which have no key, and
// adds the others up.
func mostRings(keys map[string]keyHops) map[string]keyHops {
	console, placedThere := keys[""]
	delete(keys, "")
	out := keys
	if len(keys) > KeysMost {
		out = firstKeys(keys)
	}
	if placedThere {
		out[""] = console
	}
	return out
}

func firstKeys(keys map[string]keyHops) map[string]keyHops {
	placed := keyCell{string(tenants.FactPlaced), ringCounted}
	order := slices.SortedFunc(maps.Keys(keys), func(a, b string) int {
		return cmp.Or(cmp.Compare(keys[b][placed], keys[a][placed]), strings.Compare(a, b))
	})
	out := map[string]keyHops{OtherKeys: {}}
	for i, key := range order {
		if i < KeysMost {
			out[key] = keys[key]
		} else {
			out[OtherKeys].add(keys[key])
		}
	}
	return out
}

// rowsOf are the rows of a funnel, ordered by group and fact.
func rowsOf(groups map[string]keyHops) []FunnelRow {
	out := []FunnelRow{}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		facts := map[string]*FunnelRow{}
		for c, n := range groups[group] {
			r := facts[c.fact]
			if r == nil {
				r = &FunnelRow{Group: group, Fact: tenants.FactKind(c.fact), Buckets: map[int]int64{}}
				facts[c.fact] = r
			}
			switch c.bucket {
			case counted:
				r.N = n
			case ringCounted:
				r.Rings = n
			default:
				r.Buckets[c.bucket] = n
			}
		}
		for _, fact := range slices.Sorted(maps.Keys(facts)) {
			out = append(out, *facts[fact])
		}
	}
	return out
}
