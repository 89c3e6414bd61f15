package console

import (
	"cmp"
	"context"
	"net/url"
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

// key is the page of a key and its latest requests.
func (k keyPages) key(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	key, err := k.one(ctx, c, v)
	if err != nil {
		return err
	}
	list, err := k.requestList(ctx, v, key)
	if err != nil {
		return err
	}
	rows, table, err := list.Page(ctx, page.QueryOf(c))
	if err != nil {
		return err
	}
	p := views.KeyPage{ID: string(key.ID), Table: table, Revoke: revocationOf(key, v)}
	p.CanEdit = v.Role.May(mayKeys) && !key.Ended(k.Now())
	p.MayTurn = p.CanEdit && key.ReplacedBy == ""
	if p.Notice, err = k.keyNotice(ctx, v, key); err != nil {
		return err
	}
	if p.Facts, err = k.keyFacts(ctx, v, key); err != nil {
		return err
	}
	for _, r := range rows {
		p.Requests = append(p.Requests, views.KeyRequestRow{At: v.At(r.At), Method: r.Method, Route: r.Route, Status: r.Status,
			Tone: statusTone(r.Status), IP: r.IP, ID: r.RequestID, Took: tookShown(r.Took)})
	}
	if p.Shell, err = k.shell(ctx, c, v, named(key.Name, views.NavKeys, up("API keys", views.PathKeys))); err != nil {
		return err
	}
	return web.Page(c, views.Key(p), fiber.StatusOK)
}

// everyKey are all keys, also those that have ended: more than a page of them where keys are often
// rotated.
func everyKey(ctx context.Context, s *store.Scope) (all []tenants.Key, err error) {
	for ask := (store.Page{Limit: 200}); ; {
		some, next, err := s.Keys().List(ctx, ask)
		if all = append(all, some...); err != nil || next == "" || len(all) >= 20*ask.Limit {
			return all, err
		}
		ask.After = next
	}
}

func statusTone(status int) views.Tone {
	switch {
	case status >= 500:
		return views.ToneBad
	case status >= 400:
		return views.ToneWarn
	}
	return views.ToneGood
}

// tookShown is a short time; less than a millisecond is "< 1 ms".
func tookShown(d time.Duration) string {
	if d < time.Millisecond {
		return "< 1 ms"
	}
	return views.Count(int(d.Milliseconds())) + " ms"
}

// keyNotice says that a key has been replaced or has ended.
func (k keyPages) keyNotice(ctx context.Context, v *page.Visitor, key tenants.Key) (*views.Callout, error) {
	ended := key.Ended(k.Now())
	var n views.Callout
	switch {
	case key.ReplacedBy != "" && !ended:
		n = views.Callout{Tone: views.ToneWarn, Title: replacedTitle,
			Cause: bothWork(v.At(key.ExpiresAt).Text), Cure: replacedCure}
	case key.ReplacedBy != "":
		n = views.Callout{Tone: views.ToneInfo, Title: replacedEndedTitle}
	case ended:
		n = views.Callout{Tone: views.ToneInfo, Title: endedKeyTitle, Cure: endedKeyCure}
	default:
		return nil, nil
	}
	if key.ReplacedBy != "" {
		n.Action = views.Button{Text: openNewKey, Href: views.KeyPath(string(key.ReplacedBy)), Kind: views.Quiet}
	}
	return &n, nil
}

// keyFacts are the settings of a key in words.
func (k keyPages) keyFacts(ctx context.Context, v *page.Visitor, key tenants.Key) ([]views.Row, error) {
	kind := "Live"
	if key.Test {
		kind = testKind
	}
	rows := []views.Row{{Name: "Key", Text: keyShown(key), Mono: true}, {Name: "Kind", Text: kind},
		{Name: "Permissions", Text: strings.Join(mapped(key.Permissions, scopeWord), "; ")},
		{Name: "Limit", Text: cmp.Or(rateOf(key), "that of your organisation")}}
	switch {
	case !key.RevokedAt.IsZero() && !key.RevokedAt.Equal(key.ExpiresAt):
		rows = append(rows, views.Row{Name: "Revoked", When: v.At(key.RevokedAt)})
	case key.Ended(k.Now()):
		rows = append(rows, views.Row{Name: "Expired", When: v.At(key.ExpiresAt)})
	case key.ExpiresAt.IsZero():
		rows = append(rows, views.Row{Name: "Expires", Text: "never"})
	default:
		rows = append(rows, views.Row{Name: "Expires", When: v.At(key.ExpiresAt)})
	}
	rows = append(rows, views.Row{Name: "Addresses", Text: cmp.Or(networksShown(key, ", "), "any")})
	only, err := k.onlyShown(ctx, v, key)
	if err != nil {
		return nil, err
	}
	rows = append(rows, views.Row{Name: "May ring", Text: only}, views.Row{Name: "Created", When: v.At(key.CreatedAt)})
	if key.Maker != "" {
		rows = append(rows, views.Row{Name: "Created by", Text: key.Maker})
	}
	rows = append(rows, views.Row{Name: "Rings", Text: "Show its rings", Href: views.PathRings + "?" +
		url.Values{"cut": {cutWord(tenants.Cut{By: tenants.SplitKey, Value: string(key.ID)})}}.Encode()},
		views.Row{Name: "Last used", When: v.At(key.LastUsedAt), Text: "never"})
	if key.LastIP != "" {
		rows = append(rows, views.Row{Name: "Last address", Text: key.LastIP, Mono: true})
	}
	if key.LastClient != "" {
		rows = append(rows, views.Row{Name: "Last client", Text: key.LastClient})
	}
	return rows, nil
}

// onlyShown names the devices and people that a key may ring.
func (k keyPages) onlyShown(ctx context.Context, v *page.Visitor, key tenants.Key) (string, error) {
	if key.Only.Empty() {
		return "every device", nil
	}
	devices, err := v.Scope.Devices().ByID(ctx, key.Only.Devices)
	if err != nil {
		return "", err
	}
	var out []string
	for _, id := range key.Only.Devices {
		name := removedDevice
		if d, ok := devices[id]; ok {
			name = deviceName(d)
		}
		out = append(out, name)
	}
	for _, p := range key.Only.People {
		out = append(out, "devices of "+p)
	}
	return strings.Join(out, ", "), nil
}

// requestList is the latest requests of a key.
func (k keyPages) requestList(ctx context.Context, v *page.Visitor, key tenants.Key) (page.List[tenants.KeyRequest], error) {
	all, err := v.Scope.Keys().Requests(ctx, key.ID)
	words := requestWords
	words.Path, words.CSV = views.KeyPath(string(key.ID)), views.KeyRequestsCSVPath(string(key.ID))
	found := func(p store.Page) func(context.Context, store.Page) ([]tenants.KeyRequest, string, error) {
		var some []tenants.KeyRequest
		for _, r := range all {
			if requestFound(r, strings.ToLower(p.Search)) {
				some = append(some, r)
			}
		}
		return page.InMemory(some, requestOrders)
	}
	return page.List[tenants.KeyRequest]{
		Words: words,
		Find: func(ctx context.Context, p store.Page) ([]tenants.KeyRequest, string, error) {
			return found(p)(ctx, p)
		},
		Total: func(ctx context.Context, p store.Page) (store.Total, error) {
			p.Limit = tenants.KeyRequestsKept
			rows, _, err := found(p)(ctx, p)
			return store.Total{N: int64(len(rows))}, err
		},
		Head: []string{"at", "method", "route", "status", "request_id", "address", "took_ms"},
		Cells: page.Each(func(r tenants.KeyRequest) []string {
			return []string{page.Stamp(r.At), r.Method, r.Route, strconv.Itoa(r.Status), r.RequestID, r.IP,
				strconv.FormatFloat(float64(r.Took.Microseconds())/1000, 'f', 3, 64)}
		}),
	}, err
}

// requestFound reports whether a search in lower case finds a request.
func requestFound(r tenants.KeyRequest, search string) bool {
	return strings.Contains(strings.ToLower(r.Method+" "+r.Route+" "+strconv.Itoa(r.Status)+" "+r.RequestID+" "+r.IP), search)
}

// requestOrders are what the requests can be sorted by beside their time.
var requestOrders = map[store.Sort]func(a, b tenants.KeyRequest) int{
	"at":     func(a, b tenants.KeyRequest) int { return a.At.Compare(b.At) },
	"status": func(a, b tenants.KeyRequest) int { return cmp.Compare(a.Status, b.Status) },
	"took":   func(a, b tenants.KeyRequest) int { return cmp.Compare(a.Took, b.Took) },
}

func (k keyPages) requestsCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	key, err := k.one(ctx, c, v)
	if err != nil {
		return err
	}
	list, err := k.requestList(ctx, v, key)
	if err != nil {
		return err
	}
	return list.Send(ctx, c, k.Common, page.QueryOf(c))
}

