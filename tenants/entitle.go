package tenants

import (
	"strconv"
	"time"
)

// Standing is what a subscription allows a tenant at a moment, in one word.
type Standing string

// The closed list of standings.
const (
	StandingOpen   Standing = "open"   // no subscription: nothing is sold here, everything is allowed
	StandingTrial  Standing = "trial"  // until Until
	StandingPaid   Standing = "paid"   // or given by the operator
	StandingGrace  Standing = "grace"  // a payment failed; phones ring until Until, nothing can be added
	StandingEnding Standing = "ending" // cancelled, and paid until Until
	StandingOver   Standing = "over"   // nothing rings; nothing is lost
)

// lateness is how long a period counts as paid after its end if no renewal was confirmed: Stripe
// takes an hour to make the invoice, and its messages may be lost for days.
const lateness = 3 * 24 * time.Hour

// Warning is one sentence for a tenant's people, and what to do about it.
type Warning struct {
	Code string // such as "rings_80"
	Text string
	Cure string
	Hard bool // something is refused already

	Most int64 // the limit that Text names; 0 = none
}

// Entitlement is what a tenant may do right now. Ring, Device and Person return nil for yes, or a
// refusal that says what to do.
type Entitlement struct {
	Standing Standing
	Plan     Plan
	Usage    Usage
	Until    time.Time // when the standing ends; zero = not yet known, or never
	From, To time.Time // the month of usage
	Overage  bool      // rings past the limit are allowed

	refusal *Error // why nothing rings
	cut     bool   // the trial ends early; see Subscription.CutTrial
	now     time.Time
}

// Entitle returns what a subscription to a plan and the usage so far allow at a moment. It is a
// pure function. A nil s is a tenant without a subscription, which may do everything.
func Entitle(s *Subscription, p Plan, u Usage, now time.Time) Entitlement {
	if s == nil {
		return Entitlement{Standing: StandingOpen, now: now}
	}
	e := Entitlement{Plan: p, Usage: u, Overage: s.Overage && p.Overage > 0 && s.Live(), now: now}
	e.From, e.To = s.Month(now)
	e.Standing, e.Until, e.refusal = standing(*s, p.Grace, now)
	e.cut = s.WasCut()
	if e.Standing == StandingTrial {
		e.Overage = false // there is nobody to pay for it
	}
	return e
}

// standing looks at the subscription only, not at usage.
func standing(s Subscription, grace time.Duration, now time.Time) (Standing, time.Time, *Error) {
	trial := now.Before(s.TrialEnd)
	over := func(code, format string, args ...any) (Standing, time.Time, *Error) {
		return StandingOver, s.PeriodEnd, Refuse(Unpaid, code, format, args...)
	}
	switch s.State {
	case SubTrialing:
		switch {
		case trial && s.CancelAtEnd:
			return StandingEnding, s.TrialEnd, nil
		case trial:
			return StandingTrial, s.TrialEnd, nil
		case s.Stripe != "" && now.Before(s.TrialEnd.Add(lateness)): // Stripe is charging the card and has not told us yet
			return StandingPaid, time.Time{}, nil
		}
		return over("trial_ended", "The trial ended on %s, so no phone can be rung. Choose a plan under Billing; everything you set up is "+
			"still there.", formatDay(s.TrialEnd))
	case SubActive:
		return active(s, now)
	case SubPastDue:
		until := s.PastDueSince.Add(grace)
		if now.Before(until) {
			return StandingGrace, until, nil
		}
		return over("payment_failed", "A payment failed on %s and is still open, so no phone can be rung. Update the payment method under "+
			"Billing; phones can be rung again at once.", formatDay(s.PastDueSince))
	case SubCancelled:
		if now.Before(s.PeriodEnd) {
			return StandingEnding, s.PeriodEnd, nil
		}
		if s.WasCut() {
			return over("trial_card",
				"The card was used for a trial of another organisation, so this trial ended on %s and no phone can be "+
					"rung. Nothing was charged. Subscribe under Billing; everything you set up is still there.", formatDay(s.PeriodEnd))
		}
		return over("subscription_ended",
			"The subscription ended on %s, so no phone can be rung. Subscribe again under Billing; everything "+
				"you set up is still there.", formatDay(s.PeriodEnd))
	case SubPaused:
		return over("trial_ended",
			"The trial ended without a payment method, so the subscription is paused and no phone can be rung. Add a "+
				"payment method under Billing; everything you set up is still there.")
	case SubIncomplete:
		if trial {
			return StandingTrial, s.TrialEnd, nil
		}
		return over("payment_incomplete", "The first payment has not arrived, so no phone can be rung. Complete it under Billing.")
	}
	return over("subscription_unknown",
		"The state of the subscription is unknown, so no phone can be rung. Ask the operator of this server.")
}

