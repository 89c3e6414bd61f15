package views

// room is one entry of the navigation.
type room struct {
	room  Room
	text  string
	path  string
	icon  Icon
	chord string // the key after g
}

type roomGroup struct {
	title string
	rooms []room
}

var roomGroups = []roomGroup{
	{"", []room{
		{RoomOverview, "Overview", PathOverview, IconOverview, "o"},
		{RoomTest, "Test ring", PathTestRing, IconRing, "t"},
		{RoomRings, "Rings", PathRings, IconIncoming, "r"},
		{RoomAlerts, "Alerts", PathAlerts, IconBell, "n"},
	}},
	{"Reach", []room{
		{RoomDevices, "Devices", PathDevices, IconDevice, "d"},
		{RoomWatch, "Do phones wake?", PathWatch, IconActivity, "w"},
		{RoomAgents, "Agents", PathAgents, IconAgent, "a"},
		{RoomCredentials, "Apple credentials", PathCredentials, IconCredential, "c"},
	}},
	{"Account", []room{
		{RoomPeople, "People", PathPeople, IconPeople, "p"},
		{RoomKeys, "API keys", PathKeys, IconKey, "k"},
		{RoomAudit, "Audit log", PathAudit, IconAudit, "l"},
		{RoomBilling, "Billing", PathBilling, IconCard, "b"},
		{RoomSettings, "Settings", PathSettings, IconSettings, "s"},
		{RoomDevelopers, "For developers", PathDevelopers, IconDocs, "h"},
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

// paletteLinks is every room, the usual actions, and what the caller adds.
func (s Shell) paletteLinks() []Link {
	var links []Link
	for _, g := range roomGroups {
		for _, r := range g.rooms {
			links = append(links, Link{Text: r.text, Href: r.path, Icon: r.icon, Hint: "g " + r.chord})
		}
	}
	links = append(links,
		Link{Text: "Pair a device", Href: PathPair, Icon: IconQR, Hint: "Action"},
		Link{Text: "Add an Apple credential", Href: PathCredAdd, Icon: IconUpload, Hint: "Action"},
		Link{Text: "Add an agent", Href: PathAgentAdd, Icon: IconPlus, Hint: "Action"},
		Link{Text: "Create an API key", Href: PathKeyAdd, Icon: IconKey, Hint: "Action"},
		Link{Text: "Add a person", Href: PathPersonAdd, Icon: IconPersonAdd, Hint: "Action"},
	)
	return append(links, s.Palette...)
}