// overlaps are how long a key works beside its successor.
var overlaps = []struct {
	value, text string
	is          time.Duration
}{
	{"now", "Stop now", 0}, {"15m", "15 minutes", 15 * time.Minute}, {"1h", "1 hour", time.Hour}, {"24h", "24 hours", 24 * time.Hour},
}

// askRotate asks how long the old key works beside the new one.
func (k keyPages) askRotate(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	key, err := k.live(ctx, c, v)
	if err != nil {
		return err
	}
	return k.rotatePage(ctx, c, v, key, "", fiber.StatusOK)
}

func (k keyPages) rotatePage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, key tenants.Key, wrong string, status int) error {
	p := views.KeyRotatePage{ID: string(key.ID), Name: key.Name, Used: usedNever,
		Overlap: views.Pick{Name: "overlap", Label: overlapLabel, Error: wrong, Help: overlapHelp}}
	for _, o := range overlaps {
		p.Overlap.Choices = append(p.Overlap.Choices, views.Choice{Value: o.value, Text: o.text, Selected: o.value == "1h"})
	}
	if !key.LastUsedAt.IsZero() {
		p.Used = usedLast(v.At(key.LastUsedAt).Text)
	}
	var err error
	p.Shell, err = k.shell(ctx, c, v, at("Rotate "+key.Name, views.NavKeys, up("API keys", views.PathKeys),
		up(key.Name, views.KeyPath(string(key.ID)))))
	if err != nil {
		return err
	}
	return web.Page(c, views.KeyRotate(p), status)
}

