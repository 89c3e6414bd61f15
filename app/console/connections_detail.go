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
	"carillon/views"
)

// connection is the page of one connection.
func (k connectionPages) connection(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	x, err := oneConnection(ctx, c, v)
	if err != nil {
		return err
	}
	s := connectionState(x)
	p := views.ConnectionPage{ID: string(x.ID), Tone: s.tone, State: s.text, Facts: connectionFacts(x, v, k.Now()), CanEdit: v.Role.May(),
		Paused: x.State == tenants.ConnectionPaused, Resume: x.State != tenants.ConnectionActive, Remove: removalOfConnection(x),
		Problem: connectionProblem(x, "")}
	if signs(x.Role) {
		ask := rotationOfSecret(x)
		p.Rotate, p.Verify = &ask, verifyProgram
	}
	if p.Shell, err = k.shell(ctx, c, v, at(x.Name, views.NavConnections, up("Connections", views.PathConnections))); err != nil {
		return err
	}
	return web.Page(c, views.Connection(p), fiber.StatusOK)
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
		rows = append(rows, views.Row{Name: "Old secret signs until", When: v.At(x.OldSecretEnds)})
	}
	return append(rows, views.Row{Name: "Last delivered", When: v.At(x.LastDelivered)}, views.Row{Name: "Added", When: v.At(x.CreatedAt)},
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
func (k connectionPages) connectionRow(_ context.Context, v *page.Visitor, x tenants.Connection) (views.ConnectionRow, error) {
	s := connectionState(x)
	row := views.ConnectionRow{ID: string(x.ID), Name: x.Name, Role: x.Role.Name(), Address: x.URL, Events: eventsText(x), Tone: s.tone,
		State: s.text, Failures: "–", P95: "–", Delivered: v.At(x.LastDelivered)}
	if s.tone == views.ToneBad {
		row.Since = v.At(failingSince(x))
	}
	return row, nil
}
