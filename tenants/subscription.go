package tenants

import "time"

// SubscriptionState is the state of a subscription.
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

// Subscription is what a tenant has bought, is trying, or was given. A tenant without one may do
// everything.
type Subscription struct {
	Tenant       TenantID
	Plan         string
	State        SubscriptionState
	Interval     Interval
	PeriodStart  time.Time // rings are counted by months from here
	PeriodEnd    time.Time // paid until; zero = no end
	TrialEnd     time.Time // zero = no trial
	TrialCut     time.Time // when the trial ends early because its card had one with another tenant; zero = it does not
	CancelAtEnd  bool      // ends with the period
	PastDueSince time.Time
	Overage      bool      // rings past the limit are allowed, and cost extra
	Customer     string    // Stripe's id of the tenant; empty = Stripe does not know it
	Stripe       string    // Stripe's id of the subscription; empty = a trial of ours, or given by the operator
	Quantity     int64     // how many of the plan Stripe bills; 0 = Stripe does not bill it
	SyncedAt     time.Time // when Stripe was last asked for it
	CreatedAt    time.Time
}

// ByHand reports whether the operator assigned it.
func (s Subscription) ByHand() bool { return s.Stripe == "" && s.State == SubActive }

// Live reports whether Stripe has this subscription and it is not over.
func (s Subscription) Live() bool {
	return s.Stripe != "" && s.State != SubCancelled && s.State != SubIncomplete
}

// OddQuantity reports whether Stripe bills another quantity than one. The limits are those of one
// plan, so somebody changed the subscription at Stripe by hand.
func (s Subscription) OddQuantity() bool { return s.Live() && s.Quantity != 1 }

// TrialNotice is how long a trial still runs after it is cut because its card had a trial with
// another tenant. People have this time to react.
const TrialNotice = 24 * time.Hour

// CutTrial ends a trial early, because its card had one before. It ends a day from now and is not
// followed by a subscription. A trial that ends within a day anyway is left as it is.
func (s *Subscription) CutTrial(now time.Time) {
	if s.State == SubTrialing && s.TrialCut.IsZero() && s.TrialEnd.Sub(now) > TrialNotice {
		s.TrialCut = now.Add(TrialNotice)
		s.EndCut()
	}
}

// EndCut sets the fields of a trial that was cut: it ends at TrialCut, and nothing follows.
func (s *Subscription) EndCut() {
	s.State, s.TrialEnd, s.PeriodEnd, s.CancelAtEnd = SubCancelled, s.TrialCut, s.TrialCut, false
}

// WasCut reports whether the subscription is a trial that was cut, with nothing bought since.
func (s Subscription) WasCut() bool {
	return s.State == SubCancelled && !s.TrialCut.IsZero() && s.PeriodEnd.Equal(s.TrialCut)
}

// CutNotice returns the text that tells the tenant's people about the cut and what to do.
func (s Subscription) CutNotice() string {
	return "The added card was used for a trial of another organisation, and each card can have one trial. So this one ends on " +
		formatMoment(s.TrialCut) +
		"; until then phones ring. Nothing was charged, and everything you set up stays. To keep phones ringing, subscribe under " +
		"Billing: the " +
		"first payment is due at once."
}

// Month returns the month of usage that holds a moment: [from, to). It is the subscription's own
// period if that is no longer than a month. A year is divided into months that begin on the day of
// the month on which the year began, or on the last day of a shorter month.
func (s Subscription) Month(at time.Time) (from, to time.Time) {
	anchor := s.PeriodStart.UTC()
	at = at.UTC()
	if !s.PeriodEnd.IsZero() && s.Interval != Yearly {
		if !at.Before(anchor) && at.Before(s.PeriodEnd) && s.PeriodEnd.Sub(anchor) <= 31*24*time.Hour+time.Hour {
			return anchor, s.PeriodEnd.UTC()
		}
		if !at.Before(s.PeriodEnd) && s.PeriodEnd.After(anchor) && s.State != SubTrialing {
			anchor = s.PeriodEnd.UTC() // renewed, and Stripe's message has not arrived yet
		}
	}
	n := (at.Year()-anchor.Year())*12 + int(at.Month()-anchor.Month())
	if addMonths(anchor, n).After(at) {
		n--
	}
	return addMonths(anchor, n), addMonths(anchor, n+1)
}

// addMonths returns the same day n months later, or the last day of a shorter month: 31 January
// plus one month is 28 or 29 February.
func addMonths(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC).AddDate(0, n, 0)
	last := first.AddDate(0, 1, -1).Day()
	return time.Date(first.Year(), first.Month(), min(t.Day(), last), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// Usage is what a tenant uses. A number that is not known is 0.
type Usage struct {
	Rings   int64 // pushed in this month of usage
	Devices int64
	People  int64
	Calls   int64 // at once
}