// rotate makes the successor of a key and shows its secret.
func (k keyPages) rotate(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	key, err := k.live(ctx, c, v)
	if err != nil {
		return err
	}
	overlap, known := time.Duration(0), false
	for _, o := range overlaps {
		if o.value == page.FormOf(c).Text("overlap") {
			overlap, known = o.is, true
		}
	}
	if !known {
		return k.rotatePage(ctx, c, v, key, noOverlap, fiber.StatusUnprocessableEntity)
	}
	for _, p := range key.Permissions { // the new secret is the person's
		if !v.Role.May(p) {
			return tenants.Refuse(tenants.Forbidden, "missing_permission", rotateBeyond, p)
		}
	}
	now := k.Now()
	next := key
	next.ID, next.CreatedAt, next.MadeBy, next.Maker = tenants.NewID[tenants.KeyID](now), now, v.User.ID, v.User.Name
	if !key.ExpiresAt.IsZero() { // as long as the old one was meant to live
		next.ExpiresAt = now.Add(key.ExpiresAt.Sub(key.CreatedAt))
	}
	secret := newKeySecret(&next)
	if err := v.Scope.Keys().Rotate(ctx, key.ID, next, secret.Hash(), overlap); err != nil {
		return err
	}
	ends := views.Row{Name: "Old key", Text: keyShown(key) + " has stopped"}
	if overlap > 0 {
		end := now.Add(overlap)
		if !key.ExpiresAt.IsZero() && key.ExpiresAt.Before(end) {
			end = key.ExpiresAt
		}
		ends.Text = keyShown(key) + " works until " + v.At(end).Text
	}
	return k.showKey(ctx, c, v, next, secret, []views.Row{ends})
}
