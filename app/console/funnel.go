package console

import (
	"slices"
	"time"

	"carillon/app/push"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// counts are a funnel's rows by fact.
type counts map[tenants.FactKind]store.FunnelRow

func countsOf(rows []store.FunnelRow) counts {
	out := counts{}
	for _, r := range rows {
		out[r.Fact] = r
	}
	return out
}

// rings are the rings that took a hop; phones are the attempts that did: a person with three phones
// is one ring.
func (c counts) rings(k tenants.FactKind) int  { return int(c[k].Rings) }
func (c counts) phones(k tenants.FactKind) int { return int(c[k].N) }

// funnelOf is the funnel that a person reads, as GET /v1/analytics/funnel counts it.
func funnelOf(c counts, words string) views.Funnel {
	f := views.Funnel{Period: words}
	for _, w := range factTable {
		if w.funnel == "" {
			continue
		}
		step := views.FunnelStep{Name: w.funnel, Means: w.means, Count: c.rings(w.fact), Phones: c.phones(w.fact)}
		if w.lost != "" {
			step.Href = views.PathRings + "?state=" + w.lost
		}
		f.Steps = append(f.Steps, step)
	}
	return f
}

func latencyOf(c counts, words string) views.Latency {
	l := views.Latency{Period: words}
	for _, h := range tenants.Hops[1:] {
		row := views.HopLatency{Name: wordsOfFact[h.Fact].wait}
		for _, n := range c[h.Fact].Buckets {
			row.Count += int(n)
		}
		row.P50, row.P95, row.P99 = percentile(c[h.Fact], 0.5), percentile(c[h.Fact], 0.95), percentile(c[h.Fact], 0.99)
		l.Hops = append(l.Hops, row)
	}
	return l
}

// percentile is in milliseconds, at least one where anything was measured.
func percentile(r store.FunnelRow, p float64) int {
	d := tenants.Percentile(r.Buckets, p)
	if d > 0 && d < time.Millisecond {
		return 1
	}
	return int(d.Round(time.Millisecond).Milliseconds())
}

// outcomesOf says why phones showed no call. Each phone counts, because each may have a reason of
// its own.
func outcomesOf(reasons []store.Reason, words string) views.Outcomes {
	out := views.Outcomes{Period: words}
	for _, kind := range slices.Backward(factTable) { // what the tenant can mend first
		if kind.unshown == "" {
			continue
		}
		g := views.OutcomeGroup{Title: kind.unshown, Tone: kind.tone}
		for _, r := range reasons {
			if r.Fact == kind.fact {
				name, cure := reasonWords(r)
				g.Rows = append(g.Rows, views.Outcome{Name: name, Cure: cure, Code: r.Detail, Count: int(r.N)})
			}
		}
		if len(g.Rows) > 0 {
			out.Groups = append(out.Groups, g)
		}
	}
	return out
}

// ReasonWords is reasonWords, for the weekly mail.
func ReasonWords(r store.Reason) (cause, cure string) { return reasonWords(r) }

// reasonWords are a reason in a sentence, and what to do about it.
func reasonWords(r store.Reason) (cause, cure string) {
	if r.Fact == tenants.FactRefused {
		status := 0
		if r.Detail != "" {
			status = 400 // a reason that is not on the list is at least an answer
		}
		x := push.ReactionTo(status, r.Detail)
		return x.Cause, x.Cure
	}
	if w, ok := callKitWords[r.Detail]; ok {
		return w[0], w[1]
	}
	if r.Fact == tenants.FactSilenced {
		return "The phone did not say why.", "Ask the person to allow calls from your app in the phone’s Focus settings."
	}
	return "The phone gave no reason that we know.", "Look the code up in Apple’s documentation of CallKit, or ask your developer."
}
