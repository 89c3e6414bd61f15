package operator

import (
	"strconv"
	"strings"
	"time"

	"carillon/app/push"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
	pages "carillon/views/operator"
)

const (
	healthTitle = "Health"
	mailFull    = "The queue of emails is full. Wait a moment and try again."
)

// backupOld is from when on the last backup is too old.
const backupOld = 8 * 24 * time.Hour

// troubles are what an operator should look at now.
func troubles(s Server, q store.Queues, now time.Time) (all []views.Callout) {
	if s.NoRoom != "" {
		all = append(all, views.Callout{Tone: views.ToneBad, Title: "The server refuses new work.", Cause: s.NoRoom,
			Cure: "Give it more descriptors, disk or memory."})
	}
	if s.Draining {
		all = append(all, views.Callout{Tone: views.ToneWarn, Title: "This node is stopping. It takes no new rings."})
	}
	if !s.NATSAway.IsZero() {
		all = append(all, views.Callout{Tone: views.ToneBad, Title: "NATS has been away for " + spanShown(now.Sub(s.NATSAway)) + ".",
			Cause: "Rings go out and calls go on. Pages learn from the database what other nodes do, up to 2 seconds late. A phone whose " +
				"request reaches another node than its call is asked to try again.",
			Cure: "Start NATS again, or look at the network between it and this node. The connection comes back by itself."})
	}
	if !s.BackupAt.IsZero() && now.Sub(s.BackupAt) > backupOld {
		all = append(all, views.Callout{Tone: views.ToneWarn,
			Title: "The last backup is " + views.Plural(int(now.Sub(s.BackupAt).Hours()/24), "day", "days") + " old.",
			Cure:  "Run “carillon backup” each day, for example from a timer, and look at what stopped it."})
	}
	if late(q.Rings, now) {
		all = append(all, views.Callout{Tone: views.ToneBad, Title: "Rings are not ended in time.",
			Cause: "The sweep of unanswered rings is behind.", Cure: "Look at the load of the database and at the log."})
	}
	return all
}

// apart says what nodes differ in although they should not.
func apart(nodes, gone []store.Node, now time.Time) (all []views.Callout) {
	u := store.Compare(nodes, gone)
	if u.ClocksBad() {
		all = append(all, views.Callout{Tone: views.ToneWarn,
			Title: "The clocks of nodes and the database are " + offShown(u.Clocks) + " apart.",
			Cause: "Rings follow the clock of the database. Apple may refuse tokens, and one-time passwords and logs do not fit.",
			Cure:  "Synchronise the clocks, for example with chrony."})
	}
	if u.ProgramsBad(now) {
		all = append(all, views.Callout{Tone: views.ToneWarn, Title: "Nodes of " + count(int64(u.Programs)) + " versions run.",
			Cause: "They have run beside each other for " + spanShown(now.Sub(u.Since)) + ". An upgrade replaces one after the other.",
			Cure:  "Upgrade the nodes that are left, or stop them."})
	}
	return all
}

// nodeRows are the nodes that live; none on SQLite, whose only node is listed nowhere.
func nodeRows(nodes []store.Node) (rows []pages.NodeRow) {
	for _, n := range nodes {
		row := pages.NodeRow{Name: n.Name, Build: n.Program, Schema: "not known", Started: at(n.Started), Clock: "not known"}
		if n.Step > 0 {
			row.Schema, row.Clock = count(n.Step), offShown(n.ClockOff)
			row.Apart = n.ClockOff.Abs() > store.ClocksApart
		}
		if row.Build == "" {
			row.Build = "not known"
		}
		rows = append(rows, row)
	}
	return rows
}

// offShown is how far a clock is off: "0.3 s".
func offShown(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
}

func late(q store.Queue, now time.Time) bool {
	return !q.Oldest.IsZero() && now.Sub(q.Oldest) > lateAfter
}

func serverStats(s Server, q store.Queues, now time.Time) []views.Stat {
	disk := views.Stat{Label: "Database", Value: bytesShown(q.Bytes), Note: "on its own server"}
	if s.DiskFree >= 0 {
		disk.Note = bytesShown(s.DiskFree) + " free on its disk"
	}
	return []views.Stat{
		{Label: "Up for", Value: spanShown(now.Sub(s.Started)), Note: "this node"},
		{Label: "Calls now", Value: count(int64(s.Calls)), Note: "on this node"},
		{Label: "Connections", Value: count(int64(s.Connections)), Note: "HTTP, voice over TCP and metrics"},
		disk,
	}
}

