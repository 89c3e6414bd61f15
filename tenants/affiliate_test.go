package tenants

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func terms() Affiliate { return BuiltinPlans().Affiliate }

func TestCommissionIsOfNetPaidRoundedDown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		p    Payment
		want int64
	}{
		"Starter":           {Payment{Cents: 14900, Untaxed: 14900}, 3278},
		"Growth":            {Payment{Cents: 49900, Untaxed: 49900}, 10978},
		"Scale":             {Payment{Cents: 149900, Untaxed: 149900}, 32978},
		"with 19 % tax":     {Payment{Cents: 17731, Untaxed: 14900}, 3278},
		"nothing paid":      {Payment{}, 0},
		"a trial's invoice": {Payment{Cents: 0, Untaxed: 0}, 0},
		"returned":          {Payment{Cents: 14900, Untaxed: 14900, Returned: 14900}, 0},
		"returned twice":    {Payment{Cents: 14900, Untaxed: 14900, Returned: 29800}, 0},
		"a third returned, tax with it": {Payment{Cents: 17731, Untaxed: 14900, Returned: 5910},
			2185}, // 11,821 kept, 9,933.61 of it untaxed: 9,933
		"one cent":                        {Payment{Cents: 1, Untaxed: 1}, 0},
		"five cents":                      {Payment{Cents: 5, Untaxed: 5}, 1}, // 1.1
		"a return below nothing":          {Payment{Cents: 500, Untaxed: 500, Returned: -1}, 110},
		"more untaxed than there is":      {Payment{Cents: 500, Untaxed: 900}, 110},
		"more than sums have room for":    {Payment{Cents: math.MaxInt64, Untaxed: math.MaxInt64}, 2029141848108050677},
		"a negative bill, such as credit": {Payment{Cents: -500, Untaxed: -500}, 0},
	} {
		if got := terms().Commission(c.p); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestCommissionEndsTwelveMonthsAfterTheFirstPayment(t *testing.T) {
	t.Parallel()
	r := Referral{Terms: terms()}
	var all []Payment
	for m := range 14 {
		all = append(all, Payment{ID: fmt.Sprint(m), At: noon.AddDate(0, m, 0), Cents: 14900, Untaxed: 14900})
	}
	all = append(all, Payment{ID: "trial", At: noon.AddDate(0, -1, 0)}) // nothing paid: it begins nothing
	var sum int64
	for _, p := range all {
		sum += r.Due(p, all)
	}
	if sum != 12*3278 {
		t.Errorf("fourteen months earn %d, want twelve times 3278", sum)
	}
	all[0].Returned = all[0].Cents // the first is refunded: its month earns nothing, and the year does not move
	if r.Until(all) != noon.AddDate(1, 0, 0) || r.Due(all[0], all) != 0 || r.Due(all[12], all) != 0 {
		t.Errorf("a refund moved the year to %v", r.Until(all))
	}
	if last := (Payment{At: noon.AddDate(1, 0, 0).Add(-time.Microsecond), Cents: 100, Untaxed: 100}); r.Due(last, all) != 22 {
		t.Error("the last moment of the year earns nothing")
	}
	if r.Refused = RefusedCard; r.Due(all[1], all) != 0 {
		t.Error("a refused referral earns")
	}
	if none := (Referral{Terms: terms()}); !none.Until(nil).IsZero() {
		t.Error("a year of nothing")
	}
}

func TestEntryIsHeldThenPayableThenPaid(t *testing.T) {
	t.Parallel()
	r := Referral{ID: "r", Partner: "p", Terms: terms()}
	pay := Payment{ID: "in_1", At: noon, Cents: 14900, Untaxed: 14900}
	l := &ledger{r: r}
	l.settle(pay)
	payable := noon.AddDate(0, 0, 30)
	for at, want := range map[time.Time]Balance{noon: {Held: 3278}, payable.Add(-1): {Held: 3278}, payable: {Payable: 3278}} {
		if got := BalanceOf(l.lines, at); got != want {
			t.Errorf("%v: %+v", at, got)
		}
	}
	pay.Returned = 7450
	l.settle(pay)
	if got := BalanceOf(l.lines, noon); got != (Balance{Held: 1639}) || l.lines[1].Kind != EntryClawback {
		t.Errorf("a refund during the hold: %+v %+v", got, l.lines[1])
	}
	l.pay(t, payable)
	pay.Returned = 14900 // after it was paid out
	l.settle(pay)
	if got := BalanceOf(l.lines, payable); got != (Balance{Paid: 1639, Owed: 1639}) {
		t.Errorf("a clawback after the payout: %+v", got)
	}
	if l.pay(t, payable) {
		t.Error("a payout of nothing")
	}
	second := Payment{ID: "in_2", At: noon.AddDate(0, 1, 0), Cents: 14900, Untaxed: 14900}
	l.settle(pay, second)
	later := second.At.AddDate(0, 0, 30)
	if got := BalanceOf(l.lines, later); got != (Balance{Paid: 1639, Payable: 1639}) {
		t.Errorf("the next commission, less what is owed: %+v", got)
	}
	l.pay(t, later)
	if l.paid != 3278 || BalanceOf(l.lines, later) != (Balance{Paid: 3278}) {
		t.Errorf("paid %d, %+v", l.paid, BalanceOf(l.lines, later))
	}
	pay.Returned = 0 // the bank gave it back
	l.settle(pay, second)
	if last := l.lines[len(l.lines)-1]; last.Kind != EntryRestored || last.Cents != 3278 {
		t.Errorf("%+v", last)
	}
}

// ledger is one that tests keep: lines are added, payouts mark them.
type ledger struct {
	r     Referral
	lines []Entry
	paid  int64
	outs  int
}

func (l *ledger) booked() map[string]int64 {
	sum := map[string]int64{}
	for _, e := range l.lines {
		sum[e.Payment] += e.Cents
	}
	return sum
}

func (l *ledger) settle(all ...Payment) {
	for _, e := range l.r.Settle(all, l.booked()) {
		e.ID = EntryID(fmt.Sprint(len(l.lines)))
		l.lines = append(l.lines, e)
	}
}

// pay pays out what is payable; false = nothing is.
func (l *ledger) pay(t *testing.T, now time.Time) bool {
	t.Helper()
	before := BalanceOf(l.lines, now)
	cents := l.mark(now)
	if cents != before.Payable {
		t.Fatalf("a payout of %d of %+v", cents, before)
	}
	return cents > 0
}

// mark makes a payout of every line that is payable, and gives its sum.
func (l *ledger) mark(now time.Time) int64 {
	in, cents := Payable(l.lines, now)
	l.outs++
	for _, e := range in {
		i := slices.IndexFunc(l.lines, func(have Entry) bool { return have == e })
		l.lines[i].Payout = PayoutID(fmt.Sprint(l.outs))
	}
	l.paid += cents
	return cents
}

// TestLedgerIsTheSumOfCommissions: payments, partial refunds, disputes that are won or lost,
// repeats, payouts and a refusal, known in any order and any number of times.
func TestLedgerIsTheSumOfCommissions(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3000) {
		dice := rand.New(rand.NewPCG(seed, 7))
		w := newMonths(dice)
		l := &ledger{r: Referral{ID: "r", Partner: "p", Terms: terms()}}
		for range 60 {
			w.step(l)
			l.hold(t, w.now, seed)
		}
		w.known = slices.Clone(w.true)
		for range 3 { // told again and again
			l.settle(w.known...)
		}
		l.hold(t, w.now, seed)
		var want int64
		for _, p := range w.true {
			want += l.r.Due(p, w.true)
		}
		if got := total(l.lines); got != want {
			t.Fatalf("seed %d: the ledger is %d, commissions are %d", seed, got, want)
		}
		far := w.now.AddDate(2, 0, 0)
		l.pay(t, far)
		if b := BalanceOf(l.lines, far); b.Held != 0 || b.Payable != 0 || b.Paid-b.Owed != want || b.Paid != l.paid {
			t.Fatalf("seed %d: at the end %+v, paid %d, want %d", seed, b, l.paid, want)
		}
	}
}

