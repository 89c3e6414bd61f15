package store

import (
	"context"

	"carillon/tenants"
)

// Claim is the trial that a card was given for.
type Claim struct {
	Mine bool
	From tenants.TenantID // it stood behind this one's until now; empty = nobody's
}

// holding is a card's row.
type holding struct {
	tenant uuid
	began  int64
}

// holding is who has a card, under any of the marks; zero when nobody has.
func (t tenantsTx) holding(marks [][]byte) (holding, error) {
	for _, m := range marks {
		rows, err := t.query(context.Background(), "SELECT tenant, began_at FROM trial_cards WHERE card = ?", m)
		found, err := collect(rows, err, func(h *holding) []any { return []any{&h.tenant, &h.began} })
		if err != nil || len(found) > 0 {
			return append(found, holding{})[0], err
		}
	}
	return holding{}, nil
}

// seat writes whose card it is under the current mark, unless another process has written somebody
// earlier meanwhile, and says whose it is then. What was marked under older keys is not needed any
// more.
func (t tenantsTx) seat(marks [][]byte, h holding) (holding, error) {
	_, err := t.exec("INSERT INTO trial_cards (card, tenant, began_at) VALUES (?, ?, ?) ON CONFLICT (card) DO UPDATE SET tenant = "+
		"excluded.tenant, "+
		"began_at = excluded.began_at WHERE excluded.began_at < trial_cards.began_at", marks[0], h.tenant, h.began)
	for _, old := range marks[1:] {
		if err == nil {
			_, err = t.exec("DELETE FROM trial_cards WHERE card = ?", old)
		}
	}
	if err != nil {
		return holding{}, err
	}
	return t.holding(marks[:1])
}
