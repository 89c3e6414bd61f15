package api

import (
	"encoding/json"
	"testing"
	"time"

	"carillon/tenants"
)

// TestRingSaysHowItsCallSounded: in the answer for one ring only, and only once it was measured.
func TestRingSaysHowItsCallSounded(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	id := a.ring("").ID
	a.pickUp(id)
	type leg struct {
		MOS    *float64 `json:"mos"`
		Jitter float64  `json:"jitter_in_ms"`
		Loss   float64  `json:"loss_out"`
		Trip   *float64 `json:"round_trip_ms"`
	}
	type view struct {
		Call struct {
			Quality *struct {
				First   *float64  `json:"first_audio_ms"`
				Barges  []float64 `json:"barge_in_ms"`
				MOS     *float64  `json:"mos"`
				Samples []struct {
					At           float64 `json:"at_s"`
					Phone, Agent *leg
				} `json:"samples"`
			} `json:"quality"`
		} `json:"call"`
	}
	show := func() (v view) {
		must(t, json.Unmarshal([]byte(h.do(ask{method: "GET", path: "/v1/rings/" + id, key: a.key}).want(200).body), &v))
		return v
	}
	if q := show().Call.Quality; q != nil {
		t.Errorf("before anything was measured: %+v", q)
	}
	q := tenants.CallQuality{Samples: []tenants.QualitySample{{At: 5 * time.Second}}}
	must(t, a.scope().Qualities().Set(t.Context(), tenants.RingID(id), &q, false))
	if q := show().Call.Quality; q == nil || q.First != nil || q.MOS != nil || len(q.Samples) != 1 || q.Samples[0].Phone != nil {
		t.Errorf("silence: %+v", q)
	}
	q.FirstAudio, q.BargeIns = 300*time.Millisecond, []time.Duration{200 * time.Millisecond}
	q.Samples[0].Phone = tenants.LegQuality{MOS: 4.25, JitterIn: 3 * time.Millisecond, LossOut: 0.02}
	must(t, a.scope().Qualities().Set(t.Context(), tenants.RingID(id), &q, true))
	got := show().Call.Quality
	if got == nil || got.First == nil || *got.First != 300 || len(got.Barges) != 1 || got.Barges[0] != 200 || got.MOS == nil ||
		*got.MOS != 4.25 || got.Samples[0].At != 5 || got.Samples[0].Agent != nil {
		t.Fatalf("measured: %+v", got)
	}
	if p := got.Samples[0].Phone; *p.MOS != 4.25 || p.Jitter != 3 || p.Loss != 0.02 || p.Trip != nil {
		t.Errorf("the phone's leg: %+v", p)
	}
	var list struct{ Data []view }
	must(t, json.Unmarshal([]byte(h.do(ask{method: "GET", path: "/v1/rings", key: a.key}).want(200).body), &list))
	if len(list.Data) != 1 || list.Data[0].Call.Quality != nil {
		t.Errorf("in the list: %+v", list)
	}
}
