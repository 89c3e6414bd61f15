package stripetest

import "time"

// dunning is how long a failed payment is retried before the subscription is cancelled.
const dunning = 21 * 24 * time.Hour

// Advance moves the clock and does everything that falls due: trials end, periods renew or end,
// cards fail.
func (s *Stripe) Advance(d time.Duration) {
	defer s.tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.move(s.now.Add(d))
}

// tick moves the clock by the time that has passed outside. Called with mu held.
func (s *Stripe) tick() {
	if d := time.Since(s.ticked).Truncate(time.Second); s.c.Tick && d > 0 {
		s.ticked = s.ticked.Add(d)
		s.move(s.now.Add(d))
	}
}

func (s *Stripe) move(to time.Time) {
	for {
		x, at := s.due(to)
		if x == nil {
			break
		}
		s.now = at
		s.fall(x)
	}
	s.now = to
}

// due returns the next subscription that something happens to, and when.
func (s *Stripe) due(to time.Time) (first *subscription, at time.Time) {
	for _, x := range s.subs {
		when := x.end
		switch x.status {
		case "active", "trialing":
		case "past_due":
			when = x.owed.Add(dunning)
		default:
			continue
		}
		if !when.After(to) && (first == nil || when.Before(at)) {
			first, at = x, when
		}
	}
	return first, at
}

func (s *Stripe) fall(x *subscription) {
	switch {
	case x.status == "past_due":
		s.end(x, "payment_failed")
		return
	case x.cancelAtEnd:
		s.end(x, "cancellation_requested")
		return
	}
	used := int64(0)
	if x.status == "active" {
		used = s.used(x.customer, x.start, x.end)
	}
	x.status = "active"
	x.start, x.end = x.end, s.next(x, x.end)
	i := s.bill(x, s.charge(x, used), !s.broken[x.customer])
	if s.broken[x.customer] {
		x.status, x.owed = "past_due", s.now
		s.happened("invoice.payment_failed", s.showInvoice(i))
	} else {
		s.happened("invoice.paid", s.showInvoice(i))
	}
	s.happened("customer.subscription.updated", s.showSub(x))
}
