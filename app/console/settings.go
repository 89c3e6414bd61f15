package console

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/language"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// settingsPages serve the tenant's settings.
type settingsPages struct{ *Console }

// zones are the time zones to choose from: one for each offset and rule that many people live by.
// The tenant's own is always among them.
var zones = []string{
	"UTC", "Africa/Cairo", "Africa/Casablanca", "Africa/Johannesburg", "Africa/Lagos", "Africa/Nairobi", "America/Anchorage",
	"America/Argentina/Buenos_Aires",
	"America/Bogota", "America/Caracas", "America/Chicago", "America/Denver", "America/Halifax", "America/Lima", "America/Los_Angeles",
	"America/Mexico_City",
	"America/New_York", "America/Phoenix", "America/Santiago", "America/Sao_Paulo", "America/St_Johns", "America/Toronto",
	"America/Vancouver", "Asia/Bangkok",
	"Asia/Dhaka", "Asia/Dubai", "Asia/Hong_Kong", "Asia/Istanbul", "Asia/Jakarta", "Asia/Jerusalem", "Asia/Karachi", "Asia/Kathmandu",
	"Asia/Kolkata",
	"Asia/Manila", "Asia/Riyadh", "Asia/Seoul", "Asia/Shanghai", "Asia/Singapore", "Asia/Taipei", "Asia/Tashkent", "Asia/Tehran",
	"Asia/Tokyo", "Atlantic/Azores",
	"Atlantic/Reykjavik", "Australia/Adelaide", "Australia/Brisbane", "Australia/Darwin", "Australia/Perth", "Australia/Sydney",
	"Europe/Amsterdam",
	"Europe/Athens", "Europe/Berlin", "Europe/Brussels", "Europe/Bucharest", "Europe/Budapest", "Europe/Copenhagen", "Europe/Dublin",
	"Europe/Helsinki",
	"Europe/Kyiv", "Europe/Lisbon", "Europe/London", "Europe/Madrid", "Europe/Oslo", "Europe/Paris", "Europe/Prague", "Europe/Rome",
	"Europe/Stockholm",
	"Europe/Vienna", "Europe/Warsaw", "Europe/Zurich", "Pacific/Auckland", "Pacific/Honolulu",
}

func zoneChoices(own string) []views.Choice {
	all := zones
	if !slices.Contains(all, own) {
		all = append([]string{own}, all...)
	}
	out := make([]views.Choice, len(all))
	for i, z := range all {
		out[i] = views.Choice{Value: z, Text: z, Selected: z == own}
	}
	return out
}

func (k settingsPages) settings(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.settingsPage(ctx, c, v, settingsEdit{tenant: v.Tenant, wrong: page.Wrong{Status: fiber.StatusOK}})
}

// settingsEdit is the tenant as it is or as it was typed, and what is wrong with either form.
type settingsEdit struct {
	tenant tenants.Tenant
	wrong  page.Wrong

	recording *tenants.RecordingRule // as it was typed; nil = as it is
}

// settingsPage shows the tenant.
func (k settingsPages) settingsPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, e settingsEdit) error {
	t, w := e.tenant, e.wrong
	p := views.SettingsPage{
		Error:   w.Unseen("name", "time_zone", "ring_ttl_s", "policy", "reason", "announcement"),
		CanEdit: v.Role.May(maySettings), Industry: t.File().Name, Payload: payloadOf(v.Tenant),
		Name:     views.Field{Name: "name", Label: "Name", Value: page.Shown(t.Name, 80), Max: 80, Error: w.Fields["name"]},
		Zone:     views.Pick{Name: "time_zone", Label: "Time zone", Choices: zoneChoices(v.Tenant.TimeZone), Error: w.Fields["time_zone"]},
		Language: languagePick(t.Language, w.Fields["language"]),
		TTL: views.Field{Name: "ttl_s", Label: ringTimeLabel, Type: "number", Value: strconv.Itoa(int(t.RingTTL / time.Second)),
			Error: w.Fields["ring_ttl_s"],
			Help:  ringTimeHelp},
		Facts: []views.Row{{Name: "Tenant id", Text: string(t.ID), Copy: true}, {Name: "Short name", Text: t.Slug, Mono: true},
			{Name: "Industry", Text: t.File().Name}, {Name: "Since", When: v.At(t.CreatedAt)}},
	}
	p.Look = lookOf(v, k.Now())
	p.TwoSteps = views.TwoStepsRule{On: v.Tenant.TwoSteps, May: v.Role == tenants.Owner}
	agents, err := agentChoices(ctx, v, string(t.DefaultAgent))
	if err != nil {
		return err
	}
	p.Agent = views.Pick{Name: "agent", Label: "Default agent", Choices: agents}
	if p.Recording, err = recordingForm(ctx, v, e); err != nil {
		return err
	}
	if p.Shell, err = k.shell(ctx, c, v, at("Settings", views.NavSettings)); err != nil {
		return err
	}
	return web.Page(c, views.Settings(p), w.Status)
}

// setSettings changes name, time zone, time to live and default agent. Slug and industry are the
// operator's to change.
func (k settingsPages) setSettings(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f, t := page.FormOf(c), v.Tenant
	seconds, err := strconv.Atoi(f.Text("ttl_s"))
	if err != nil || seconds < 0 || seconds > 3600 {
		seconds = 0
	}
	t.Name, t.TimeZone, t.RingTTL = f.Text("name"), f.Text("time_zone"), time.Duration(seconds)*time.Second
	if t.Language = f.Text("language"); t.Language != "" && !language.Known(t.Language) {
		t.Language = v.Tenant.Language
	}
	agent, ok := tenants.ParseID[tenants.AgentID](f.Text("agent"))
	if !ok && f.Text("agent") != "" {
		return tenants.NoSuch("agent")
	}
	t.DefaultAgent = agent
	if err = t.Check(); err == nil {
		err = v.Scope.SetTenant(ctx, t)
	}
	if w, ok := page.WrongOf(err); ok {
		return k.settingsPage(ctx, c, v, settingsEdit{tenant: t, wrong: w})
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashSaved, views.PathSettings)
}
