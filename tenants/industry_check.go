package tenants

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// ParseIndustry reads one file. It returns every fault, each with its path in the file.
func ParseIndustry(text []byte) (IndustryFile, []error) {
	var f IndustryFile
	faults := readStrict(text, &f)
	if len(faults) > 0 {
		return f, faults // further checks would repeat them
	}
	c := industryCheck{f: f}
	c.whole()
	c.rules()
	c.defaults()
	c.sample()
	c.page()
	return f, c.faults
}

type industryCheck struct {
	f      IndustryFile
	faults []error
}

func (c *industryCheck) bad(is bool, path, format string, args ...any) {
	if is {
		c.faults = append(c.faults, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
	}
}

func (c *industryCheck) text(path, s string, least, most int) {
	c.bad(!ValidText(s, least, most), path, "give %d to %d characters on one line, no control characters", least, most)
}

func (c *industryCheck) whole() {
	c.bad(!validSlug(string(c.f.Slug)), "slug", "2 to 40 of a-z, 0-9 and '-', starting with a letter")
	c.text("name", c.f.Name, 2, 40)
	c.bad(c.f.Order < 0 || c.f.Order > 10_000, "order", "0 to 10000")
	c.text("caller.label", c.f.Caller.Label, 1, maxCaller)
	c.text("caller.help", c.f.Caller.Help, 10, 200)
}

// rules checks each rule. A law must bind: one on the loosest value would bind nothing.
func (c *industryCheck) rules() {
	r := c.f.Rules
	c.bad(!slices.Contains(payloads, r.Payload.Value), "rules.payload.value", "one of %s", listed(payloads))
	c.bad(!slices.Contains(consents, r.Consent.Value), "rules.consent.value", "one of %s", listed(consents))
	c.reason("rules.payload", r.Payload.Law, r.Payload.Value == PayloadLabel, r.Payload.Why, r.Payload.Source)
	c.reason("rules.quiet_hours", r.Quiet.Law, r.Quiet.Value.None(), r.Quiet.Why, r.Quiet.Source)
	c.reason("rules.consent", r.Consent.Law, r.Consent.Value == ConsentNone, r.Consent.Why, r.Consent.Source)
	c.reason("rules.recording_reason", r.Reason.Law, !r.Reason.Value, r.Reason.Why, r.Reason.Source)
	for _, kind := range DataKinds {
		_, ok := r.Retention[kind]
		c.bad(!ok, "rules.retention."+string(kind), "is missing")
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Retention)) {
		k, path := r.Retention[kind], "rules.retention."+string(kind)
		if !slices.Contains(DataKinds, kind) {
			c.bad(true, path, "there is no such kind; there are %s", listed(DataKinds))
			continue
		}
		c.bad(k.Days < 0 || k.Least < 0 || k.Most < 0 || k.Days > maxKept || k.Most > maxKept, path, "days are 0 to %d", maxKept)
		c.bad(k.Most > 0 && k.Least > k.Most, path+".least", "is more than most")
		c.bad(!k.May(k.Days), path+".days", "is outside of least and most")
		c.reason(path, k.Law, k.Least == 0 && k.Most == 0, k.Why, k.Source)
	}
}

// maxKept is the longest retention, in days: a hundred years.
const maxKept = 36_525

func (c *industryCheck) reason(path string, law, loosest bool, why, source string) {
	c.text(path+".why", why, 10, 300)
	c.bad(law && loosest, path+".law", "a law must ask for something, and this value is the loosest one")
	c.bad(law && source == "", path+".source", "is missing: a law needs its source")
	c.text(path+".source", source, 0, 200)
}

func (c *industryCheck) defaults() {
	c.bad(!c.f.DefaultRole.Known() || c.f.DefaultRole == Owner, "default_role", "one of %s", listed(Roles[1:])) // Roles[0] is Owner
	c.bad(len(c.f.Agents) < 1 || len(c.f.Agents) > 5, "agents", "1 to 5")
	for i, a := range c.f.Agents {
		path := fmt.Sprintf("agents[%d]", i)
		c.text(path+".name", a.Name, 1, 80)
		c.bad(!slices.Contains(Programs, a.Program), path+".program", "one of %s", listed(Programs))
	}
	c.bad(!validInstructions(c.f.Script) || len(c.f.Script) < 20, "script", "20 to %d characters", maxInstructions)
	seen := map[ConnectionRole]bool{}
	for i, e := range c.f.Connections {
		path := fmt.Sprintf("connections[%d]", i)
		c.bad(!slices.Contains(ConnectionRoles, e.Role), path+".role", "one of %s", listed(ConnectionRoles))
		c.bad(seen[e.Role], path+".role", "%s is in the list twice", e.Role)
		c.text(path+".why", e.Why, 10, 120)
		seen[e.Role] = true
	}
	c.alerts()
	c.steps()
}

