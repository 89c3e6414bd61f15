package switchboard

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"carillon/tenants"
)

// limit lets one name through burst times at once and then once every so often.
type limit struct {
	name  string
	every time.Duration
	burst int
}

// perSecond is the limit of so many a second, and twice as many at once.
func perSecond(name string, n float64) limit {
	return limit{name, time.Duration(float64(time.Second) / n), max(1, int(2*n))}
}

// limits are token buckets by name, of this process. The zero value is ready.
type limits struct {
	mu    sync.Mutex // guards both
	spent map[string]time.Time
	swept time.Time
}

// take takes a token of each, or of none and says which one has none and how long it will be until it has.
func (l *limits) take(now time.Time, all ...limit) (which string, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	for _, x := range all {
		if w := l.next(now, x).Sub(now.Add(x.every * time.Duration(x.burst))); w > wait {
			which, wait = x.name, w
		}
	}
	if wait > 0 {
		return which, wait
	}
	for _, x := range all {
		l.spent[x.name] = l.next(now, x)
	}
	return "", 0
}

// give gives the tokens back.
func (l *limits) give(all ...limit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, x := range all {
		if t, ok := l.spent[x.name]; ok {
			l.spent[x.name] = t.Add(-x.every)
		}
	}
}

// next is until when the tokens would be spent with one more taken. Called with mu held.
func (l *limits) next(now time.Time, x limit) time.Time {
	t := l.spent[x.name]
	if t.Before(now) {
		t = now
	}
	return t.Add(x.every)
}

// sweep forgets names whose tokens are all back. Called with mu held.
func (l *limits) sweep(now time.Time) {
	if l.spent == nil {
		l.spent = map[string]time.Time{}
	}
	if d := now.Sub(l.swept); d >= 0 && d < time.Minute {
		return
	}
	l.swept = now
	for name, t := range l.spent {
		if !t.After(now) {
			delete(l.spent, name)
		}
	}
}

// rates are the limits on a caller's rings: the tenant's, and the key's own.
func (b *Board) rates(c Caller) []limit {
	var all []limit
	if b.RingsPerSecond > 0 {
		all = append(all, perSecond("rings "+string(c.Tenant.ID), b.RingsPerSecond))
	}
	if c.PerSecond > 0 && c.Kind == "key" {
		all = append(all, perSecond("key "+c.ID, float64(c.PerSecond)))
	}
	return all
}

// admit refuses a caller who rings too fast. It costs no read and no write, so that one tenant's flood is nobody else's wait.
func (b *Board) admit(c Caller) error {
	which, wait := b.limits.take(b.Now(), b.rates(c)...)
	if wait == 0 {
		return nil
	}
	msg := fmt.Sprintf("This account rings more than %g times a second. Wait a moment and try again.", b.RingsPerSecond)
	if strings.HasPrefix(which, "key ") {
		msg = fmt.Sprintf("This key rings more than %s times a second. Wait a moment and try again.", tenants.Count(c.PerSecond))
	}
	if b.Meter != nil {
		b.Meter.Limited()
	}
	return &tenants.Error{Kind: tenants.TooMany, Code: "too_many_rings", Msg: msg, RetryAfter: wait}
}

// readmit takes back what admit counted: a repeat is no ring.
func (b *Board) readmit(c Caller) { b.limits.give(b.rates(c)...) }
