package api

import (
	"strings"
	"testing"
	"time"

	"carillon/app/record"
	"carillon/tenants"
	"carillon/tenants/store"
)

func TestRecording(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	ring := tenants.RingID(a.ring("").ID)
	path := "/v1/rings/" + string(ring) + "/recording"
	h.do(ask{method: "GET", path: path, key: a.key}).want(404)
	must(t, a.scope().Recordings().Begin(t.Context(), ring, tenants.Recording{Codec: "opus", Consent: "pressed 1", BeganAt: time.Now()}))
	chunk := record.Append(nil, record.Frame{Track: record.Agent, Payload: []byte{0xf8, 1, 2}})
	must(t, a.scope().Recordings().Add(t.Context(), ring, chunk, 960, 0))
	got := h.do(ask{method: "GET", path: path, key: a.key}).want(200)
	if got.header.Get("Content-Type") != "audio/ogg; codecs=opus" || strings.Count(got.body, "OpusHead") != 2 ||
		!strings.Contains(got.body, "CONSENT=pressed 1") || !strings.Contains(got.body, "\xf8\x01\x02") {
		t.Errorf("%v %q", got.header, got.body)
	}
	audits, _, err := a.scope().Audits().List(t.Context(), store.AuditQuery{Action: "recording."})
	must(t, err)
	if len(audits) != 1 || audits[0].Actor.Kind != tenants.ActorKey {
		t.Errorf("audits: %+v", audits)
	}
}
