package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"carillon/tenants"
)

// Hours are the attempts of a connection since a moment, by hour of UTC, of the newest figuresMost.
// An hour without attempts is left out.
func (s Deliveries) Hours(ctx context.Context, id tenants.ConnectionID, since time.Time) ([]tenants.ConnectionHour, error) {
	type row struct {
		at, took, status int64
		good             bool
	}
	rows, err := s.reads().query(ctx, "SELECT at, took, status, good FROM delivery_attempts WHERE tenant_id = ? AND connection_id = ? "+
		"ORDER BY seq DESC LIMIT ?", uuid(s.id), uuid(id), figuresMost)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.at, &r.took, &r.status, &r.good} })
	if err != nil {
		return nil, translate(err)
	}
	hours, took := map[time.Time]tenants.ConnectionHour{}, map[time.Time][]int64{}
	for _, r := range found {
		if r.at < micros(since) {
			continue
		}
		at := moment(r.at).UTC().Truncate(time.Hour)
		h := hours[at]
		h.At = at
		h.Attempts++
		if !r.good {
			h.Failed++
		}
		if hours[at] = h; r.status != 0 {
			took[at] = append(took[at], r.took)
		}
	}
	var out []tenants.ConnectionHour
	for at, h := range hours {
		if all := took[at]; len(all) > 0 {
			slices.Sort(all)
			h.P50, h.P95 = length(all[len(all)/2]), length(all[len(all)*95/100])
		}
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b tenants.ConnectionHour) int { return cmp.Compare(a.At.Unix(), b.At.Unix()) })
	return out, nil
}
