package console

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

const (
	groupsLead  = "A group rings several people: all at once, one after the other, or in turn. Programs ring it by its ID."
	membersHelp = "Write one person per line, with the ID that their phone has. To ring a person only on duty, add a comma and the " +
		"name of a schedule: ana.ruiz, Night shift."
	stepLabel   = "Seconds for each step"
	stepHelp    = "5 to 60. All steps together last at most 300 seconds."
	wrongMoment = "Choose a date and a time, such as 2026-12-24 22:00."
)

var groupWords = page.Words{
	Name: "Groups", Path: views.PathGroups, CSV: views.PathGroupsCSV, File: "groups", Search: "Name", One: "group", Many: "groups",
	Empty: views.Empty{Icon: views.IconPeople, Text: "A group rings several people, at once or one after the other."},
	Add:   views.Button{Text: "Add group", Href: views.PathGroupAdd, Icon: views.IconPlus, Kind: views.Primary},
	Sorts: page.Newest(page.Sort{Key: "name", Text: "Name, A to Z"}, page.Sort{Key: "-name", Text: "Name, Z to A"},
		page.Sort{Key: "way", Text: "By way"}, page.Sort{Key: "-way", Text: "By way, reversed"}),
}

// groupGoes is what happens when a group is removed.
var groupGoes = []string{"Rings to this group are refused.", "Rings to it that are under way go on.",
	"Groups that ring it when nobody answers end their rings instead."}

func momentHelp(zone *time.Location) string { return "In " + zone.String() + ". Empty is now." }

func sortedGroups(all map[tenants.GroupID]tenants.Group) []tenants.Group {
	return slices.SortedFunc(maps.Values(all), func(a, b tenants.Group) int { return cmp.Compare(a.Name, b.Name) })
}

// membersText is the members as they are typed.
func membersText(g tenants.Group, schedules map[tenants.ScheduleID]tenants.Schedule) string {
	var lines []string
	for _, m := range g.Members {
		line := m.Person
		if s, ok := schedules[m.Schedule]; ok {
			line += ", " + s.Name
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// readMembers reads members as they were typed. A schedule that does not exist is refused.
func readMembers(text string, schedules map[tenants.ScheduleID]tenants.Schedule) (members []tenants.GroupMember, err error) {
	for line := range strings.Lines(text) {
		person, name, timed := strings.Cut(line, ",")
		m := tenants.GroupMember{Person: strings.TrimSpace(person)}
		name = strings.TrimSpace(name)
		if m.Person == "" && name == "" {
			continue
		}
		if timed && name != "" {
			for id, s := range schedules {
				if strings.EqualFold(s.Name, name) {
					m.Schedule = id
				}
			}
			if m.Schedule == "" {
				return nil, wrongField("members", "there is no schedule with this name; add it under Schedules first")
			}
		}
		members = append(members, m)
	}
	return members, nil
}

var stepWords = map[tenants.StepState]struct {
	tone views.Tone
	text string
}{
	tenants.StepPlanned: {views.ToneInfo, ""}, tenants.StepRung: {views.ToneGood, "Rung"},
	tenants.StepLeftOut: {views.ToneWarn, "Left out"}, tenants.StepDropped: {views.ToneNeutral, "Not needed"},
}

// The words of a planned step: of a ring, and of the answer to who would ring.
const (
	stepToCome    = "To come"
	stepWouldRing = "Rings"
)

// stepRows are the steps of a ring to a group. planned is the word of one that has not begun.
func stepRows(steps []tenants.Step, planned string) (rows []views.StepRow) {
	for _, s := range steps {
		row := views.StepRow{Person: s.Person, Tone: stepWords[s.State].tone, State: orElse(stepWords[s.State].text, planned),
			Reason: s.Reason + "."}
		if s.Wave > 0 {
			row.When = "at once, for " + stepSeconds(s.For)
			if s.After > 0 {
				row.When = "after " + stepSeconds(s.After) + ", for " + stepSeconds(s.For)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func stepSeconds(d time.Duration) string { return strconv.Itoa(int(d/time.Second)) + " s" }
