package console

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// deliveryList is the deliveries of x that the filters of q leave.
func (k connectionPages) deliveryList(v *page.Visitor, x tenants.Connection, q *page.Query) page.List[tenants.Delivery] {
	ask := store.DeliveryQuery{Connection: x.ID, State: tenants.DeliveryState(q.OneOf("status", texts(tenants.DeliveryStates)...)),
		Kind: tenants.EventKind(q.OneOf("event", texts(tenants.EventKinds)...)), Ring: tenants.RingID(q.ID("ring"))}
	at := func(p store.Page) store.DeliveryQuery {
		q := ask
		q.Sort, q.After, q.Upto, q.Limit = p.Sort, p.After, p.Upto, p.Limit
		return q
	}
	deliveries := v.Scope.Deliveries()
	words := deliveryListWords
	words.Path, words.CSV = views.DeliveriesPath(string(x.ID)), views.DeliveriesCSVPath(string(x.ID))
	return page.List[tenants.Delivery]{
		Words: words,
		Find: func(ctx context.Context, p store.Page) ([]tenants.Delivery, string, error) {
			return deliveries.List(ctx, at(p))
		},
		Total: func(ctx context.Context, p store.Page) (store.Total, error) { return deliveries.Total(ctx, at(p)) },
		Head: []string{"event_id", "event", "ring_id", "happened_at", "state", "attempts", "status", "error", "next_attempt_at",
			"ended_at", "body"},
		Cells: page.Each(func(d tenants.Delivery) []string {
			return []string{d.Event, string(d.Kind), string(d.Ring), page.Stamp(d.At), string(d.State), strconv.Itoa(d.Tries),
				strconv.Itoa(d.Status), d.Error, page.Stamp(d.DueAt), page.Stamp(d.EndedAt), string(d.Body)}
		}),
	}
}

func (k connectionPages) deliveries(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	x, err := oneConnection(ctx, c, v)
	if err != nil {
		return err
	}
	q := page.QueryOf(c)
	list := k.deliveryList(v, x, q)
	kinds := []views.Choice{page.Choice("", "Any event")}
	for _, e := range x.Role.Takes() {
		kinds = append(kinds, page.Choice(string(e), string(e)))
	}
	filters := []views.Filter{
		{Name: "status", Label: "State", Choices: q.Chosen("status", page.Choice("", "Any state"), page.Choice("waiting", "Waiting"),
			page.Choice("delivered", "Delivered"), page.Choice("failed", "Failed"))},
	}
	if len(kinds) > 2 {
		filters = append(filters, views.Filter{Name: "event", Label: "Event", Choices: q.Chosen("event", kinds...)})
	}
	if ring := q.ID("ring"); ring != "" {
		filters = append(filters, views.Filter{Name: "ring", Label: "Ring", Choices: q.Chosen("ring", page.Choice("", "Any ring"),
			page.Choice(ring, "Ring "+ring[:8]+"…"))})
	}
	all, table, err := list.Page(ctx, q, filters...)
	if err != nil {
		return err
	}
	p := views.DeliveriesPage{Table: table, Deliveries: deliveryRows(all, v)}
	if v.Role.May(mayConnections) && x.State == tenants.ConnectionActive {
		p.Again = views.ConnectionReplayPath(string(x.ID))
	}
	if p.Shell, err = k.shell(ctx, c, v, at("Events", views.NavConnections, crumbsOf(x)...)); err != nil {
		return err
	}
	return web.Page(c, views.Deliveries(p), fiber.StatusOK)
}

// crumbsOf lead from a page below a connection's back to it.
func crumbsOf(x tenants.Connection) []views.Link {
	return []views.Link{up("Connections", views.PathConnections), up(x.Name, views.ConnectionPath(string(x.ID)))}
}

func (k connectionPages) deliveriesCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	x, err := oneConnection(ctx, c, v)
	if err != nil {
		return err
	}
	q := page.QueryOf(c)
	return k.deliveryList(v, x, q).Send(ctx, c, k.Common, q)
}

func deliveryRows(all []tenants.Delivery, v *page.Visitor) []views.DeliveryRow {
	return mapped(all, func(d tenants.Delivery) views.DeliveryRow {
		s := deliveryState(d)
		row := views.DeliveryRow{ID: d.Event, Connection: string(d.Connection), Event: string(d.Kind), Ring: ringOf(d), At: v.At(d.At),
			Tone: s.tone, State: s.text, Status: answerText(d.Status, d.Tries, d.State == tenants.DeliveryDelivered),
			Tries: triesText(d.Tries)}
		if d.State == tenants.DeliveryWaiting && d.Tries > 0 {
			row.Next = v.At(d.DueAt)
		}
		return row
	})
}