// active returns the standing of a subscription that is paid, or given by the operator.
func active(s Subscription, now time.Time) (Standing, time.Time, *Error) {
	switch {
	case s.PeriodEnd.IsZero():
		return StandingPaid, time.Time{}, nil
	case s.CancelAtEnd && now.Before(s.PeriodEnd):
		return StandingEnding, s.PeriodEnd, nil
	case !s.CancelAtEnd && now.Before(s.PeriodEnd.Add(lateness)):
		return StandingPaid, s.PeriodEnd, nil
	case s.CancelAtEnd:
		return StandingOver, s.PeriodEnd, Refuse(Unpaid, "subscription_ended",
			"The subscription ended on %s, so no phone can be rung. Subscribe again under Billing; everything you set up is still "+
				"there.", formatDay(s.PeriodEnd))
	}
	return StandingOver, s.PeriodEnd, Refuse(Unpaid, "subscription_unconfirmed",
		"The subscription ran until %s and its renewal is not confirmed. Open Billing; the operator of this server may have to check "+
			"Stripe.", formatDay(s.PeriodEnd))
}

func formatMoment(t time.Time) string { return t.UTC().Format("2 January 2006 at 15:04 UTC") }

func formatDay(t time.Time) string { return t.UTC().Format("2 January 2006") }

// Ring returns nil if a phone may be rung, or a refusal. Test rings are not counted, so no quota
// stops them.
func (e Entitlement) Ring(test bool) error {
	switch {
	case e.refusal != nil:
		return e.refusal
	case test || e.Standing == StandingOpen:
		return nil
	case full(e.Usage.Calls, e.Plan.Calls):
		r := Refuse(TooMany, "calls_at_once",
			"The plan %s includes %s calls at once, and all are in use. Try again when one has ended, or "+
				"choose a larger plan under Billing.", e.Plan.Name, FormatCount(e.Plan.Calls))
		r.RetryAfter = 5 * time.Second
		return r
	case full(e.Usage.Rings, e.Plan.Rings) && !e.Overage:
		return Refuse(Unpaid, "ring_quota", "The %s rings of the plan %s are used up until %s. %s", FormatCount(e.Plan.Rings), e.Plan.Name,
			formatDay(e.To), e.more())
	}
	return nil
}

// more says how to get more rings.
func (e Entitlement) more() string {
	if e.Plan.Overage > 0 && e.Standing != StandingTrial {
		return "Under Billing, choose “Allow overage” or a larger plan."
	}
	return "Choose a larger plan under Billing."
}

// Device returns nil if one more device may be added, or a refusal. Existing devices may always
// register again.
func (e Entitlement) Device() error {
	return e.grow("device_quota", "devices", e.Usage.Devices, e.Plan.Devices)
}

// Person returns nil if one more person may be added, or a refusal.
func (e Entitlement) Person() error {
	return e.grow("people_quota", "people", e.Usage.People, e.Plan.People)
}

