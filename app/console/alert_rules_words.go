package console

import (
	"strconv"
	"strings"
	"time"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

const (
	rulesLead = "A rule watches one figure of analytics. It raises an alert when the figure passes the threshold, and closes the alert " +
		"when the figure is back by a tenth."
	detailHelp    = "For a reason: its word as the overview shows it, such as BadDeviceToken. For a time: the step, one of "
	thresholdHelp = "In per cent, in milliseconds for a time, or a number of rings, pushes or calls."
	leastHelp     = "For a share or a time: with fewer in the period, no alert is opened. With less than half of it, an open alert " +
		"is closed."
	mailHelp = "Owners and administrators get an email for each alert."
)

var alertRuleWords = page.Words{
	Name: "Alert rules", Path: views.PathAlertRules, CSV: views.PathAlertRulesCSV, File: "alert-rules", Search: "Name or figure",
	One: "rule", Many: "rules",
	Empty: views.Empty{Icon: views.IconBell, Text: "A rule raises an alert when a figure passes a threshold."},
	Add:   views.Button{Text: "Add rule", Href: views.PathAlertRuleAdd, Icon: views.IconPlus, Kind: views.Primary},
	Sorts: page.Newest(page.Sort{Key: "name", Text: "Name, A to Z"}, page.Sort{Key: "-name", Text: "Name, Z to A"},
		page.Sort{Key: "-fired", Text: "Fired last"}, page.Sort{Key: "fired", Text: "Fired longest ago"}),
}

// metricStates are the rings that lead to a figure.
var metricStates = map[string]tenants.State{
	"missed_rate": tenants.Missed, "declined_rate": tenants.Declined, "failed_rate": tenants.Failed, "silent_rate": tenants.Ended,
	"failed": tenants.Failed, "refused_rate": tenants.Failed, "refused": tenants.Failed, "reason_share": tenants.Failed,
}

func ruleState(r tenants.AlertRule) (views.Tone, string) {
	switch {
	case !r.Active:
		return views.ToneNeutral, "Paused"
	case r.Firing:
		return views.ToneBad, "Alert open"
	}
	return views.ToneGood, "Watching"
}

// figureText is a figure with what it was counted of.
func figureText(r tenants.AlertRule, f tenants.RuleFigure) string {
	m, _ := tenants.MetricNamed(r.Metric)
	switch {
	case m.Unit == tenants.UnitCount:
		return m.Number(f.Value)
	case f.Of == 0:
		return "Nothing counted yet"
	case !f.Known(r):
		return "Not enough counted: " + views.Count(int(f.Of)) + " " + m.Counted(f.Of)
	}
	return m.Number(f.Value) + " of " + views.Count(int(f.Of)) + " " + m.Counted(f.Of)
}

func nowText(r tenants.AlertRule, f tenants.RuleFigure) string {
	return "Now: " + figureText(r, f) + "."
}

func previewLead(n int, back time.Duration) string {
	span := " in the last " + tenants.WindowText(back) + "."
	if n == 0 {
		return "It would not have fired" + span
	}
	return "It would have fired " + views.Plural(n, "time", "times") + span
}

func moreFirings(n int) string {
	return views.Plural(n, "earlier one is not listed.", "earlier ones are not listed.")
}

func pauseButton(r tenants.AlertRule) views.Button {
	path := views.AlertRulePausePath(string(r.ID))
	if r.Active {
		return views.Button{Text: "Pause rule", Href: path, Icon: views.IconPause}
	}
	return views.Button{Text: "Watch again", Href: path, Icon: views.IconPlay}
}

// ruleGoes is what happens when a rule is removed.
func ruleGoes(r tenants.AlertRule) []string {
	out := []string{"No alert is raised by it any more. Alerts that are closed stay in the list."}
	if r.Firing {
		out = append(out, "Its open alert is closed.")
	}
	return out
}

// ruleFormOf draws the fields of a rule.
func ruleFormOf(r tenants.AlertRule, w page.Wrong) views.RuleFormPage {
	var steps []string
	for _, h := range tenants.Hops[1:] {
		steps = append(steps, h.Name)
	}
	p := views.RuleFormPage{
		Error: w.Unseen("name", "metric", "detail", "cut", "threshold", "window", "least", "quiet"),
		Name: views.Field{Name: "name", Label: "Name", Value: page.Shown(r.Name, 80), Max: 80, Error: w.Fields["name"],
			Placeholder: "Few answers at night"},
		Detail: views.Field{Name: "detail", Label: "Reason or step", Value: page.Shown(r.Detail, 120), Max: 120, Optional: true,
			Help: detailHelp + strings.Join(steps, ", ") + ".", Error: w.Fields["detail"]},
		Number: views.Field{Name: "threshold", Label: "Threshold", Value: strconv.FormatFloat(r.Threshold, 'f', -1, 64),
			Help: thresholdHelp, Error: w.Fields["threshold"]},
		Least: views.Field{Name: "least", Label: "Minimum count", Type: "number", Value: strconv.FormatInt(r.Least, 10), Optional: true,
			Help: leastHelp, Error: w.Fields["least"]},
		Mail: views.Tick{Name: "mail", Value: "1", Label: "Email owners and administrators", Help: mailHelp, Checked: r.Mail},
	}
	if r.Threshold < 0 {
		p.Number.Value = ""
	}
	metric := views.Pick{Name: "metric", Label: "Figure", Error: w.Fields["metric"]}
	for _, m := range tenants.AlertMetrics {
		metric.Choices = append(metric.Choices, page.Choice(m.Name, m.Title))
	}
	metric.Choices = page.Choose(r.Metric, metric.Choices...)
	p.What = []views.Pick{metric}
	way := "below"
	if r.Above {
		way = "above"
	}
	p.Bound = []views.Pick{{Name: "way", Label: "Alert when the figure is", Choices: page.Choose(way, page.Choice("below", "Below"),
		page.Choice("above", "Above"))}}
	p.Window = views.Pick{Name: "window", Label: "Period", Error: w.Fields["window"],
		Choices: spansOf(tenants.RuleWindows, r.Window)}
	p.Quiet = views.Pick{Name: "quiet", Label: "At most one alert in", Error: w.Fields["quiet"],
		Choices: spansOf(tenants.RuleQuiets, r.Quiet)}
	return p
}

// spansOf offers spans of time, in seconds.
func spansOf(all []time.Duration, chosen time.Duration) []views.Choice {
	out := make([]views.Choice, len(all))
	for i, d := range all {
		out[i] = page.Choice(strconv.Itoa(int(d/time.Second)), tenants.WindowText(d))
		if d == 0 {
			out[i].Text = "No pause"
		}
		out[i].Selected = d == chosen
	}
	return out
}
