package api

import (
	"time"

	"carillon/tenants"
)

// appendQuality appends how a call sounded.
func appendQuality(b []byte, q *tenants.CallQuality) []byte {
	b = appendMillis(append(b, `{"first_audio_ms":`...), q.FirstAudio)
	b = append(b, `,"barge_in_ms":[`...)
	for i, d := range q.BargeIns {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendNumber(b, millis(d), 0)
	}
	b = append(b, `],"mos":`...)
	if average, ok := q.Phone(); ok {
		b = appendNumber(b, average.MOS, 2)
	} else {
		b = append(b, `null`...)
	}
	b = append(b, `,"samples":[`...)
	for i, s := range q.Samples {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendNumber(append(b, `{"at_s":`...), s.At.Seconds(), 1)
		b = appendLeg(append(b, `,"phone":`...), s.Phone)
		b = append(appendLeg(append(b, `,"agent":`...), s.Agent), '}')
	}
	return append(b, `]}`...)
}

// appendLeg appends a leg's figures; null if nothing was measured.
func appendLeg(b []byte, l tenants.LegQuality) []byte {
	if l == (tenants.LegQuality{}) {
		return append(b, `null`...)
	}
	b = append(b, `{"mos":`...)
	if l.MOS > 0 {
		b = appendNumber(b, l.MOS, 2)
	} else {
		b = append(b, `null`...)
	}
	b = appendNumber(append(b, `,"jitter_in_ms":`...), millis(l.JitterIn), 1)
	b = appendNumber(append(b, `,"jitter_out_ms":`...), millis(l.JitterOut), 1)
	b = appendNumber(append(b, `,"loss_in":`...), l.LossIn, 4)
	b = appendNumber(append(b, `,"loss_out":`...), l.LossOut, 4)
	b = appendMillis(append(b, `,"round_trip_ms":`...), l.RoundTrip)
	b = appendNumber(append(b, `,"queued_ms":`...), millis(l.Queued), 0)
	b = appendNumber(append(b, `,"underruns":`...), float64(l.Underruns), 0)
	return append(b, '}')
}

// appendMillis appends milliseconds; null for what was not measured.
func appendMillis(b []byte, d time.Duration) []byte {
	if d == 0 {
		return append(b, `null`...)
	}
	return appendNumber(b, millis(d), 1)
}
