package storetest

import (
	"bytes"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testRecordings: chunks come back in order, are sealed, bounded, read only with an audit row, kept
// as long as the plan says, and erased with the person.
func testRecordings(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	rule, err := s.Recordings().Rule(ctx)
	b.must(err)
	equal(b, rule.Policy, tenants.RecordOff, "the rule that nobody set")
	set := tenants.RecordingRule{Policy: tenants.RecordConsent, Reason: "training", Ogg: []byte("ogg"), PCMU: []byte("pcmu")}
	b.must(s.Recordings().SetRule(ctx, set))
	rule, err = s.Recordings().Rule(ctx)
	b.must(err)
	if rule.Policy != set.Policy || rule.Reason != "training" || string(rule.Ogg) != "ogg" || string(rule.PCMU) != "pcmu" ||
		rule.SetAt.IsZero() {
		b.Errorf("rule: %+v", rule)
	}

	d := b.device(s, "ana")
	r, other := b.call(s, d), b.call(s, b.device(s, "ben"))
	_, err = s.Recordings().Get(ctx, r.ID)
	b.refused(err, tenants.Unknown, "a call without a recording")
	for _, x := range []*tenants.Ring{r, other} {
		b.must(s.Recordings().Begin(ctx, x.ID, tenants.Recording{Codec: "opus", Policy: tenants.RecordConsent, Consent: "pressed 1",
			BeganAt: b.clock.Now()}))
	}
	b.refused(s.Recordings().Begin(ctx, r.ID, tenants.Recording{}), tenants.Conflict, "a second recording of one call")
	b.must(s.Recordings().Add(ctx, r.ID, []byte("one canary"), 100, 0))
	b.must(s.Recordings().Add(ctx, r.ID, []byte("two"), 250, 3))
	b.refused(s.Recordings().Add(ctx, r.ID, make([]byte, tenants.MaxRecordingBytes), 300, 0), tenants.TooLarge, "a chunk too many")
	got, err := s.Recordings().Get(ctx, r.ID)
	b.must(err)
	if got.Chunks != 2 || got.Length != 250 || got.Lost != 3 || got.Bytes != 13 || got.Consent != "pressed 1" || got.Codec != "opus" {
		b.Errorf("recording: %+v", got)
	}
	chunks, err := s.Recordings().Listen(ctx, got, "recording.listen", "agent")
	b.must(err)
	var all []byte
	for chunk, err := range chunks {
		b.must(err)
		all = append(append(all, chunk...), '|')
	}
	equal(b, string(all), "one canary|two|", "chunks")
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "recording."})
	b.must(err)
	equal(b, len(audits), 2, "audit rows")
	equal(b, audits[0].Action, "recording.listen", "the newest")
	for _, query := range []string{"SELECT sealed FROM recording_chunks", "SELECT sealed FROM recording_keys"} {
		if raw := b.raw(query); len(raw) == 0 || bytes.Contains(raw[0], []byte("canary")) {
			b.Errorf("%s: %d rows", query, len(raw))
		}
	}

	n, err := s.Notes().Erase(ctx, r.ID)
	b.must(err)
	equal(b, n, 1, "erased")
	_, err = s.Recordings().Get(ctx, r.ID)
	b.refused(err, tenants.Unknown, "an erased recording")
	equal(b, len(b.raw("SELECT sealed FROM recording_chunks")), 0, "chunks of an erased recording")
	b.refused(s.Recordings().Add(ctx, r.ID, []byte("late"), 1, 0), tenants.Unknown, "a chunk of an erased recording")
	for _, err := range chunks {
		b.refused(err, tenants.Unknown, "reading on while it is erased")
	}

	b.end(s, other)
	b.must(s.Subscription().Set(ctx, b.s.Plans().Assigned("", "starter", b.clock.Now(), time.Time{})))
	plan, _ := b.s.Plans().Plan("starter")
	b.clock.add(time.Duration(plan.Retention)*24*time.Hour + time.Minute)
	removed, err := b.s.Jobs().Retire(ctx, b.clock.Now())
	b.must(err)
	equal(b, removed, 1, "removed recordings")
	_, err = s.Recordings().Get(ctx, other.ID)
	b.refused(err, tenants.Unknown, "a recording past its time")
}
