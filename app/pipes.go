package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"carillon/app/switchboard"
)

// pipes are the figures of the WebSockets that pass between this node and others.
type pipes struct {
	n                          *node
	open, bytes, gaps, refused *prometheus.Desc
}

func newPipes(n *node) pipes {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return pipes{n: n,
		open: desc("carillon_pipes", "WebSockets of agents that pass between nodes: passed_on is an agent connected here whose call is on "+
			"another node, held an agent of a call here that is connected to another node.", "end"),
		bytes: desc("carillon_pipe_bytes_total", "Bytes of these WebSockets, by their way between this node and the others.", "way"),
		gaps:  desc("carillon_pipe_gaps_total", "These WebSockets that were ended because NATS lost a part."),
		refused: desc("carillon_pipes_refused_total", "WebSockets that were not passed on for want of room: of this node for what it "+
			"passes on (passed_on) or holds (held), of one ring, or of one tenant (account).", "bound"),
	}
}

// Describe implements prometheus.Collector.
func (p pipes) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.open, p.bytes, p.gaps, p.refused} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (p pipes) Collect(to chan<- prometheus.Metric) {
	tell := func(d *prometheus.Desc, kind prometheus.ValueType, n int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, kind, float64(n), labels...)
	}
	passing, holding := 0, 0
	if p.n.others != nil {
		passing, holding = p.n.others.PipeEnds()
	}
	tell(p.open, prometheus.GaugeValue, int64(passing), "passed_on")
	tell(p.open, prometheus.GaugeValue, int64(holding), "held")
	c := p.n.busCounts()
	tell(p.bytes, prometheus.CounterValue, c.PipeSent.Load(), "sent")
	tell(p.bytes, prometheus.CounterValue, c.PipeHeard.Load(), "received")
	tell(p.gaps, prometheus.CounterValue, c.PipesCut.Load())
	tell(p.refused, prometheus.CounterValue, c.PassingFull.Load(), "passed_on")
	tell(p.refused, prometheus.CounterValue, c.HoldingFull.Load(), "held")
	ring, tenant := switchboard.NewJoining(p.n.board).Refused()
	tell(p.refused, prometheus.CounterValue, ring, "ring")
	tell(p.refused, prometheus.CounterValue, tenant, "account")
}