func (c *industryCheck) alerts() {
	for i, a := range c.f.Alerts {
		path := fmt.Sprintf("alerts[%d]", i)
		m, known := MetricNamed(a.Metric)
		c.bad(!known || m.Detail != DetailNone, path+".metric", "one of %s", metricNames())
		c.bad((a.Above == nil) == (a.Below == nil), path, "give above or below, one of the two")
		for _, bound := range []*float64{a.Above, a.Below} {
			c.bad(bound != nil && (*bound < 0 || *bound > 1e6), path, "a bound is 0 to 1000000")
		}
		c.bad(a.Window < 5 || a.Window > 7*24*60, path+".window_minutes", "5 to 10080")
	}
}

func (c *industryCheck) steps() {
	c.bad(len(c.f.Checklist) < 1 || len(c.f.Checklist) > 12, "checklist", "1 to 12 steps")
	seen := map[StepCheck]bool{}
	for i, s := range c.f.Checklist {
		path := fmt.Sprintf("checklist[%d]", i)
		role, connection := s.Check.Connection()
		c.bad(!slices.Contains(StepChecks, s.Check) && !(connection && slices.Contains(ConnectionRoles, role)), path+".check",
			"one of %s, or connection: with one of %s", listed(StepChecks), listed(ConnectionRoles))
		c.bad(seen[s.Check], path+".check", "%s is in the list twice", s.Check)
		c.text(path+".title", s.Title, 3, 60)
		c.text(path+".text", s.Text, 10, 200)
		seen[s.Check] = true
	}
}

func (c *industryCheck) sample() {
	s := c.f.Sample
	c.bad(!validSlug(s.Slug), "sample.slug", "2 to 40 of a-z, 0-9 and '-', starting with a letter")
	c.text("sample.name", s.Name, 1, 80)
	c.bad(!ValidBundle(s.Bundle), "sample.bundle", "an app's bundle id such as com.example.app")
	c.text("sample.phone", s.Phone, 1, 40)
	c.text("sample.person", s.Person, 1, 64)
	c.bad(len(s.Devices) > 10, "sample.devices", "at most 10")
	for i, d := range s.Devices {
		path := fmt.Sprintf("sample.devices[%d]", i)
		for name, value := range map[string]string{"name": d.Name, "model": d.Model, "os_version": d.OS, "app_version": d.App,
			"person": d.Person} {
			c.text(path+"."+name, value, 1, 64)
		}
		c.bad(!slices.Contains(Habits, d.Habit), path+".habit", "one of %s", strings.Join(Habits, ", "))
	}
}

func (c *industryCheck) page() {
	p := c.f.Page
	c.text("page.short", p.Short, 10, 120)
	c.text("page.description", p.Description, 40, 170)
	c.text("page.title", p.Title, 5, 80)
	c.text("page.lead", p.Lead, 20, 400)
	for name, value := range map[string]string{"caller": p.Caller, "asked": p.Asked, "app": p.App, "reference": p.Reference} {
		c.text("page."+name, value, 1, maxCaller)
	}
	c.bad(p.TTL != 0 && (p.TTL < int(MinTTL/time.Second) || p.TTL > int(MaxTTL/time.Second)), "page.ttl_s", "5 to 60 seconds")
	c.bad(len(p.Steps) != 3, "page.steps", "give three")
	c.bad(len(p.Asks) < 1 || len(p.Asks) > 8, "page.asks", "1 to 8")
	for name, list := range map[string][]NamedText{"steps": p.Steps, "asks": p.Asks} {
		for i, t := range list {
			c.text(fmt.Sprintf("page.%s[%d].name", name, i), t.Name, 3, 80)
			c.text(fmt.Sprintf("page.%s[%d].text", name, i), t.Text, 10, 400)
		}
	}
}
