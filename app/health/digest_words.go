package health

import (
	"bytes"
	"fmt"
	"html/template"
	"strings"
	"time"

	"carillon/app/notify"
	"carillon/tenants"
)

// digestPart is a heading with its lines.
type digestPart struct {
	Title string
	Lines []string
	Link  string
	Text  string // of the link
}

// digestMail is a weekly mail as its template draws it.
type digestMail struct {
	Title string
	Parts []digestPart
	Off   string
}

var digestHTML = template.Must(template.New("digest").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{{.Title}}</title></head>
<body style="max-width:36rem;margin:0 auto;padding:1rem;font-family:system-ui,sans-serif;line-height:1.5">
<h1>{{.Title}}</h1>
{{range .Parts}}<h2>{{.Title}}</h2>
<ul>
{{range .Lines}}<li>{{.}}</li>
{{end}}</ul>
{{if .Link}}<p><a href="{{.Link}}">{{.Text}}</a></p>
{{end}}{{end}}<p>You get this email every Monday. <a href="{{.Off}}">Turn it off</a>.</p>
</body></html>
`))

// compose writes the weekly mail as text and as HTML. off turns it off.
func (d *Digest) compose(w digestWeek, to, off string) notify.Mail {
	last := w.span.To.Add(-time.Hour)
	m := digestMail{Off: off, Title: fmt.Sprintf("%s, %s to %s", w.tenant.Name, w.span.From.In(w.tenant.Zone()).Format("2 January"),
		last.In(w.tenant.Zone()).Format("2 January 2006"))}
	m.Parts = append(m.Parts, digestPart{"Rings", digestRings(w.now, w.before), d.Pages.Analytics, "All figures"})
	reasons := digestPart{Title: "Why some phones showed no call"}
	for _, r := range w.reasons {
		cause, cure := d.Words(r)
		words := strings.TrimSpace(cause + " " + cure)
		reasons.Lines = append(reasons.Lines, timesOf(r.N)+": "+words)
	}
	silent := digestPart{Title: "Devices that were silent for 7 days", Link: d.Pages.Silent, Text: "All silent devices"}
	for _, x := range w.silent {
		silent.Lines = append(silent.Lines, digestDevice(x, w.tenant.Zone()))
	}
	if w.moreSilent {
		silent.Lines = append(silent.Lines, "And more.")
	}
	alerts := digestPart{Title: "Open alerts", Link: d.Pages.Alerts, Text: "All alerts"}
	for _, a := range w.alerts {
		alerts.Lines = append(alerts.Lines, a.Kind.Title()+". "+a.Detail)
	}
	for _, p := range []digestPart{reasons, silent, alerts} {
		if len(p.Lines) > 0 {
			m.Parts = append(m.Parts, p)
		}
	}
	if len(w.alerts) == 0 {
		m.Parts = append(m.Parts, digestPart{Title: "Open alerts", Lines: []string{"None."}})
	}
	var html bytes.Buffer
	_ = digestHTML.Execute(&html, m) // into memory, of a fixed template
	return notify.Mail{To: to, Subject: "Carillon: the week of " + w.tenant.Name, Text: m.text(), HTML: html.String(), Unsubscribe: off}
}

func (m digestMail) text() string {
	var b strings.Builder
	b.WriteString(m.Title + "\n")
	for _, p := range m.Parts {
		b.WriteString("\n" + p.Title + "\n")
		for _, line := range p.Lines {
			b.WriteString("- " + line + "\n")
		}
		if p.Link != "" {
			b.WriteString(p.Text + ": " + p.Link + "\n")
		}
	}
	b.WriteString("\nYou get this email every Monday. Turn it off: " + m.Off + "\n")
	return b.String()
}

// digestRings says how many rings there were and how many were answered, beside the week before.
func digestRings(now, before tenants.Counts) []string {
	if now.Rings == 0 {
		return []string{fmt.Sprintf("No rings. There were %s the week before.", tenants.FormatCount(int(before.Rings)))}
	}
	out := []string{fmt.Sprintf("%s rings, %s the week before.", tenants.FormatCount(int(now.Rings)),
		tenants.FormatCount(int(before.Rings)))}
	if now.Rings == 1 {
		out[0] = fmt.Sprintf("One ring, %s the week before.", tenants.FormatCount(int(before.Rings)))
	}
	if now.Over() == 0 {
		return out
	}
	rate := 100 * now.Answered / now.Over()
	line := fmt.Sprintf("%d %% were answered.", rate)
	if before.Over() > 0 {
		line = fmt.Sprintf("%d %% were answered, %d %% the week before.", rate, 100*before.Answered/before.Over())
	}
	return append(out, line, fmt.Sprintf("%s missed, %s declined, %s cancelled, %s failed.", tenants.FormatCount(int(now.Missed)),
		tenants.FormatCount(int(now.Declined)), tenants.FormatCount(int(now.Cancelled)), tenants.FormatCount(int(now.Failed))))
}

// timesOf says how often something happened, at the start of a line.
func timesOf(n int64) string {
	if n == 1 {
		return "Once"
	}
	return tenants.FormatCount(n) + " times"
}

func digestDevice(x tenants.Device, zone *time.Location) string {
	name := x.Name
	if name == "" {
		name = "A device without a name"
	}
	return name + ", last seen on " + x.SeenAt.In(zone).Format("2 January 2006") + "."
}
