package tenants

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Refusal is why a referral earns nothing; empty = it earns.
type Refusal string

// The reasons: each is a way in which partners refer themselves.
const (
	RefusedPerson  Refusal = "person"  // the partner's own account signed up
	RefusedAddress Refusal = "address" // the partner's own mail address signed up
	RefusedCompany Refusal = "company" // a colleague at the partner's company signed up
	RefusedCard    Refusal = "card"    // a card of the partner's own account pays
)

// Referral is a tenant that a partner referred. Its terms are those of the day on which the trial
// began; a later change of the plans file does not affect it.
type Referral struct {
	ID        ReferralID // random: the only thing that the partner sees of the tenant
	Partner   PartnerID
	Tenant    TenantID
	Terms     Affiliate
	Refused   Refusal
	AskedAt   time.Time // when Stripe was last asked what was paid; zero = never
	CreatedAt time.Time
}

// Payment is one payment of a referred tenant, as Stripe shows it now.
type Payment struct {
	ID       string    // of the invoice
	At       time.Time // when it was paid
	Cents    int64     // paid after discounts and credit, with tax
	Untaxed  int64     // of Cents, without tax
	Returned int64     // of Cents, refunded or taken back by a dispute
}

// Net returns the cents left of a payment after tax and refunds. A refund takes back its share of
// the tax. The result is rounded down.
func (p Payment) Net() int64 {
	kept := p.Cents - min(max(p.Returned, 0), p.Cents)
	if kept <= 0 || p.Untaxed <= 0 {
		return 0
	}
	return Share(min(p.Untaxed, p.Cents), kept, p.Cents)
}

// Commission returns the partner's percentage of a payment's net, in cents, rounded down.
func (a Affiliate) Commission(p Payment) int64 { return Share(p.Net(), a.Percent, 100) }

// Share returns n × part ÷ whole, rounded down, without overflow. It returns 0 if n or part is 0 or
// less, and n if part is whole or more.
func Share(n, part, whole int64) int64 {
	if n <= 0 || part <= 0 {
		return 0
	}
	if part >= whole {
		return n
	}
	high, low := bits.Mul64(uint64(n), uint64(part))
	q, _ := bits.Div64(high, low, uint64(whole))
	return int64(q)
}

// Until returns the time from which payments earn nothing: Terms.Months after the first payment,
// even if that one was refunded. It is zero before the first payment.
func (r Referral) Until(all []Payment) time.Time {
	var first time.Time
	for _, p := range all {
		if p.Cents > 0 && (first.IsZero() || p.At.Before(first)) {
			first = p.At
		}
	}
	if first.IsZero() {
		return first
	}
	return first.AddDate(0, r.Terms.Months, 0)
}

// Due returns the commission for a payment in cents, given all payments of the referral.
func (r Referral) Due(p Payment, all []Payment) int64 {
	if r.Refused != "" || !p.At.Before(r.Until(all)) {
		return 0
	}
	return r.Terms.Commission(p)
}

// EntryKind is the reason for a line of the ledger.
type EntryKind string

// The kinds of lines.
const (
	EntryCommission EntryKind = "commission" // of a payment; above 0
	EntryClawback   EntryKind = "clawback"   // the payment was returned, in part or whole; below 0
	EntryRestored   EntryKind = "restored"   // a dispute was won, or a refund did not arrive; above 0
)

// Entry is one line of the ledger. Lines are added and never changed, except that Payout is set
// once.
type Entry struct {
	ID        EntryID
	Partner   PartnerID
	Referral  ReferralID
	Payment   string // id of the invoice
	Kind      EntryKind
	Cents     int64
	PayableAt time.Time
	CreatedAt time.Time
	Payout    PayoutID // the payout that covered it; empty = not paid yet
}

// EntryState is how far a line of the ledger has come.
type EntryState string

// The states of a line, in their order.
const (
	EntryHeld    EntryState = "held"
	EntryPayable EntryState = "payable"
	EntryPaid    EntryState = "paid"
)

// State returns the state of the line at a moment.
func (e Entry) State(now time.Time) EntryState {
	switch {
	case e.Payout != "":
		return EntryPaid
	case now.Before(e.PayableAt):
		return EntryHeld
	}
	return EntryPayable
}

// Settle returns the lines that the ledger lacks: for each payment, what it earns minus what is
// booked, the earliest payment first. booked is the sum of a payment's lines so far; a payment
// without lines has no entry. The lines of each payment add up to Due, in whatever order payments,
// refunds and disputes become known and however often. A line becomes payable together with the
// commission of its payment, so a refund during the hold meets a commission that is still held.
func (r Referral) Settle(all []Payment, booked map[string]int64) (lines []Entry) {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b Payment) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	for _, p := range sorted {
		have, known := booked[p.ID]
		more := r.Due(p, all) - have
		e := Entry{Partner: r.Partner, Referral: r.ID, Payment: p.ID, Cents: more, PayableAt: p.At.AddDate(0, 0, r.Terms.HoldDays)}
		switch {
		case more == 0:
			continue
		case more < 0:
			e.Kind = EntryClawback
		case known:
			e.Kind = EntryRestored
		default:
			e.Kind = EntryCommission
		}
		lines = append(lines, e)
	}
	return lines
}

// Balance is a partner's ledger in four sums of cents, none below 0.
type Balance struct {
	Held    int64
	Payable int64
	Paid    int64
	Owed    int64 // by the partner: refunded after the payout; deducted from later commissions
}

// BalanceOf sums a partner's lines.
func BalanceOf(lines []Entry, now time.Time) (b Balance) {
	var open int64
	for _, e := range lines {
		switch e.State(now) {
		case EntryHeld:
			b.Held += e.Cents
		case EntryPayable:
			open += e.Cents
		case EntryPaid:
			b.Paid += e.Cents
		}
	}
	b.Payable, b.Owed = max(0, open), max(0, -open)
	return b
}

// Payout is a payment of the operator to a partner, made outside of Carillon. It covers all lines
// that were payable then; no line is paid twice.
type Payout struct {
	ID        PayoutID
	Partner   PartnerID
	Cents     int64  // above 0
	Reference string // the operator's own, such as the bank's; one payout each
	CreatedAt time.Time
}

// Payable returns the lines that a payout at a moment covers, and their sum in cents. It returns
// none if the sum is 0 or less: a debt waits for later commissions.
func Payable(lines []Entry, now time.Time) (in []Entry, cents int64) {
	for _, e := range lines {
		if e.State(now) == EntryPayable {
			in, cents = append(in, e), cents+e.Cents
		}
	}
	if cents <= 0 {
		return nil, 0
	}
	return in, cents
}

// FormatCents writes a sum of cents for programs: "-10.98".
func FormatCents(cents int64) string {
	sign := ""
	if cents < 0 {
		sign, cents = "-", -cents
	}
	return fmt.Sprintf("%s%d.%02d", sign, cents/100, cents%100)
}

// ParseCents reads a sum as FormatCents writes it: "109.78". It refuses zero and less.
func ParseCents(s string) (int64, error) {
	whole, rest, ok := strings.Cut(s, ".")
	if ok && whole != "" && len(rest) == 2 && len(whole) <= 15 {
		if n, err := strconv.ParseUint(whole+rest, 10, 63); err == nil && n > 0 {
			return int64(n), nil
		}
	}
	return 0, fmt.Errorf("%q is not a sum; give it as the list prints it, such as 109.78", s)
}
