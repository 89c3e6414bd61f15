package app

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/app/push"
	"carillon/app/switchboard"
	"carillon/app/trace"
	"carillon/gateway"
	"carillon/tenants"
)

var (
	_ switchboard.Meter    = (*meter)(nil)
	_ switchboard.Audience = (*meter)(nil)
)

// meter counts pushes, facts and rings for Prometheus. No label names a tenant, a device or a ring:
// the figures are for the operator, and there must be few of them.
type meter struct {
	trace   *trace.Tracer
	pushes  *prometheus.CounterVec // environment, status, reason
	tries   prometheus.Counter
	answers *prometheus.HistogramVec // environment
	facts   *prometheus.CounterVec   // fact
	hops    *prometheus.HistogramVec // hop
	late    prometheus.Histogram
	overdue prometheus.Histogram
	placed  prometheus.Counter
	ended   *prometheus.CounterVec // state, reason
	limited prometheus.Counter
	loops   *prometheus.HistogramVec // loop
	failed  *prometheus.CounterVec   // loop
	behind  *prometheus.GaugeVec     // loop
	mos     *prometheus.HistogramVec // leg
	loss    *prometheus.HistogramVec // leg
	jitter  *prometheus.HistogramVec // leg
	trips   *prometheus.HistogramVec // leg
	first   prometheus.Histogram
	barges  prometheus.Histogram

	delivered  *prometheus.CounterVec   // role, outcome
	deliveries *prometheus.HistogramVec // role
	waiting    *prometheus.GaugeVec     // role

	byFact map[tenants.FactKind]prometheus.Counter  // of facts
	byHop  map[tenants.FactKind]prometheus.Observer // of hops, by the fact that completes one

	mu      sync.Mutex // guards reasons
	reasons map[string]bool
}

// seconds are buckets from two milliseconds (a fast push) to a minute (the longest ring).
var seconds = []float64{.002, .005, .01, .02, .035, .05, .075, .1, .15, .25, .5, 1, 2, 5, 10, 20, 30, 60}

// lateness are buckets up to a day: Apple may hold a push back although it was asked not to.
var lateness = []float64{.1, .5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 6 * 3600, 24 * 3600}

// ratings are buckets of a MOS: below 3.6 many people are dissatisfied (ITU-T G.107 Annex B).
var ratings = []float64{1.5, 2, 2.6, 3.1, 3.6, 4, 4.2, 4.3, 4.4}

// shares are buckets of lost packets, and pauses of a few milliseconds to a second.
var (
	shares = []float64{0, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1}
	pauses = []float64{.001, .002, .005, .01, .02, .03, .05, .075, .1, .15, .2, .3, .5, 1}
)

// newMeter makes a meter. Histograms of rings and pushes name a trace of t for some of their
// observations; t may be nil.
func newMeter(t *trace.Tracer) *meter {
	count := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	counts := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	times := func(name, help string, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: seconds}, labels)
	}
	m := &meter{
		trace: t,
		pushes: counts("carillon_pushes_total",
			"Pushes by Apple's host, its last status (0 = no answer) and its reason.", "environment", "status", "reason"),
		tries:   count("carillon_push_tries_total", "Times that pushes were written to Apple, repeats among them."),
		answers: times("carillon_push_seconds", "From a push's first write to Apple's last answer.", "environment"),
		facts:   counts("carillon_facts_total", "Facts of attempts.", "fact"),
		hops:    times("carillon_hop_seconds", "From the hop before, of a ring on its way to a person's ear.", "hop"),
		late: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "carillon_late_arrival_seconds", Buckets: lateness,
			Help: "How long after its ring had expired a push woke the app: ghost rings, were it not for the app's own look."}),
		overdue: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "carillon_sweep_late_seconds", Buckets: seconds,
			Help: "How long after its time an unanswered ring was ended."}),
		placed:  count("carillon_rings_placed_total", "Rings placed."),
		ended:   counts("carillon_rings_ended_total", "Rings that ended, by how and why.", "state", "reason"),
		limited: count("carillon_rings_limited_total", "Rings refused because their tenant or key rings too fast."),
		loops:   times("carillon_loop_seconds", "Turns of the background loops.", "loop"),
		failed:  counts("carillon_loop_errors_total", "Turns of the background loops that failed.", "loop"),
		behind: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "carillon_loop_lag_seconds",
			Help: "How late the last turn of a background loop began."}, []string{"loop"}),
		reasons: map[string]bool{}, byFact: map[tenants.FactKind]prometheus.Counter{}, byHop: map[tenants.FactKind]prometheus.Observer{},
	}
	legs := func(name, help string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{"leg"})
	}
	m.mos = legs("carillon_call_mos", "How calls sounded in the last seconds, rated from 1 to 4.4 by the E-model.", ratings)
	m.loss = legs("carillon_call_loss_ratio", "Share of the packets of the last seconds that were lost, in the worse direction.", shares)
	m.jitter = legs("carillon_call_jitter_seconds", "Jitter, in the worse direction.", pauses)
	m.trips = legs("carillon_call_round_trip_seconds", "Round trip of calls.", pauses)
	m.first = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "carillon_call_first_audio_seconds", Buckets: seconds,
		Help: "From the answer of a call to the first sound of its agent."})
	m.barges = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "carillon_call_barge_in_seconds", Buckets: seconds,
		Help: "From the person's first word over the agent's speech to the end of that speech, on G.711 calls."})
	m.delivered = counts("carillon_deliveries_total", "Attempts to deliver events to tenants' systems: delivered, refused (a status "+
		"outside of 200 to 299) or no_answer.", "role", "outcome")
	m.deliveries = times("carillon_delivery_seconds", "How long attempts to deliver events took.", "role")
	m.waiting = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "carillon_delivery_queue_age_seconds",
		Help: "How long the oldest delivery has been due that did not go yet."}, []string{"role"})
	for _, k := range tenants.FactKinds {
		m.byFact[k] = m.facts.WithLabelValues(string(k))
	}
	for _, h := range tenants.Hops {
		if h.From != "" {
			m.byHop[h.Fact] = m.hops.WithLabelValues(h.Name)
		}
	}
	return m
}

