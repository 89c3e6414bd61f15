package app

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/app/push"
	"carillon/gateway"
	"carillon/tenants"
)

// count reads a counter, or the number of a histogram's observations, by its labels in the order of
// their names.
func count(t *testing.T, m *meter, name, labels string) float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m.all()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, x := range f.GetMetric() {
			said := ""
			for _, l := range x.GetLabel() {
				said += l.GetValue() + " "
			}
			if f.GetName() == name && said == labels {
				return x.GetCounter().GetValue() + float64(x.GetHistogram().GetSampleCount())
			}
		}
	}
	return 0
}

func TestMeter(t *testing.T) {
	t.Parallel()
	m := newMeter(nil)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := &tenants.Ring{ID: "r", State: tenants.Placed, CreatedAt: now, ExpiresAt: now.Add(30 * time.Second), Attempts: []tenants.Attempt{
		{ID: "a", State: tenants.Placed, Facts: []tenants.Fact{{Attempt: "a", Kind: tenants.FactPlaced, At: now, Received: now}}},
		{ID: "b", State: tenants.Placed, Facts: []tenants.Fact{{Attempt: "b", Kind: tenants.FactPlaced, At: now, Received: now}}},
	}}
	m.Recorded(r, r.Facts())
	step := func(a tenants.AttemptID, k tenants.FactKind, after time.Duration) {
		m.Recorded(r, r.Fold(tenants.Fact{Attempt: a, Kind: k, At: now.Add(after), Received: now.Add(after)}))
	}
	step("a", tenants.FactWoke, 3*time.Second) // before Apple's word: that hop cannot be timed
	step("a", tenants.FactSent, time.Second)
	step("a", tenants.FactAccepted, 2*time.Second)
	step("a", tenants.FactShown, 4*time.Second)
	step("b", tenants.FactRefused, time.Second)
	step("a", tenants.FactDeclined, 5*time.Second)
	step("a", tenants.FactBusy, 9*time.Second) // late: the ring ends once
	step("b", tenants.FactWoke, 31*time.Second)
	m.Recorded(r, []tenants.Fact{{Attempt: "b", Kind: tenants.FactExpired, At: r.ExpiresAt, Received: r.ExpiresAt.Add(time.Second)}})
	m.Pushed("a", push.Answer{Environment: "production", Status: 200, Tries: 2, SentAt: now, AnsweredAt: now.Add(time.Millisecond)})
	m.Pushed("a", push.Answer{Environment: "sandbox", Status: 400, Reason: "BadDeviceToken", Tries: 1, SentAt: now,
		AnsweredAt: now.Add(time.Millisecond)})
	m.Pushed("a", push.Answer{Environment: "production", Err: errors.New("away")})
	m.Limited()
	m.Sampled(gateway.Sample{Phone: gateway.LegSample{MOS: 4.2, RoundTrip: time.Millisecond}, FirstAudio: time.Second,
		BargeIns: []time.Duration{time.Second, time.Second}})
	m.Sampled(gateway.Sample{Phone: gateway.LegSample{MOS: 4.2}, Agent: gateway.LegSample{MOS: 4}})
	m.Sampled(gateway.Sample{})
	m.loop("sweep", time.Second, 0, errors.New("away"))
	m.Delivered(tenants.RoleWebhook, "refused", time.Second)
	(*meter)(nil).loop("sweep", time.Second, 0, nil)
	for i := range 200 {
		m.Pushed("a", push.Answer{Environment: "production", Status: 500, Reason: fmt.Sprint("strange ", i)})
	}
	for what, want := range map[[2]string]float64{
		{"carillon_rings_placed_total", ""}: 1, {"carillon_facts_total", "placed "}: 2,
		{"carillon_facts_total", "woke "}: 2, {"carillon_late_arrival_seconds", ""}: 1, {"carillon_sweep_late_seconds", ""}: 1,
		{"carillon_hop_seconds", "woke "}: 0, {"carillon_hop_seconds", "accepted "}: 1, {"carillon_hop_seconds", "shown "}: 1,
		{"carillon_rings_ended_total", "declined declined "}: 1, {"carillon_pushes_total", "production  200 "}: 1,
		{"carillon_pushes_total", "sandbox BadDeviceToken 400 "}: 1, {"carillon_pushes_total", "production  0 "}: 1,
		{"carillon_pushes_total", "production other 500 "}: 200 - (reasonsMost - 2), {"carillon_push_seconds", "production "}: 1,
		{"carillon_push_tries_total", ""}: 3, {"carillon_rings_limited_total", ""}: 1, {"carillon_loop_seconds", "sweep "}: 1,
		{"carillon_loop_errors_total", "sweep "}: 1, {"carillon_call_mos", "phone "}: 2, {"carillon_call_mos", "agent "}: 1,
		{"carillon_call_loss_ratio", "phone "}: 2, {"carillon_call_jitter_seconds", "phone "}: 2,
		{"carillon_call_round_trip_seconds", "phone "}: 1, {"carillon_call_first_audio_seconds", ""}: 1,
		{"carillon_call_barge_in_seconds", ""}: 2, {"carillon_deliveries_total", "refused webhook "}: 1,
		{"carillon_delivery_seconds", "webhook "}: 1,
	} {
		if got := count(t, m, what[0], what[1]); got != want {
			t.Errorf("%s %q: %v, want %v", what[0], what[1], got, want)
		}
	}
}
