package tenants_test

import (
	"fmt"
	"strings"
	"time"

	"carillon/tenants"
)

// noon is a fixed moment for the examples.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// A device whose app has no credential cannot be rung; the refusal says what to do.
func ExampleDecide() {
	err := tenants.Decide(tenants.Question{
		Tenant: tenants.Tenant{State: tenants.TenantActive},
		Device: tenants.Device{State: tenants.DeviceActive, Bundle: "com.example.clinic", Environment: tenants.Production},
		Now:    noon,
	})
	for sentence := range strings.SplitSeq(err.Error(), ". ") {
		fmt.Println(sentence)
	}
	// Output:
	// There is no Apple credential for the app com.example.clinic in the production environment
	// Upload its .p8 key or .p12 certificate under Apple credentials.
}

// A person with two phones answers on one of them: the other attempt ends as Elsewhere.
func ExampleRing_Fold() {
	ring := tenants.Ring{State: tenants.Ringing, Attempts: []tenants.Attempt{
		{ID: "phone", State: tenants.Ringing},
		{ID: "tablet", State: tenants.Pushed},
	}}
	for _, f := range ring.Fold(tenants.Fact{Attempt: "phone", Kind: tenants.FactAnswered, At: noon, Received: noon}) {
		fmt.Println(f.Attempt, f.Kind)
	}
	fmt.Println(ring.State)
	// Output:
	// phone answered
	// tablet elsewhere
	// answered
}

// A fact that arrives late is recorded, and does not move the attempt backwards.
func ExampleRing_Fold_late() {
	ring := tenants.Ring{State: tenants.Answered, Attempts: []tenants.Attempt{{ID: "phone", State: tenants.Answered}}}
	facts := ring.Fold(tenants.Fact{Attempt: "phone", Kind: tenants.FactShown, At: noon, Received: noon})
	fmt.Println(len(facts), ring.Attempts[0].State)
	// Output: 1 answered
}

// Swift prints UUIDs in upper case.
func ExampleParseID() {
	id, ok := tenants.ParseID[tenants.RingID]("0195A3F2-7C41-7B1E-9C55-3F2A6D8E1B00")
	fmt.Println(id, ok)
	_, ok = tenants.ParseID[tenants.RingID]("0195A3F2")
	fmt.Println(ok)
	// Output:
	// 0195a3f2-7c41-7b1e-9c55-3f2a6d8e1b00 true
	// false
}

// The phone's clock is an hour slow. It reports two seconds after the call was shown.
func ExamplePhoneTime() {
	at := noon.Add(-time.Hour)
	fmt.Println(tenants.PhoneTime(noon, at, at.Add(2*time.Second)).Format(time.TimeOnly))
	// Output: 11:59:58
}

// A trial of a plan allows rings until its limit is reached.
func ExampleEntitle() {
	plans := tenants.BuiltinPlans()
	plan, _ := plans.Plan("starter")
	trial := plans.Trial("t", plan.Code, noon)

	e := tenants.Entitle(&trial, plan, tenants.Usage{Rings: 10}, noon)
	fmt.Println(e.Standing, e.Ring(false))

	e = tenants.Entitle(&trial, plan, tenants.Usage{Rings: plan.Rings}, noon)
	fmt.Println(tenants.KindOf(e.Ring(false)) == tenants.Unpaid)
	// Output:
	// trial <nil>
	// true
}

// Three silent attempts in a row mean that iOS has probably stopped waking the app.
func ExampleWakeHistoryOf() {
	silent := tenants.Outcome{Device: "d", AppVersion: "4.1", At: noon, Status: 200, Over: true}
	h := tenants.WakeHistoryOf([]tenants.Outcome{silent, silent, silent})
	fmt.Println(h.Silent, h.Verdict)
	// Output: 3 blocked
}

// A payment of $20.00 earns 22%. Half of it is refunded before the commission is payable.
func ExampleReferral_Settle() {
	r := tenants.Referral{ID: "r", Partner: "p", Terms: tenants.Affiliate{Percent: 22, Months: 12, HoldDays: 30}}
	paid := tenants.Payment{ID: "in_1", At: noon, Cents: 2000, Untaxed: 2000}
	lines := r.Settle([]tenants.Payment{paid}, nil)
	fmt.Println(lines[0].Kind, tenants.FormatCents(lines[0].Cents))

	paid.Returned = 1000
	lines = r.Settle([]tenants.Payment{paid}, map[string]int64{"in_1": lines[0].Cents})
	fmt.Println(lines[0].Kind, tenants.FormatCents(lines[0].Cents))
	// Output:
	// commission 4.40
	// clawback -2.20
}

// People type pairing codes in lower case and with spaces.
func ExampleParseCode() {
	code, ok := tenants.ParseCode("abcde fghjk")
	fmt.Println(ok, code)
	fmt.Println(code == "ABCDE-FGHJK")
	// Output:
	// true ***
	// true
}