func (m *meter) all() []prometheus.Collector {
	return []prometheus.Collector{m.pushes, m.tries, m.answers, m.facts, m.hops, m.late, m.overdue, m.placed, m.ended,
		m.limited, m.loops, m.behind,
		m.failed, m.mos, m.loss, m.jitter, m.trips, m.first, m.barges,
		m.delivered, m.deliveries, m.waiting}
}

// Pushed counts Apple's answer.
func (m *meter) Pushed(attempt tenants.AttemptID, a push.Answer) {
	m.pushes.WithLabelValues(a.Environment, strconv.Itoa(a.Status), m.reason(a.Reason)).Inc()
	m.tries.Add(float64(a.Tries))
	if took := a.AnsweredAt.Sub(a.SentAt); a.Status != 0 && !a.SentAt.IsZero() && took >= 0 {
		m.observe(m.answers.WithLabelValues(a.Environment), took, attempt)
	}
}

// observe adds a time to a histogram, with the trace of the attempt's ring as its exemplar if that
// is sampled: a dashboard leads from a slow push to its trace.
func (m *meter) observe(h prometheus.Observer, took time.Duration, attempt tenants.AttemptID) {
	if id := m.trace.TraceID(string(attempt)); id != "" {
		if e, ok := h.(prometheus.ExemplarObserver); ok {
			e.ObserveWithExemplar(took.Seconds(), prometheus.Labels{"trace_id": id})
			return
		}
	}
	h.Observe(took.Seconds())
}

// reasonsMost bounds the reasons with a series of their own. Apple has about forty; a stand-in may
// send any text.
const reasonsMost = 64

func (m *meter) reason(s string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.reasons[s] && len(m.reasons) >= reasonsMost {
		return "other"
	}
	m.reasons[s] = true
	return s
}

// Recorded counts facts, the hops that they complete, and the ring if it ended with them.
func (m *meter) Recorded(r *tenants.Ring, facts []tenants.Fact) {
	placed, ended := false, false
	for i := range facts {
		f := &facts[i]
		if c := m.byFact[f.Kind]; c != nil {
			c.Inc()
		}
		m.hop(r, f)
		if f.Kind == tenants.FactWoke && f.At.After(r.ExpiresAt) {
			m.observe(m.late, f.At.Sub(r.ExpiresAt), f.Attempt)
		}
		if f.Kind == tenants.FactExpired {
			m.observe(m.overdue, max(0, f.Received.Sub(r.ExpiresAt)), f.Attempt)
		}
		placed = placed || f.Kind == tenants.FactPlaced
		ended = ended || f.Received.Equal(r.EndedAt)
	}
	if placed {
		m.placed.Inc()
	}
	if ended && r.State.Terminal() {
		m.ended.WithLabelValues(string(r.State), string(r.EndReason)).Inc()
	}
}

// hop measures the time since the previous hop, if that is known.
func (m *meter) hop(r *tenants.Ring, f *tenants.Fact) {
	hop := m.byHop[f.Kind]
	if hop == nil {
		return
	}
	for i := range r.Attempts {
		if r.Attempts[i].ID != f.Attempt {
			continue
		}
		for j := range r.Attempts[i].Facts {
			if before := &r.Attempts[i].Facts[j]; before.Kind == from(f.Kind) {
				m.observe(hop, max(0, f.At.Sub(before.At)), f.Attempt)
			}
		}
	}
}

// from is the hop before the fact k.
func from(k tenants.FactKind) tenants.FactKind {
	for _, h := range tenants.Hops {
		if h.Fact == k {
			return h.From
		}
	}
	return ""
}

// Sampled counts how the legs of a call sounded. Silence is not rated.
func (m *meter) Sampled(s gateway.Sample) {
	m.leg("phone", s.Phone)
	m.leg("agent", s.Agent)
	if s.FirstAudio > 0 {
		m.first.Observe(s.FirstAudio.Seconds())
	}
	for _, d := range s.BargeIns {
		m.barges.Observe(d.Seconds())
	}
}

func (m *meter) leg(name string, l gateway.LegSample) {
	if l.MOS == 0 {
		return
	}
	m.mos.WithLabelValues(name).Observe(l.MOS)
	m.loss.WithLabelValues(name).Observe(max(l.LossIn, l.LossOut))
	m.jitter.WithLabelValues(name).Observe(max(l.JitterIn, l.JitterOut).Seconds())
	if l.RoundTrip > 0 {
		m.trips.WithLabelValues(name).Observe(l.RoundTrip.Seconds())
	}
}

// Limited counts a ring that was refused by a rate limit.
func (m *meter) Limited() { m.limited.Inc() }

// loop counts one run of a background loop. m may be nil: a node without metrics has no meter.
func (m *meter) loop(name string, took, late time.Duration, err error) {
	if m == nil {
		return
	}
	m.loops.WithLabelValues(name).Observe(took.Seconds())
	m.behind.WithLabelValues(name).Set(late.Seconds())
	if err != nil {
		m.failed.WithLabelValues(name).Inc()
	}
}