// ringOf is the ring of a delivery, or empty. Entries of the audit log have their connection there,
// which keeps them in order.
func ringOf(d tenants.Delivery) string {
	if string(d.Ring) == string(d.Connection) {
		return ""
	}
	return string(d.Ring)
}

// oneDelivery finds the connection and the event that the path names.
func oneDelivery(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (x tenants.Connection, d tenants.Delivery, err error) {
	if x, err = oneConnection(ctx, c, v); err != nil {
		return x, d, err
	}
	d, err = v.Scope.Deliveries().Get(ctx, x.ID, web.Param(c, "event"))
	return x, d, err
}

// attemptsShown bounds the attempts on the page of an event; the pauses between them grow.
const attemptsShown = 50

func (k connectionPages) delivery(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	x, d, err := oneDelivery(ctx, c, v)
	if err != nil {
		return err
	}
	attempts, _, err := v.Scope.Deliveries().Attempts(ctx, store.AttemptQuery{Connection: x.ID, Event: d.Event, Limit: attemptsShown})
	if err != nil {
		return err
	}
	s := deliveryState(d)
	p := views.DeliveryPage{ID: d.Event, Connection: string(x.ID), Tone: s.tone, State: s.text, Facts: deliveryFacts(x, d, v),
		Problem: deliveryProblem(d, v), Body: indented(d.Body), Send: "Send again",
		CanSend: v.Role.May(mayConnections) && x.State == tenants.ConnectionActive}
	if d.State == tenants.DeliveryWaiting {
		p.Send = "Send now"
	}
	for _, a := range attempts {
		p.Attempts = append(p.Attempts, attemptView(x, a, v))
	}
	crumbs := append(crumbsOf(x), up("Events", views.DeliveriesPath(string(x.ID))))
	if p.Shell, err = k.shell(ctx, c, v, at(string(d.Kind), views.NavConnections, crumbs...)); err != nil {
		return err
	}
	return web.Page(c, views.Delivery(p), fiber.StatusOK)
}

func deliveryFacts(x tenants.Connection, d tenants.Delivery, v *page.Visitor) []views.Row {
	rows := []views.Row{{Name: "Event", Text: string(d.Kind), Mono: true}, {Name: "Happened", When: v.At(d.At)},
		{Name: "Connection", Text: x.Name, Own: true, Href: views.ConnectionPath(string(x.ID))}}
	if ring := ringOf(d); ring != "" {
		rows = append(rows, views.Row{Name: "Ring", Text: ring[:8] + "…", Href: views.RingPath(ring)})
	}
	rows = append(rows, views.Row{Name: "Attempts", Text: views.Count(d.Tries)})
	if d.State == tenants.DeliveryWaiting {
		rows = append(rows, views.Row{Name: "Next attempt", When: v.At(d.DueAt)})
	}
	return append(rows, views.Row{Name: "webhook-id", Text: d.Event, Copy: true})
}

// attemptView is one request with its answer.
func attemptView(x tenants.Connection, a tenants.DeliveryAttempt, v *page.Visitor) views.DeliveryAttempt {
	w := attemptWords(a)
	return views.DeliveryAttempt{ID: strconv.FormatInt(a.Seq, 10), At: v.At(a.At), Tone: w.tone, Status: w.text,
		Took: tookText(a.Took), Cause: w.cause, Cure: w.cure, Request: requestText(x, a), Answer: a.Answer}
}

// requestText is a request as it was sent, the headers sorted, or what a text message or a line of
// syslog was made of. The address is that of the connection as it is now.
func requestText(x tenants.Connection, a tenants.DeliveryAttempt) string {
	var b strings.Builder
	if signs(x) {
		b.WriteString("POST ")
	} else {
		b.WriteString("To ")
	}
	b.WriteString(x.URL + "\n")
	for _, name := range slices.Sorted(maps.Keys(a.Sent)) {
		b.WriteString(name + ": " + a.Sent[name] + "\n")
	}
	b.WriteString("\n")
	b.Write(a.Body)
	return b.String()
}

// indented is a body as people read it; one that is no JSON stays as it is.
func indented(body []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, body, "", "  ") != nil {
		return strings.ToValidUTF8(string(body), "\uFFFD")
	}
	return b.String()
}

