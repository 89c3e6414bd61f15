package views

import (
	"slices"
	"strings"

	"carillon/app/language"
	"carillon/tenants"
)

// navEntry is one entry of the navigation.
type navEntry struct {
	nav   Nav
	text  string
	path  string
	icon  Icon
	chord string // the key after g
}

type navGroup struct {
	title   string
	entries []navEntry
}

var navGroups = []navGroup{
	{"", []navEntry{
		{NavOverview, "Overview", PathOverview, IconOverview, "o"},
		{NavTest, "Test ring", PathTestRing, IconRing, "t"},
		{NavRings, "Rings", PathRings, IconIncoming, "r"},
		{NavAnalytics, "Analytics", PathAnalytics, IconChart, "y"},
		{NavAlerts, "Alerts", PathAlerts, IconBell, "n"},
	}},
	{"Phones and agents", []navEntry{
		{NavDevices, "Devices", PathDevices, IconDevice, "d"},
		{NavHealth, "Phone health", PathPhoneHealth, IconActivity, "w"},
		{NavAgents, "Agents", PathAgents, IconAgent, "a"},
		{NavGroups, "Groups", PathGroups, IconPeople, "g"},
		{NavSchedules, "Schedules", PathSchedules, IconClock, "e"},
		{NavConsents, "Consents", PathConsents, IconCheck, "v"},
		{NavCredentials, "Apple credentials", PathCredentials, IconCredential, "c"},
		{NavConnections, "Connections", PathConnections, IconPlug, "i"},
	}},
	{"Account", []navEntry{
		{NavPeople, "People", PathPeople, IconPeople, "p"},
		{NavKeys, "API keys", PathKeys, IconKey, "k"},
		{NavAudit, "Audit log", PathAudit, IconAudit, "l"},
		{NavBilling, "Billing", PathBilling, IconCard, "b"},
		{NavSettings, "Settings", PathSettings, IconSettings, "s"},
		{NavDevelopers, "For developers", PathDevelopers, IconDocs, "h"},
	}},
}

var themeChoices = []struct {
	theme Theme
	text  string
	icon  Icon
}{
	{ThemeAuto, "Auto", IconAuto},
	{ThemeLight, "Light", IconSun},
	{ThemeDark, "Dark", IconMoon},
}

func pressed(yes bool) string {
	if yes {
		return "true"
	}
	return "false"
}

func (s Shell) zone() string {
	if s.TimeZone == "" {
		return "UTC"
	}
	return s.TimeZone
}

// PaletteLinks is every page of the menu as links of the palette, with the usual actions.
func PaletteLinks() []Link {
	var links []Link
	for _, g := range navGroups {
		for _, r := range g.entries {
			links = append(links, Link{Text: r.text, Href: r.path, Icon: r.icon, Hint: "g " + r.chord})
		}
	}
	return append(links,
		Link{Text: "Alert rules", Href: PathAlertRules, Icon: IconBell, Hint: "Page"},
		Link{Text: "Alert targets", Href: PathAlertTargets, Icon: IconSend, Hint: "Page"},
		Link{Text: "Weekly email", Href: PathDigestPreview, Icon: IconMail, Hint: "Page"},
		Link{Text: "Invoices", Href: PathInvoices, Icon: IconCard, Hint: "Page"},
		Link{Text: "What each role may do", Href: PathRoles, Icon: IconPeople, Hint: "Page"},
		Link{Text: "All rules of your industry", Href: PathRules, Icon: IconSettings, Hint: "Page"},
		Link{Text: "Data, export and deletion", Href: PathData, Icon: IconDownload, Hint: "Page"},
		Link{Text: "Sign-in through your own provider", Href: PathProvider, Icon: IconKey, Hint: "Page"},
		Link{Text: "Verify and review the audit log", Href: PathAuditReview, Icon: IconAudit, Hint: "Page"},
		Link{Text: "Your account, password and sign-ins", Href: PathAccount, Icon: IconPeople, Hint: "Page"},
		Link{Text: "Export rings as a file", Href: PathRingsCSV, Icon: IconDownload, Hint: "Action"},
		Link{Text: "Export devices as a file", Href: PathDevicesCSV, Icon: IconDownload, Hint: "Action"},
		Link{Text: "Devices that are registered twice", Href: PathDevicesAlike, Icon: IconDevice, Hint: "Action"},
		Link{Text: "Import devices", Href: PathDevicesImport, Icon: IconUpload, Hint: "Action"},
		Link{Text: "Pair a device", Href: PathPair, Icon: IconQR, Hint: "Action"},
		Link{Text: "Add an Apple credential", Href: PathCredAdd, Icon: IconUpload, Hint: "Action"},
		Link{Text: "Add agent", Href: PathAgentAdd, Icon: IconPlus, Hint: "Action"},
		Link{Text: "Add group", Href: PathGroupAdd, Icon: IconPlus, Hint: "Action"},
		Link{Text: "Add schedule", Href: PathScheduleAdd, Icon: IconPlus, Hint: "Action"},
		Link{Text: "Record consent", Href: PathConsentAdd, Icon: IconPlus, Hint: "Action"},
		Link{Text: "Add connection", Href: PathConnectionAdd, Icon: IconPlug, Hint: "Action"},
		Link{Text: "Create an API key", Href: PathKeyAdd, Icon: IconKey, Hint: "Action"},
		Link{Text: "Invite person", Href: PathPersonAdd, Icon: IconPersonAdd, Hint: "Action"},
	)
}

// Command is an entry of the palette that does something at once: a form of one button.
type Command struct {
	Text, Action, Name, Value string
	Icon                      Icon
}

// PaletteCommands are the commands that fit what was typed, for a page in a language.
func PaletteCommands(tag, typed string) []Command {
	all := []Command{
		{Text: "Dark appearance", Action: PathTheme, Name: "theme", Value: string(ThemeDark), Icon: IconMoon},
		{Text: "Light appearance", Action: PathTheme, Name: "theme", Value: string(ThemeLight), Icon: IconSun},
		{Text: "Sign out", Action: PathSignOut, Icon: IconSignOut},
	}
	return slices.DeleteFunc(all, func(c Command) bool { return !Mentions(c.Text, tag, typed) })
}

// Mentions tells whether one of our texts has each of the words that were typed, in English or in
// the language of the page, whatever their case and accents.
func Mentions(text, tag, typed string) bool {
	if c, ok := language.In(tag); ok {
		said, _ := c.Line(text)
		text += "\n" + said
	}
	text = tenants.Unaccented(text)
	for _, word := range strings.Fields(tenants.Unaccented(typed)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}