func total(lines []Entry) (n int64) {
	for _, e := range lines {
		n += e.Cents
	}
	return n
}

// hold looks at what must always be so.
func (l *ledger) hold(t *testing.T, now time.Time, seed uint64) {
	t.Helper()
	for p, sum := range l.booked() {
		if sum < 0 {
			t.Fatalf("seed %d: payment %s is clawed back below nothing: %d", seed, p, sum)
		}
	}
	b := BalanceOf(l.lines, now)
	if b.Held < 0 || b.Payable < 0 || b.Owed < 0 || b.Payable > 0 && b.Owed > 0 {
		t.Fatalf("seed %d: %+v", seed, b)
	}
	if b.Paid != l.paid || b.Held+b.Payable+b.Paid-b.Owed != total(l.lines) {
		t.Fatalf("seed %d: %+v, paid %d, ledger %d", seed, b, l.paid, total(l.lines))
	}
}

// months is the true state of a customer's payments, and what is known of it.
type months struct {
	dice  *rand.Rand
	now   time.Time
	true  []Payment
	known []Payment
}

func newMonths(dice *rand.Rand) *months {
	w := &months{dice: dice, now: noon}
	for m := range 2 + dice.IntN(14) {
		cents := int64(dice.IntN(200000))
		w.true = append(w.true, Payment{ID: fmt.Sprintf("in_%02d", m), At: noon.AddDate(0, m, 0), Cents: cents,
			Untaxed: cents - int64(dice.IntN(int(cents/5)+1))})
	}
	return w
}

