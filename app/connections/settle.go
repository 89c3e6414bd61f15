package connections

import (
	"context"
	"time"

	"carillon/tenants/store"
)

// settle writes down how attempts went, many at a time, until there are no more.
func (e *Engine) settle() {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for first := range e.outcomes {
		batch := []outcome{first}
		pause.Reset(settlePause)
		for more := true; more && len(batch) < settleMost; {
			select {
			case o, open := <-e.outcomes:
				if more = open; open {
					batch = append(batch, o)
				}
			case <-pause.C:
				more = false
			}
		}
		e.record(batch)
	}
}

// record settles a batch in one commit. What cannot be written comes back when its claim ends.
func (e *Engine) record(batch []outcome) {
	by := map[store.DueConnection]*store.Attempted{}
	var all []store.Attempted
	for _, o := range batch {
		e.count(o)
		x := by[o.line]
		if x == nil {
			x = &store.Attempted{DueConnection: o.line}
			by[o.line] = x
		}
		x.Outcomes, x.Gone = append(x.Outcomes, o.Outcome), x.Gone || o.gone
	}
	for _, x := range by {
		all = append(all, *x)
	}
	e.writes.Lock()
	freed, err := e.Store.Jobs().Settle(context.WithoutCancel(e.attempts), all)
	e.writes.Unlock()
	if err != nil {
		e.Log.Error("record deliveries", "connections", len(all), "err", err)
	}
	e.mu.Lock()
	for d := range by {
		e.trims[d] = true
		if l := e.lines[d.Connection]; l != nil {
			l.gone = false // it has ended, or its end could not be written
		}
	}
	e.mu.Unlock()
	e.hint(freed...)
}

func (e *Engine) count(o outcome) {
	if e.Meter == nil {
		return
	}
	word := "delivered"
	switch {
	case o.Attempt.Good:
	case o.Attempt.Status == 0:
		word = "no_answer"
	default:
		word = "refused"
	}
	e.Meter.Delivered(o.role, word, o.Attempt.Took)
}
