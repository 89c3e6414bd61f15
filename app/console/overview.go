package console

import (
	"context"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// periods are what the overview can look back on.
var periods = []struct {
	name, text, words string
	back              time.Duration
}{
	{"day", "24 hours", "the last 24 hours", 24 * time.Hour},
	{"week", "7 days", "the last 7 days", 7 * 24 * time.Hour},
	{"month", "30 days", "the last 30 days", 30 * 24 * time.Hour},
}

// dailyDays is how many days stand in the bars.
const dailyDays = 14

// counts are a funnel's rows by fact.
type counts map[tenants.FactKind]store.FunnelRow

func countsOf(rows []store.FunnelRow) counts {
	out := counts{}
	for _, r := range rows {
		out[r.Fact] = r
	}
	return out
}

func (c counts) n(k tenants.FactKind) int { return int(c[k].N) }

// day is one day's rings.
type day struct {
	date   time.Time
	counts counts
}

func (k *Console) overview(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	chosenAt := 0
	for i, p := range periods {
		if web.Query(c, "period") == p.name {
			chosenAt = i
		}
	}
	chosen := periods[chosenAt]
	rows, err := k.figures.of(ctx, v.scope, figure{tenant: v.tenant.ID, back: chosen.back})
	if err != nil {
		return err
	}
	days, err := k.daysOf(ctx, v)
	if err != nil {
		return err
	}
	p := views.OverviewPage{Funnel: funnelOf(countsOf(rows), chosen.words), Latency: latencyOf(countsOf(rows), chosen.words), Daily: dailyOf(days)}
	for i, t := range periods {
		p.Periods = append(p.Periods, views.Tab{Text: t.text, Href: views.PathOverview + "?period=" + t.name, Current: i == chosenAt})
	}
	recent, _, err := v.scope.Rings(ctx, store.RingQuery{Limit: 6})
	if err != nil {
		return err
	}
	n, err := namesOf(ctx, v.scope, recent...)
	if err != nil {
		return err
	}
	p.Recent, p.HasRings = ringRows(recent, n, v.zone), len(recent) > 0
	if err := k.overviewReach(ctx, c, v, &p, days); err != nil {
		return err
	}
	if p.Shell, err = k.shell(ctx, c, v, at("Overview", views.RoomOverview)); err != nil {
		return err
	}
	return web.Page(c, views.Overview(p), fiber.StatusOK)
}

// overviewReach fills in what depends on devices and credentials: figures, health and first steps.
func (k *Console) overviewReach(ctx context.Context, c *fiber.Ctx, v *visitor, p *views.OverviewPage, days []day) error {
	credentials, _, err := v.scope.Credentials(ctx, store.Page{Limit: perPage})
	if err != nil {
		return err
	}
	devices, err := v.scope.CountDevices(ctx)
	if err != nil {
		return err
	}
	p.Stats, p.Health = statsOf(days, devices), k.healthRows(credentials, v)
	p.CanRing = devices > 0 && reachOf(credentials) != views.EnvNone
	if c.Cookies(doneCookie) != string(v.tenant.ID) && v.role.May() {
		p.Checklist, err = k.checklist(ctx, v, reachOf(credentials) != views.EnvNone, devices > 0, days)
	}
	return err
}

// daysOf are the last days' counts, oldest first. A day is a day of UTC: the tallies are kept by its hours.
func (k *Console) daysOf(ctx context.Context, v *visitor) ([]day, error) {
	rows, err := k.figures.of(ctx, v.scope, figure{tenant: v.tenant.ID, back: dailyDays * 24 * time.Hour, by: "day"})
	if err != nil {
		return nil, err
	}
	today := k.Now().UTC().Truncate(24 * time.Hour)
	days := make([]day, dailyDays)
	at := map[string]int{}
	for i := range days {
		days[i] = day{date: today.AddDate(0, 0, i-dailyDays+1), counts: counts{}}
		at[days[i].date.Format(time.DateOnly)] = i
	}
	for _, r := range rows {
		if i, ok := at[r.Group]; ok {
			days[i].counts[r.Fact] = r
		}
	}
	return days, nil
}

func (d day) answered() int { return d.counts.n(tenants.FactAnswered) }

func (d day) failed() int {
	return d.counts.n(tenants.FactRefused) + d.counts.n(tenants.FactFailedToShow)
}

func (d day) missed() int {
	return max(0, d.counts.n(tenants.FactPlaced)-d.answered()-d.failed())
}

func dailyOf(days []day) views.Daily {
	out := views.Daily{Period: "the last 14 days", Zone: "UTC"}
	for _, d := range days {
		out.Days = append(out.Days, views.Day{Label: d.date.Format("Mon 2 Jan"), ISO: d.date.Format(time.DateOnly), Answered: d.answered(), Missed: d.missed(), Failed: d.failed()})
	}
	return out
}

// funnelSteps are the steps that a person reads, each with where to look at what was lost before it.
var funnelSteps = []struct {
	fact               tenants.FactKind
	name, means, state string
}{
	{tenants.FactAccepted, "Accepted", "Apple took the push", "failed"},
	{tenants.FactWoke, "Woke", "the phone started the app", "missed"},
	{tenants.FactShown, "Shown", "the call was on the screen", "missed"},
	{tenants.FactAnswered, "Answered", "a person picked up", "missed"},
	{tenants.FactConnected, "Voice", "both could hear each other", "failed"},
}

func funnelOf(c counts, words string) views.Funnel {
	f := views.Funnel{Period: words}
	for _, s := range funnelSteps {
		f.Steps = append(f.Steps, views.FunnelStep{Name: s.name, Means: s.means, Count: c.n(s.fact), Href: views.PathRings + "?state=" + s.state})
	}
	f.Steps[0].Href = ""
	return f
}

// hopNames are the waits before each hop.
var hopNames = map[tenants.FactKind]string{
	tenants.FactSent: "Placed → sent to Apple", tenants.FactAccepted: "Sent → Apple’s yes", tenants.FactWoke: "Apple’s yes → phone awake",
	tenants.FactShown: "Awake → call on screen", tenants.FactAnswered: "On screen → picked up", tenants.FactConnected: "Picked up → first sound",
}

func latencyOf(c counts, words string) views.Latency {
	l := views.Latency{Period: words}
	for _, h := range tenants.Hops[1:] {
		row := views.HopLatency{Name: hopNames[h.Fact]}
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

// statsOf are the four figures of today.
func statsOf(days []day, devices int) []views.Stat {
	today, before := days[len(days)-1], days[len(days)-2]
	placed := func(d day) int { return d.counts.n(tenants.FactPlaced) }
	rings := views.Stat{Label: "Rings today", Value: views.Count(placed(today)), Note: views.Count(placed(before)) + " yesterday", Href: views.PathRings + "?period=day"}
	answered := views.Stat{Label: "Answered", Value: "–", Note: "nothing to measure yet"}
	wait := views.Stat{Label: "Apple’s yes to phone awake", Value: "–", Note: "nothing to measure yet"}
	for _, d := range days {
		rings.Days = append(rings.Days, placed(d))
		answered.Days = append(answered.Days, share(d.answered(), placed(d)))
		wait.Days = append(wait.Days, percentile(d.counts[tenants.FactWoke], 0.5))
	}
	if n := placed(today); n > 0 {
		answered.Value = strconv.Itoa(share(today.answered(), n)) + " %"
		answered.Note = views.Count(today.answered()) + " of " + views.Count(n) + " picked up"
	}
	if ms := percentile(today.counts[tenants.FactWoke], 0.5); ms > 0 {
		wait.Value, wait.Note = views.Millis(ms), "half of the phones were faster"
	}
	phones := views.Stat{Label: "Devices", Value: views.Count(devices), Note: "can be rung", Href: views.PathDevices}
	if devices == 0 {
		phones.Note, phones.Tone = "pair the first one", views.ToneWarn
	}
	return []views.Stat{rings, answered, wait, phones}
}

// share is a part in per cent.
func share(part, whole int) int {
	if whole == 0 {
		return 0
	}
	return min(100, (200*part+whole)/(2*whole))
}

// healthMost bounds the credentials on the overview.
const healthMost = 5

func (k *Console) healthRows(all []tenants.Credential, v *visitor) []views.Health {
	var out []views.Health
	for _, c := range all {
		if len(out) == healthMost {
			break
		}
		h := k.stateOf(c)
		row := views.Health{Name: credentialName(c), Href: views.CredentialPath(string(c.ID)), Tone: h.tone, Word: h.text, Note: c.Bundle + ", not used yet"}
		if !c.LastUsedAt.IsZero() {
			row.Note, row.When = c.Bundle+", Apple last accepted it", v.at(c.LastUsedAt)
		}
		if h.tone == views.ToneBad && c.LastError != "" {
			row.Note, row.When = c.Bundle+", Apple’s word for it: "+c.LastError+",", v.at(c.LastErrorAt)
		}
		out = append(out, row)
	}
	return out
}

// checklist is what is left to do before rings work, checked off from what is true; nil when nothing is.
func (k *Console) checklist(ctx context.Context, v *visitor, credential, device bool, days []day) (*views.Checklist, error) {
	answered := false
	for _, d := range days {
		answered = answered || d.answered() > 0
	}
	members, _, err := v.scope.Members(ctx, store.Page{Limit: 2})
	if err != nil {
		return nil, err
	}
	invited, err := v.scope.Invitations(ctx)
	if err != nil {
		return nil, err
	}
	return &views.Checklist{Title: "Before the first phone rings", Steps: []views.Step{
		{Text: "Your organisation is set up", Why: "Name, time zone and who may sign in.", Href: views.PathSettings, Action: "Look", Done: true},
		{Text: "Add your Apple key", Why: "Apple only rings phones for someone it knows. It is one file from your developer account.", Href: views.PathCredAdd, Action: "Add key", Done: credential},
		{Text: "Pair a phone", Why: "Scan a code with your app. It takes a minute.", Href: views.PathPair, Action: "Pair", Done: device},
		{Text: "Ring it and pick up", Why: "Press one button, pick up, and hear the bells.", Href: views.PathTestRing, Action: "Ring a test", Done: answered},
		{Text: "Add a colleague", Why: "So that someone can help when you are away.", Href: views.PathPersonAdd, Action: "Add", Done: len(members) > 1 || len(invited) > 0},
	}}, nil
}
