package deploy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// opening is the beginning of the page, with ' for the quotes of code.
const opening = `
Set 'CARILLON_METRICS_ADDR' to a private address such as '127.0.0.1:9464'. The server then answers 'GET /metrics' there, for
Prometheus. No label names a tenant, a device or a ring. A scraper that accepts OpenMetrics also gets exemplars: the trace of a
slow push or step, where traces are sampled.

'''sh
carillon deploy alerts > alerts.yml
carillon deploy grafana --out dashboards
'''

The first command prints the alert rules below, the second writes dashboards of Grafana. 'carillon deploy compose' and
'carillon deploy helm' include both.

## Metrics

`

// Page returns the text of /docs/metrics in Markdown: each metric with the alerts and dashboards
// that read it, and what to do about each alert. Alerts link here.
func Page(metrics []Metric) string {
	var b strings.Builder
	b.WriteString(strings.ReplaceAll(opening, "'", "`"))
	own := func(m Metric) bool { return strings.HasPrefix(m.Name, "carillon_") }
	list(&b, slices.DeleteFunc(slices.Clone(metrics), func(m Metric) bool { return !own(m) }))
	b.WriteString("\n## Alerts\n\nA critical alert says that rings or calls fail now. A warning says that some do, or soon will.\n")
	for _, a := range Alerts {
		fmt.Fprintf(&b, "\n### %s\n\n*%s.* %s.\n\n", a.Name, capital(a.Severity), withoutTemplate(a.Summary))
		fmt.Fprintf(&b, "Cause: %s\n\nWhat to do: %s\n\n```text\n%s\n```\n", a.Cause, a.Cure, rule(a))
	}
	b.WriteString("\n## Go and the process\n\nThese come with every Go program.\n\n")
	list(&b, slices.DeleteFunc(slices.Clone(metrics), own))
	return b.String()
}

func capital(word string) string { return strings.ToUpper(word[:1]) + word[1:] }

// rule is the condition of an alert, and how long it must hold.
func rule(a Alert) string {
	if a.For == "" {
		return a.Expr
	}
	return a.Expr + "\nfor " + a.For
}

// list says of each metric what it is and who reads it. It is no table: that would be too wide for
// a telephone.
func list(b *strings.Builder, metrics []Metric) {
	for _, m := range metrics {
		fmt.Fprintf(b, "- `%s`: %s. *%s", m.Name, strings.TrimSuffix(m.Help, "."), capital(m.Type))
		if unit := m.Unit(); unit != "count" {
			b.WriteString(", " + unit)
		}
		for i, l := range m.Labels {
			fmt.Fprintf(b, "%s `%s`", []string{", by", ","}[min(i, 1)], l)
		}
		b.WriteString(".*")
		if readers := readersOf(m.Name); len(readers) > 0 {
			b.WriteString(" Read by " + strings.Join(readers, ", ") + ".")
		}
		b.WriteString("\n")
	}
}

// readersOf names the alerts, with links, and the dashboards that read a metric.
func readersOf(metric string) (list []string) {
	alerts, panels := Uses(metric)
	for _, a := range alerts {
		list = append(list, "["+a.Name+"](#"+a.Anchor()+")")
	}
	for _, p := range panels {
		title, _, _ := strings.Cut(strings.TrimPrefix(p, "Carillon: "), ": ")
		if title = "the dashboard of " + title; !slices.Contains(list, title) {
			list = append(list, title)
		}
	}
	return list
}

// placeholder is a value that Prometheus fills in.
var placeholder = regexp.MustCompile(`\{\{ \$(?:labels\.)?(\w+)[^}]*\}\}`)

// withoutTemplate is a summary before there is a value.
func withoutTemplate(summary string) string {
	return placeholder.ReplaceAllStringFunc(summary, func(p string) string {
		if name := placeholder.FindStringSubmatch(p)[1]; name != "value" {
			return "(" + name + ")"
		}
		return "N"
	})
}