// grow refuses additions while a payment is owed: rings are the last thing to stop.
func (e Entitlement) grow(code, what string, used, most int64) error {
	switch {
	case e.Standing == StandingOpen:
		return nil
	case e.refusal != nil:
		return e.refusal
	case e.Standing == StandingGrace:
		return Refuse(Unpaid, "payment_failed", "A payment failed. Phones ring until %s; nothing can be added until the payment method is "+
			"updated under Billing.", formatDay(e.Until))
	case full(used, most):
		return Refuse(Unpaid, code, "The plan %s includes %s %s, and all are in use. Remove one, or choose a larger plan under Billing.",
			e.Plan.Name, FormatCount(most), what)
	}
	return nil
}

// Warnings returns what the tenant's people should know, the worst first.
func (e Entitlement) Warnings() []Warning {
	var out []Warning
	switch {
	case e.Standing == StandingOpen:
		return nil
	case e.refusal != nil:
		return []Warning{{Code: e.refusal.Code, Text: e.refusal.Msg, Hard: true}}
	case e.Standing == StandingGrace:
		out = append(out, Warning{Code: "payment_failed", Text: "A payment failed. Phones ring until " + formatDay(e.Until) + ".",
			Cure: "Update the payment method."})
	case e.cut:
		out = append(out, Warning{Code: "trial_card",
			Text: "This card was used for a trial of another organisation, so this trial ends on " +
				formatMoment(e.Until) + ". Nothing was charged.",
			Cure: "Subscribe before then to keep ringing phones; the first payment is due at once."})
	}
	used, most := e.Usage.Rings, e.Plan.Rings
	switch {
	case full(used, most) && e.Overage:
		out = append(out, Warning{Code: "rings_100", Text: "All " + FormatCount(most) +
			" rings of this month are used. Further rings cost " +
			"extra.", Cure: "A larger plan may be cheaper.", Most: most})
	case full(used, most):
		out = append(out, Warning{Code: "rings_100", Text: "All " + FormatCount(most) + " rings of this month are used. No phone is rung " +
			"until " + formatDay(e.To) + ".", Cure: e.more(), Hard: true, Most: most})
	case near(used, most):
		out = append(out, Warning{Code: "rings_80", Text: FormatCount(used) + " of " + FormatCount(most) + " rings of this month are used.",
			Cure: e.more(), Most: most})
	}
	for _, g := range []struct {
		code, what string
		used, most int64
	}{{"devices", "devices", e.Usage.Devices, e.Plan.Devices}, {"people", "people", e.Usage.People, e.Plan.People}} {
		switch {
		case full(g.used, g.most):
			out = append(out, Warning{Code: g.code + "_100", Text: "All " + FormatCount(g.most) + " " + g.what + " of the plan are in use.",
				Cure: "Remove one, or choose a larger plan.", Hard: true, Most: g.most})
		case near(g.used, g.most):
			out = append(out, Warning{Code: g.code + "_80",
				Text: FormatCount(g.used) + " of " + FormatCount(g.most) + " " + g.what + " of the plan are in use.",
				Cure: "Choose a larger plan soon.", Most: g.most})
		}
	}
	return out
}

// TrialDays returns how many days of the trial are left, the last one included; 0 without a trial.
func (e Entitlement) TrialDays() int {
	if e.Standing != StandingTrial {
		return 0
	}
	const d = 24 * time.Hour
	return int((e.Until.Sub(e.now) + d - 1) / d)
}

// Refusal returns why nothing may be rung at all; nil if rings are allowed.
func (e Entitlement) Refusal() error {
	if e.refusal == nil {
		return nil
	}
	return e.refusal
}

func full(used, most int64) bool { return most > 0 && used >= most }

// near reports whether 80% of a limit are used.
func near(used, most int64) bool { return most > 0 && used*5 >= most*4 }

// FormatCount writes a number with commas between thousands, as every page, refusal and mail does:
// "12,804".
func FormatCount[N int | int64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
