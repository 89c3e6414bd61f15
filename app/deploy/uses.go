package deploy

import (
	"regexp"
	"strings"
)

// metricName finds the names of metrics in a query: those of Carillon, of the process and of Go.
var metricName = regexp.MustCompile(`\b(?:carillon|process|go)_[a-z0-9_]+`)

// seriesOf is the end that a histogram's series add to its name.
var seriesOf = regexp.MustCompile(`_(?:bucket|sum|count)$`)

// Uses lists, for a metric, the alerts and the panels of dashboards that read it.
func Uses(metric string) (alerts []Alert, panels []string) {
	for _, a := range Alerts {
		if reads(a.Expr, metric) {
			alerts = append(alerts, a)
		}
	}
	for _, d := range Dashboards {
		for _, p := range d.Panels {
			for _, q := range p.Queries {
				if reads(q.Expr, metric) {
					panels = append(panels, d.Title+": "+p.Title)
					break
				}
			}
		}
	}
	return alerts, panels
}

func reads(expr, metric string) bool {
	if !strings.Contains(expr, metric) { // most do not; this page is made at each start
		return false
	}
	for _, name := range metricName.FindAllString(expr, -1) {
		if name == metric || seriesOf.ReplaceAllString(name, "") == metric {
			return true
		}
	}
	return false
}
