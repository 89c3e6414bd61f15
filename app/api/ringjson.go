package api

import (
	"encoding/json"
	"strconv"
	"time"

	"carillon/tenants"
)

// A ring's JSON is written by hand because it is on the hot path: reflection would cost more than
// the rest of the handler.

// appendRing appends a ring as openapi.yaml describes it. q is how its call sounded; nil leaves it
// out.
func appendRing(b []byte, r *tenants.Ring, q *tenants.CallQuality) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, r.ID...)
	b = append(b, `","state":"`...)
	b = append(b, r.State...)
	if r.To.Group != "" {
		b = appendText(append(b, `","to":{"group":`...), string(r.To.Group))
	} else if r.To.Person != "" {
		b = appendText(append(b, `","to":{"person":`...), r.To.Person)
	} else {
		b = appendText(append(b, `","to":{"device":`...), string(r.To.Device))
	}
	b = appendOpt(append(b, `},"agent":`...), string(r.Agent))
	b = appendOpt(append(b, `,"caller":`...), r.Caller)
	b = appendOpt(append(b, `,"reference":`...), r.Reference)
	b = strconv.AppendBool(append(b, `,"test":`...), r.Test)
	b = appendTime(append(b, `,"created_at":`...), r.CreatedAt)
	b = appendTime(append(b, `,"expires_at":`...), r.ExpiresAt)
	b = appendTime(append(b, `,"ended_at":`...), r.EndedAt)
	b = appendOpt(append(b, `,"end_reason":`...), string(r.EndReason))
	b = appendOpt(append(b, `,"end_detail":`...), r.EndReason.Sentence())
	b = append(b, `,"attempts":[`...)
	for i := range r.Attempts {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendAttempt(b, &r.Attempts[i])
	}
	b = appendCall(append(b, `],"call":`...), r.Call, q)
	if r.To.Group != "" {
		b = appendSteps(b, r.Steps)
	}
	return append(b, '}')
}

// appendSteps appends the plan of a ring to a group.
func appendSteps(b []byte, steps []tenants.Step) []byte {
	shown := make([]step, len(steps))
	for i := range steps {
		shown[i] = stepOf(steps[i])
	}
	text, err := json.Marshal(shown)
	if err != nil {
		return b // texts and numbers always marshal
	}
	return append(append(b, `,"steps":`...), text...)
}

func appendAttempt(b []byte, a *tenants.Attempt) []byte {
	b = append(b, `{"device":"`...)
	b = append(b, a.Device...)
	b = append(b, `","state":"`...)
	b = append(b, a.State...)
	b = appendText(append(b, `","pushes":[{"apns_id":`...), a.Push.APNsID)
	b = append(b, `,"status":`...)
	if a.Push.Status == 0 {
		b = append(b, `null`...)
	} else {
		b = strconv.AppendInt(b, int64(a.Push.Status), 10)
	}
	b = appendOpt(append(b, `,"reason":`...), a.Push.Reason)
	b = appendTime(append(b, `,"sent_at":`...), a.Push.SentAt)
	b = appendTime(append(b, `,"answered_at":`...), a.Push.AnsweredAt)
	b = append(b, `}],"facts":[`...)
	for i, f := range a.Facts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"kind":"`...)
		b = append(b, f.Kind...)
		b = appendTime(append(b, `","at":`...), f.At)
		b = appendOpt(append(b, `,"detail":`...), f.Detail)
		if f.ByArrival() {
			b = append(b, `,"clock":"server"`...)
		}
		b = append(b, '}')
	}
	return append(b, `]}`...)
}

func appendCall(b []byte, c *tenants.Call, q *tenants.CallQuality) []byte {
	if c == nil {
		return append(b, `null`...)
	}
	b = appendText(append(b, `{"device":`...), string(c.Device))
	b = appendTime(append(b, `,"answered_at":`...), c.AnsweredAt)
	b = appendTime(append(b, `,"connected_at":`...), c.ConnectedAt)
	b = appendTime(append(b, `,"ended_at":`...), c.EndedAt)
	b = appendOpt(append(b, `,"ended_by":`...), c.EndedBy)
	b = append(b, `,"duration_s":`...)
	if talked, ok := c.Talked(); ok {
		b = appendNumber(b, talked.Seconds(), 3)
	} else {
		b = append(b, `null`...)
	}
	b = appendNumber(append(b, `,"jitter_ms":`...), millis(c.Jitter), 3)
	b = appendNumber(append(b, `,"loss":`...), c.Loss, 5)
	b = appendNumber(append(b, `,"round_trip_ms":`...), millis(c.RoundTrip), 3)
	if q != nil {
		b = appendQuality(append(b, `,"quality":`...), q)
	}
	return append(b, '}')
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// appendNumber appends n with this many decimals. NaN, negative and huge values become zero.
func appendNumber(b []byte, n float64, decimals int) []byte {
	if n != n || n > 1e15 || n < 0 {
		n = 0
	}
	return strconv.AppendFloat(b, n, 'f', decimals, 64)
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, `null`...)
	}
	b = append(b, '"')
	t = t.UTC()
	b = t.AppendFormat(b, time.RFC3339) // as stampLayout, but for the fraction; package time is quick at this one
	ms := t.Nanosecond() / int(time.Millisecond)
	return append(b[:len(b)-1], '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z', '"')
}

func appendOpt(b []byte, s string) []byte {
	if s == "" {
		return append(b, `null`...)
	}
	return appendText(b, s)
}

// appendText appends a JSON string: directly if no character needs escaping, else by encoding/json.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...) // strings always marshal
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