// step lets something happen, or something become known, or money leave.
func (w *months) step(l *ledger) {
	switch p := &w.true[w.dice.IntN(len(w.true))]; w.dice.IntN(8) {
	case 0, 1: // refunded a little more, at most whole
		p.Returned = min(p.Cents, p.Returned+w.dice.Int64N(p.Cents+1))
	case 2: // disputed, or charged back
		p.Returned = p.Cents
	case 3: // the dispute was won, or the refund failed
		p.Returned = 0
	case 4:
		w.now = w.now.AddDate(0, 0, w.dice.IntN(40))
	case 5:
		l.mark(w.now)
	default:
		w.learn(*p)
		l.settle(w.known...)
	}
}

// learn makes one payment known as it is now, in whatever order.
func (w *months) learn(p Payment) {
	for i := range w.known {
		if w.known[i].ID == p.ID {
			w.known[i] = p
			return
		}
	}
	w.known = append(w.known, p)
}

func TestShareRoundsDownAndNeverOverflows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ n, part, whole, want int64 }{
		{10, 1, 3, 3}, {10, 2, 3, 6}, {10, 3, 3, 10}, {10, 4, 3, 10}, {0, 1, 3, 0}, {10, 0, 3, 0}, {-5, 1, 3, 0}, {5, -1, 3, 0},
		{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64, math.MaxInt64 - 1},
	} {
		if got := Share(c.n, c.part, c.whole); got != c.want {
			t.Errorf("%d × %d ÷ %d is %d, want %d", c.n, c.part, c.whole, got, c.want)
		}
	}
}

// A commission and its clawback, both payable, are no payout: nothing would be paid.
func TestNothingPayableIsNoPayout(t *testing.T) {
	t.Parallel()
	line := func(cents int64) Entry { return Entry{Cents: cents, PayableAt: noon} }
	for name, lines := range map[string][]Entry{"none": nil, "they cancel out": {line(5), line(-5)}, "a debt": {line(5), line(-6)}} {
		if in, cents := Payable(lines, noon); in != nil || cents != 0 {
			t.Errorf("%s: %d lines and %d cents", name, len(in), cents)
		}
	}
	if in, cents := Payable([]Entry{line(5), line(-4)}, noon); len(in) != 2 || cents != 1 {
		t.Errorf("one cent left: %d lines and %d cents", len(in), cents)
	}
}

func TestFormatCents(t *testing.T) {
	t.Parallel()
	for cents, want := range map[int64]string{0: "0.00", 1: "0.01", -1: "-0.01", 99: "0.99", 100: "1.00", 1098: "10.98", -1098: "-10.98",
		123456789: "1234567.89"} {
		if got := FormatCents(cents); got != want {
			t.Errorf("%d is written %q, want %q", cents, got, want)
		}
	}
}
