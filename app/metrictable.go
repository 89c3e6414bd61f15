package app

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"carillon/app/billing"
	"carillon/app/deploy"
)

// description is what a prometheus.Desc prints of itself; its fields are not to be had in another
// way before there is a value.
var description = regexp.MustCompile(`^Desc\{fqName: ("(?:[^"\\]|\\.)*"), help: ("(?:[^"\\]|\\.)*"), .*variableLabels: \{(.*)\}\}$`)

// metricTable lists every metric that a server may offer, by name: those of Carillon first. It asks
// the collectors that /metrics asks, on a node that never runs.
func metricTable() (list []deploy.Metric) {
	n := &node{dataDir: "data", billing: &billing.Billing{}}
	all := append(newMeter(nil).all(), n.gauges()...)
	all = append(all, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, c := range all {
		for _, text := range descriptions(c) {
			m := description.FindStringSubmatch(text)
			if m == nil {
				continue // a description that cannot be read; TestMetricTable misses the metric
			}
			name, _ := strconv.Unquote(m[1])
			help, _ := strconv.Unquote(m[2])
			x := deploy.Metric{Name: name, Help: help, Type: typeOf(c, name)}
			if m[3] != "" {
				x.Labels = strings.Split(m[3], ",")
			}
			list = append(list, x)
		}
	}
	slices.SortStableFunc(list, func(a, b deploy.Metric) int {
		if x, y := strings.HasPrefix(a.Name, "carillon_"), strings.HasPrefix(b.Name, "carillon_"); x != y {
			if x {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return list
}

// descriptions asks a collector what it collects.
func descriptions(c prometheus.Collector) (list []string) {
	said := make(chan *prometheus.Desc, 256) // more than any collector has
	c.Describe(said)
	close(said)
	for d := range said {
		list = append(list, d.String())
	}
	return list
}

// typeOf is the type in the exposition format. Counters are told by their name, which Prometheus
// asks for.
func typeOf(c prometheus.Collector, name string) string {
	switch c.(type) {
	case *prometheus.HistogramVec, prometheus.Histogram:
		return "histogram"
	}
	switch {
	case name == "go_gc_duration_seconds":
		return "summary"
	case strings.HasSuffix(name, "_total"):
		return "counter"
	}
	return "gauge"
}
