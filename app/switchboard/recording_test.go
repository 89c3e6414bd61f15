package switchboard_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"carillon/app/agents"
	"carillon/app/switchboard"
	"carillon/gateway"
	"carillon/gateway/phonetest"
	"carillon/tenants"
)

// recordAll makes the tenant record its calls after an announcement.
func (w *world) recordAll() {
	w.t.Helper()
	file, err := os.ReadFile("../../gateway/tone.ogg")
	must(w.t, err)
	pcmu, err := agents.ReadAnnouncement(file)
	must(w.t, err)
	must(w.t, w.scope.Recordings().SetRule(w.t.Context(), tenants.RecordingRule{
		Policy: tenants.RecordAnnounce, Reason: "training", Ogg: file, PCMU: pcmu}))
}

// TestACallThatWasAnsweredTwiceStopsBeingRecorded: after its phone has changed networks the call
// has the recording that it began with, so that a transfer to a person ends it.
func TestACallThatWasAnsweredTwiceStopsBeingRecorded(t *testing.T) {
	t.Parallel()
	desk := &attendant{}
	w := speaking(t, map[string]*attendant{"Desk": desk})
	w.recordAll()
	caller, doctor := w.device("mara"), w.device("doctor")
	r := w.place(tenants.Request{To: tenants.To{Person: "mara"}, Agent: w.agent(tenants.Agent{Name: "Desk"})})
	w.dial(caller, r)
	w.said(r.ID, tenants.FactRecording, "recorded: it was announced")
	w.eventually("the desk talks", func() bool { return desk.conversed.Load() == 1 })
	one := w.dial(caller, r)
	w.eventually("some of it is recorded", func() bool { return one.Stats().PacketsOut > 100 })
	_, err := w.board.Transfer(t.Context(), w.caller, r.ID, switchboard.Transfer{Person: "doctor"})
	must(t, err)
	w.said(r.ID, tenants.FactRecording, "not recorded any more: the call was given to another person")
	stopped := w.clock.Now()
	second := w.ringOf("doctor")
	two := w.dial(doctor, second)
	w.said(r.ID, tenants.FactAgentAttached, "doctor (a person)")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for name, c := range map[string]*phonetest.Call{"the first": one, "the second": two} {
		from := c.Stats().PacketsIn
		if err := c.Until(ctx, func(s phonetest.Stats) bool { return s.PacketsIn > from+75 }); err != nil {
			t.Errorf("%s phone does not hear the other: %v", name, err)
		}
	}
	must(t, w.board.HangUp(t.Context(), caller, r.ID))
	w.state(second.ID, tenants.Ended)
	for _, f := range w.state(r.ID, tenants.Ended).Facts() {
		if f.Kind == tenants.FactRecording && strings.HasPrefix(f.Detail, "not recorded: ") {
			t.Errorf("there was another recording: %+v", f)
		}
	}
	var kept tenants.Recording
	w.eventually("the recording is stored", func() bool {
		kept, err = w.scope.Recordings().Get(t.Context(), r.ID)
		return err == nil && kept.Chunks > 0
	})
	// The place of a packet is at most two seconds off the clock.
	length := time.Duration(kept.Length) * time.Second / time.Duration(gateway.Opus.ClockRate())
	if most := stopped.Sub(kept.BeganAt) + 2*time.Second + gateway.Frame; length > most {
		t.Errorf("%v were recorded, and the person came after %v", length, most)
	}
	if _, err := w.scope.Recordings().Get(t.Context(), second.ID); tenants.KindOf(err) != tenants.Unknown {
		t.Errorf("the second call has a recording: %v", err)
	}
}
