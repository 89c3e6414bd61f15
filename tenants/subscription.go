package tenants

import "time"

// SubscriptionState is where a subscription stands, in the words of whoever keeps it.
type SubscriptionState string

// The closed list of states.
const (
	SubTrialing   SubscriptionState = "trialing"
	SubActive     SubscriptionState = "active"
	SubPastDue    SubscriptionState = "past_due"   // a payment failed; PastDueSince says when
	SubCancelled  SubscriptionState = "cancelled"  // paid until PeriodEnd
	SubPaused     SubscriptionState = "paused"     // the trial ended without a card
	SubIncomplete SubscriptionState = "incomplete" // the first payment has not come
)

// Subscription is what a tenant has bought, is trying, or was given. A tenant without one may do everything: nobody sells there.
type Subscription struct {
	Tenant       TenantID
	Plan         string
	State        SubscriptionState
	Interval     Interval
	PeriodStart  time.Time // rings are counted by months from here
	PeriodEnd    time.Time // paid until; zero = no end
	TrialEnd     time.Time // zero = no trial
	TrialCut     time.Time // when the trial ends of a card that had one before, with another tenant; zero = it was not cut
	CancelAtEnd  bool      // ends with the period
	PastDueSince time.Time
	Overage      bool      // rings past the limit go on, and cost
	Customer     string    // Stripe's id of the tenant; empty = Stripe does not know it
	Stripe       string    // Stripe's id of the subscription; empty = a trial of ours, or given by the operator
	SyncedAt     time.Time // when what Stripe says was asked for last
	CreatedAt    time.Time
}

// ByHand reports whether the operator gave it.
func (s Subscription) ByHand() bool { return s.Stripe == "" && s.State == SubActive }

// Live reports whether Stripe keeps a subscription that is not over.
func (s Subscription) Live() bool {
	return s.Stripe != "" && s.State != SubCancelled && s.State != SubIncomplete
}

// TrialNotice is how long a trial goes on whose card had its trial before, with another tenant: phones ring while people read why.
const TrialNotice = 24 * time.Hour

// CutTrial ends a trial early, because its card had one before. It ends a day from now, and for good. One with no more than that left
// runs to its own end.
func (s *Subscription) CutTrial(now time.Time) {
	if s.State == SubTrialing && s.TrialCut.IsZero() && s.TrialEnd.Sub(now) > TrialNotice {
		s.TrialCut = now.Add(TrialNotice)
		s.EndCut()
	}
}

// EndCut writes what a trial that was cut comes to: it works until then, and nothing follows.
func (s *Subscription) EndCut() {
	s.State, s.TrialEnd, s.PeriodEnd, s.CancelAtEnd = SubCancelled, s.TrialCut, s.TrialCut, false
}

// WasCut reports whether the subscription is a trial that was cut, and nothing that was bought since.
func (s Subscription) WasCut() bool {
	return s.State == SubCancelled && !s.TrialCut.IsZero() && s.PeriodEnd.Equal(s.TrialCut)
}

// CutNotice tells the tenant's people what a cut means and what to do.
func (s Subscription) CutNotice() string {
	return "The card that was added had its trial with another organisation, and there is one trial for each card. So this one ends on " + formatMoment(s.TrialCut) +
		"; until then phones ring. Nothing was charged, and everything you set up stays. To keep phones ringing, subscribe under Billing: the first payment is due at once."
}

// Month is the month of usage that holds the moment: [from, to). The subscription's own period is one where it is no longer than a
// month; a year is cut into months that begin on the day of the month on which it began, or on the month's last.
func (s Subscription) Month(at time.Time) (from, to time.Time) {
	anchor := s.PeriodStart.UTC()
	at = at.UTC()
	if !s.PeriodEnd.IsZero() && s.Interval != Yearly {
		if !at.Before(anchor) && at.Before(s.PeriodEnd) && s.PeriodEnd.Sub(anchor) <= 31*24*time.Hour+time.Hour {
			return anchor, s.PeriodEnd.UTC()
		}
		if !at.Before(s.PeriodEnd) && s.PeriodEnd.After(anchor) && s.State != SubTrialing {
			anchor = s.PeriodEnd.UTC() // renewed, and nobody has told us yet
		}
	}
	n := (at.Year()-anchor.Year())*12 + int(at.Month()-anchor.Month())
	if addMonths(anchor, n).After(at) {
		n--
	}
	return addMonths(anchor, n), addMonths(anchor, n+1)
}

// addMonths is the same day n months later, or that month's last day: the 31st of January plus one is the 28th or 29th of February.
func addMonths(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC).AddDate(0, n, 0)
	last := first.AddDate(0, 1, -1).Day()
	return time.Date(first.Year(), first.Month(), min(t.Day(), last), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// Usage is what a tenant uses. What is not known is 0.
type Usage struct {
	Rings   int64 // pushed in this month of usage
	Devices int64
	People  int64
	Calls   int64 // at once
}
