package console

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// latestDeliveries is how many events the page of a connection shows.
const latestDeliveries = 8

// connection is the page of one connection.
func (k connectionPages) connection(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	x, err := oneConnection(ctx, c, v)
	if err != nil {
		return err
	}
	return k.connectionPage(ctx, c, v, x, nil)
}

// connectionPage draws the page of a connection, with the test event that was just sent.
func (k connectionPages) connectionPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, x tenants.Connection,
	tested *tenants.DeliveryAttempt) error {
	x, schedule, err := read(ctx, v, x)
	if err != nil {
		return err
	}
	s := connectionState(x)
	p := views.ConnectionPage{ID: string(x.ID), Tone: s.tone, State: s.text, Facts: connectionFacts(x, v, k.Now()),
		CanEdit: v.Role.May(mayConnections),
		OnAgain: onAgain(x), OnPause: onPause(x),
		Resume: x.State != tenants.ConnectionActive, Remove: removalOfConnection(x),
		Sends: sends(x.Role), Test: testWords[x.Role], TestButton: testButton(x.Role, tested != nil),
		Active: x.State == tenants.ConnectionActive}
	last := page.Sentence(schedule.Cause)
	if x.Role == tenants.RoleCalendar {
		p.Extra = rosterOf(schedule, v, k.Now())
	}
	if x.Role == tenants.RoleSMS {
		p.Extra = &views.ConnectionExtra{Title: incomingTexts, Sub: incomingTextsSub,
			Rows: []views.Row{{Name: incomingAddress, Text: k.PublicURL + views.TextsPath(string(x.ID)), Mono: true, Copy: true}}}
	}
	if p.Sends {
		if last, err = k.traffic(ctx, v, x, &p); err != nil {
			return err
		}
	}
	p.Problem = connectionProblem(x, last)
	if tested != nil {
		p.Result = &views.DeliveryPage{Attempts: []views.DeliveryAttempt{attemptView(x, *tested, v)}}
	}
	if signs(x) {
		ask := rotationOfSecret(x)
		p.Rotate, p.Verify = &ask, verifyProgram
	}
	if p.Shell, err = k.shell(ctx, c, v, named(x.Name, views.NavConnections, up("Connections", views.PathConnections))); err != nil {
		return err
	}
	return web.Page(c, views.Connection(p), fiber.StatusOK)
}

// test sends one event and shows what the connection answered.
func (k connectionPages) test(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	x, err := oneConnection(ctx, c, v)
	if err != nil {
		return err
	}
	tried, err := k.Connections.Try(ctx, v.Scope, x.ID, "")
	if err != nil {
		return err
	}
	if x, err = v.Scope.Connections().Get(ctx, x.ID); err != nil {
		return err
	}
	return k.connectionPage(ctx, c, v, x, &tried)
}

// traffic fills in what was sent over the connection, and gives why the latest attempt failed.
func (k connectionPages) traffic(ctx context.Context, v *page.Visitor, x tenants.Connection, p *views.ConnectionPage) (string, error) {
	deliveries := v.Scope.Deliveries()
	since := k.Now().Add(-24 * time.Hour)
	f, err := deliveries.Figures(ctx, x.ID, since)
	if err != nil {
		return "", err
	}
	hours, err := deliveries.Hours(ctx, x.ID, since)
	if err != nil {
		return "", err
	}
	latest, _, err := deliveries.List(ctx, store.DeliveryQuery{Connection: x.ID, Limit: latestDeliveries})
	if err != nil {
		return "", err
	}
	p.Traffic, p.Deliveries = k.trafficOf(f, hours, v), deliveryRows(latest, v)
	if f.Waiting > 0 {
		p.Waiting = waitingText(f, v)
	}
	failed, _, err := deliveries.Attempts(ctx, store.AttemptQuery{Connection: x.ID, Failed: true, Limit: 1})
	if err != nil || len(failed) == 0 {
		return "", err
	}
	return page.Sentence(failed[0].Error), nil
}

// sends: a calendar is read, all others are sent something.
func sends(r tenants.ConnectionRole) bool { return r != tenants.RoleCalendar }

// trafficOf draws the last 24 hours, hour by hour.
func (k connectionPages) trafficOf(f tenants.ConnectionFigures, hours []tenants.ConnectionHour, v *page.Visitor) views.Traffic {
	out := views.Traffic{Stats: connectionStats(f), Zone: v.Zone.String()}
	by := map[int64]tenants.ConnectionHour{}
	for _, h := range hours {
		by[h.At.Unix()] = h
	}
	for at := k.Now().Truncate(time.Hour).Add(-23 * time.Hour); !at.After(k.Now()); at = at.Add(time.Hour) {
		h := by[at.Unix()]
		out.Hours = append(out.Hours, views.TrafficHour{Label: at.In(v.Zone).Format("15:04"), ISO: at.In(v.Zone).Format(time.RFC3339),
			Delivered: int(h.Attempts - h.Failed), Failed: int(h.Failed), P50: int(h.P50.Milliseconds()), P95: int(h.P95.Milliseconds())})
	}
	return out
}

func connectionFacts(x tenants.Connection, v *page.Visitor, now time.Time) []views.Row {
	rows := []views.Row{{Name: "Type", Text: x.Role.Name()}, {Name: "Address", Text: x.URL, Copy: true}}
	if events := eventsText(x); events != "" {
		if len(x.Events) > 1 {
			events = strings.Join(texts(x.Events), ", ")
		}
		rows = append(rows, views.Row{Name: "Events", Text: events})
	}
	if len(x.Headers) > 0 {
		rows = append(rows, views.Row{Name: "Headers", Text: strings.Join(slices.Sorted(maps.Keys(x.Headers)), ", ")})
	}
	if x.OldSecretEnds.After(now) {
		rows = append(rows, views.Row{Name: oldSecretUntil, When: v.At(x.OldSecretEnds)})
	}
	last := "Last delivered"
	if !sends(x.Role) {
		last = "Last read"
	}
	return append(rows, views.Row{Name: last, Text: "–", When: v.At(x.LastDelivered)},
		views.Row{Name: "Added", When: v.At(x.CreatedAt)},
		views.Row{Name: "Connection id", Text: string(x.ID), Copy: true})
}

// failingSince is since when a connection brings nothing.
func failingSince(x tenants.Connection) time.Time {
	if x.FailingSince.IsZero() {
		return x.DisabledAt
	}
	return x.FailingSince
}

// connectionRow is a connection in the list.
func (k connectionPages) connectionRow(ctx context.Context, v *page.Visitor, x tenants.Connection) (views.ConnectionRow, error) {
	x, _, err := read(ctx, v, x)
	if err != nil {
		return views.ConnectionRow{}, err
	}
	s := connectionState(x)
	row := views.ConnectionRow{ID: string(x.ID), Name: x.Name, Role: x.Role.Name(), Address: x.URL, Events: eventsText(x), Tone: s.tone,
		State: s.text, Failures: "–", P95: "–", Delivered: v.At(x.LastDelivered)}
	if s.tone == views.ToneBad {
		row.Since = v.At(failingSince(x))
	}
	if !sends(x.Role) {
		return row, nil
	}
	f, err := v.Scope.Deliveries().Figures(ctx, x.ID, k.Now().Add(-24*time.Hour))
	if f.Attempts > 0 {
		row.Failures = views.Percent(int(f.Failed), int(f.Attempts))
	}
	if f.P95 > 0 {
		row.P95 = tookText(f.P95)
	}
	return row, err
}