// queueRows are what the background loops still have to do.
func queueRows(q store.Queues, billing bool, now time.Time) []pages.QueueRow {
	row := func(name, note string, q store.Queue, more string) pages.QueueRow {
		return pages.QueueRow{Name: name, Note: note, Waiting: count(q.Waiting) + more, Age: ageOf(q.Oldest, now), Late: late(q, now)}
	}
	more := ""
	if q.Tallying {
		more = "+"
	}
	rows := []pages.QueueRow{
		row("Rings to end", "nobody answered, and their time is over", q.Rings, ""),
		row("Facts to count", "figures and charts lag by this", q.Facts, more),
		row("Emails about alerts", "", q.Mails, ""),
	}
	for _, role := range tenants.ConnectionRoles {
		if oldest, there := q.Sending[role]; there {
			rows = append(rows, pages.QueueRow{Name: "Events to connections", Note: string(role), Waiting: "some", Age: ageOf(oldest, now),
				Late: now.Sub(oldest) > lateAfter})
		}
	}
	if billing {
		rows = append(rows, row("Stripe events to process", "", q.Events, ""), row("Rings to report to Stripe", "", q.Metered, ""))
	}
	return rows
}

func ageOf(oldest, now time.Time) string {
	if oldest.IsZero() {
		return "–"
	}
	return spanShown(now.Sub(oldest))
}

// spanShown is a length of time in its two largest units: "3 d 4 h", "12 s".
func spanShown(d time.Duration) string {
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 24*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h " + strconv.Itoa(int(d.Minutes())%60) + " min"
	}
	return strconv.Itoa(int(d.Hours())/24) + " d " + strconv.Itoa(int(d.Hours())%24) + " h"
}

// bytesShown is a size: "1.4 GB".
func bytesShown(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	size, unit := float64(n), 0
	for size >= 1000 && unit < len(units)-1 {
		size /= 1000
		unit++
	}
	digits := 0
	if size < 10 && unit > 0 {
		digits = 1
	}
	return strconv.FormatFloat(size, 'f', digits, 64) + " " + units[unit]
}

func teamSpan(a push.Answers) pages.TeamSpan {
	errors := errorsOf(a)
	var parts []string
	for _, x := range []struct {
		n    int64
		what string
	}{{a.Limited, "429"}, {a.Refused, "4xx"}, {a.Failed, "5xx"}, {a.None, "no answer"}} {
		if x.n > 0 {
			parts = append(parts, count(x.n)+" × "+x.what)
		}
	}
	return pages.TeamSpan{Pushes: count(a.Sum()), Errors: views.Percent(int(errors), int(a.Sum())), Detail: strings.Join(parts, ", "),
		Bad: a.Limited > 0 || budgetUsed(a) > 1}
}

func serverRows(s Server) []views.Row {
	rows := []views.Row{{Name: "Name", Text: s.Name, Mono: true}, {Name: "Started", When: at(s.Started)}}
	if s.Version != "" {
		rows = append(rows, views.Row{Name: "Build", Text: s.Version, Mono: true})
	}
	switch {
	case s.Postgres:
		return append(rows, views.Row{Name: "Backups", Text: "by the tools of PostgreSQL"})
	case s.BackupAt.IsZero():
		return append(rows, views.Row{Name: "Last backup", Text: "none by “carillon backup”"})
	}
	return append(rows, views.Row{Name: "Last backup", When: at(s.BackupAt)})
}

func writerRows(s Server, q store.Queues) []views.Row {
	rows := []views.Row{{Name: "Size", Text: bytesShown(q.Bytes)}, {Name: "Waiting changes", Text: count(int64(s.Store.Queue))},
		{Name: "Longest wait", Text: views.Millis(int(s.Store.Oldest.Milliseconds()))}, {Name: "Commits", Text: count(s.Store.Commits)}}
	if s.Store.Commits > 0 {
		rows = append(rows, views.Row{Name: "Changes per commit",
			Text: strconv.FormatFloat(float64(s.Store.Writes)/float64(s.Store.Commits), 'f', 1, 64)})
	}
	return rows
}

func appleRows(s Server) []views.Row {
	return []views.Row{{Name: "Open", Text: count(int64(s.Push.Connections))}, {Name: "Credentials", Text: count(int64(s.Push.Pools))},
		{Name: "Pushes under way", Text: count(int64(s.Push.PushesUnderWay))},
		{Name: "Failed attempts", Text: count(s.Push.FailedDials) + " of " + count(s.Push.Dials)},
		{Name: "Lost during a push", Text: count(s.Push.Lost)}}
}

func endsOn(end, now time.Time) string {
	if !end.After(now) {
		return "ended on " + end.UTC().Format("2 Jan 2006")
	}
	return "in " + views.Plural(int(end.Sub(now).Hours()/24), "day", "days") + ", " + end.UTC().Format("2 Jan 2006")
}

func triesOf(n int) string { return views.Plural(n, "try", "tries") }
