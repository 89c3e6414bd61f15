package console

import (
	"context"
	"time"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// dutiesShown is how many of the next duties the page of a calendar shows.
const dutiesShown = 12

// read gives a calendar with what its reads say about it: when it was last read, and since when it
// cannot be. Every other connection stays as it is.
func read(ctx context.Context, v *page.Visitor, x tenants.Connection) (tenants.Connection, store.KeptRoster, error) {
	if x.Role != tenants.RoleCalendar {
		return x, store.KeptRoster{}, nil
	}
	s, err := v.Scope.Rosters().Get(ctx, x.ID)
	x.LastDelivered, x.FailingSince = s.GoodAt, time.Time{}
	if s.Failed > 0 {
		if x.FailingSince = s.GoodAt; s.GoodAt.IsZero() {
			x.FailingSince = x.CreatedAt
		}
	}
	return x, s, err
}

// rosterOf draws what was read of a calendar: who is on duty now, and who follows.
func rosterOf(s store.KeptRoster, v *page.Visitor, now time.Time) *views.ConnectionExtra {
	e := &views.ConnectionExtra{Title: "Who is on call", Sub: "Times in " + v.Zone.String() + ". The calendar is read every 15 minutes.",
		None: nobodyOnCall}
	if s.ReadAt.IsZero() {
		e.None = notReadYet
		return e
	}
	for _, d := range s.On(now) {
		e.Rows = append(e.Rows, views.Row{Name: "Now", Text: dutyText(d, v)})
	}
	for _, d := range s.Duties {
		if !d.From.After(now) {
			continue
		}
		if len(e.Rows) == dutiesShown {
			break
		}
		e.Rows = append(e.Rows, views.Row{Name: v.At(d.From).Text, Text: dutyText(d, v)})
	}
	for _, note := range s.Notes {
		e.Rows = append(e.Rows, views.Row{Name: "Note", Text: page.Sentence(note)})
	}
	return e
}

// dutyText is who is on duty, and until when.
func dutyText(d tenants.Duty, v *page.Visitor) string {
	who := d.Who
	if d.Person != "" && d.Person != d.Who {
		who = joined(" ", d.Who, "("+d.Person+")")
	}
	return joined(", ", who, "until "+v.At(d.To).Text)
}