// sendDelivery sends one event again, or at once if it waits.
func (k connectionPages) sendDelivery(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	x, d, err := oneDelivery(ctx, c, v)
	if err != nil {
		return err
	}
	if _, err := v.Scope.Deliveries().Replay(ctx, x.ID, store.Replay{Event: d.Event}); err != nil {
		return err
	}
	return k.Done(c, page.FlashSent, views.DeliveryPath(string(x.ID), d.Event))
}

// localTime is how a field of the type datetime-local writes a moment.
const localTime = "2006-01-02T15:04"

// replayOf reads which events are to be sent again. Without a choice it is what failed in the last
// 24 hours. to is the end of the minute that was chosen.
func (k connectionPages) replayOf(v *page.Visitor, text func(string) string) (q store.Replay, w page.Wrong) {
	now := k.Now().In(v.Zone).Truncate(time.Minute)
	q = store.Replay{From: now.Add(-24 * time.Hour), To: now.Add(time.Minute), Failed: text("which") != "all"}
	w = page.Wrong{Status: fiber.StatusOK, Fields: map[string]string{}}
	for name, at := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		if text(name) == "" {
			continue
		}
		t, err := time.ParseInLocation(localTime, text(name), v.Zone)
		if err != nil {
			w.Fields[name] = wrongTime
			continue
		}
		if *at = t; name == "to" {
			*at = t.Add(time.Minute)
		}
	}
	if len(w.Fields) == 0 && !q.From.Before(q.To) {
		w.Fields["to"] = wrongSpan
	}
	if len(w.Fields) > 0 {
		w.Status, w.Msg = fiber.StatusBadRequest, replayRefused
	}
	return q, w
}

// replayForm asks which events to send again and, once that is chosen, says how many they are.
func (k connectionPages) replayForm(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	x, err := oneConnection(ctx, c, v)
	if err != nil {
		return err
	}
	q, w := k.replayOf(v, func(name string) string { return web.Query(c, name) })
	return k.replayPage(ctx, c, v, x, q, w)
}

func (k connectionPages) replayPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, x tenants.Connection, q store.Replay,
	w page.Wrong) error {
	which := "all"
	if q.Failed {
		which = "failed"
	}
	from, to := q.From.In(v.Zone).Format(localTime), q.To.In(v.Zone).Add(-time.Minute).Format(localTime)
	p := views.ReplayPage{ID: string(x.ID), Error: w.Msg,
		Which: page.Choose(which, page.Choice("failed", replayFailed), page.Choice("all", "Everything")),
		From: views.Field{Name: "from", Label: "From", Type: "datetime-local", Value: from, Error: w.Fields["from"],
			Help: "In " + v.Zone.String() + replayKept},
		To: views.Field{Name: "to", Label: "Until", Type: "datetime-local", Value: to, Error: w.Fields["to"],
			Help: "This minute included."},
		Hidden: []views.Choice{{Text: "which", Value: which}, {Text: "from", Value: from}, {Text: "to", Value: to}}}
	var err error
	if w.Msg == "" {
		p.Counted = true
		if p.Count, err = k.replayCount(ctx, v, x, q); err != nil {
			return err
		}
		p.Says = replaySays(x, p.Count)
	}
	if p.Shell, err = k.shell(ctx, c, v, at("Send events again", views.NavConnections, crumbsOf(x)...)); err != nil {
		return err
	}
	return web.Page(c, views.Replay(p), w.Status)
}

// replayCount is how many events a replay sends.
func (k connectionPages) replayCount(ctx context.Context, v *page.Visitor, x tenants.Connection, q store.Replay) (int, error) {
	states := []tenants.DeliveryState{""}
	if q.Failed {
		states = []tenants.DeliveryState{tenants.DeliveryWaiting, tenants.DeliveryFailed}
	}
	n := int64(0)
	for _, s := range states {
		t, err := v.Scope.Deliveries().Total(ctx, store.DeliveryQuery{Connection: x.ID, State: s, From: q.From, To: q.To})
		if err != nil {
			return 0, err
		}
		n += t.N
	}
	return int(min(n, tenants.ReplayMost)), nil
}

func (k connectionPages) replay(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	x, err := oneConnection(ctx, c, v)
	if err != nil {
		return err
	}
	q, w := k.replayOf(v, page.FormOf(c).Text)
	if w.Msg == "" {
		_, err = v.Scope.Deliveries().Replay(ctx, x.ID, q)
		if refused, ok := page.WrongOf(err); ok {
			w, err = refused, nil
		}
	}
	if err != nil {
		return err
	}
	if w.Msg != "" {
		return k.replayPage(ctx, c, v, x, q, w)
	}
	return k.Done(c, page.FlashSent, views.DeliveriesPath(string(x.ID)))
}
