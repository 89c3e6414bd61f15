package console

import (
	"context"
	"strconv"
	"strings"
	"time"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// cutWord is a cut in an address: "app_version:4.2.0".
func cutWord(c tenants.Cut) string { return string(c.By) + ":" + c.Value }

// cutOf reads a cut; what is none counts as not given.
func cutOf(q *page.Query) tenants.Cut {
	by, value, _ := strings.Cut(q.Text("cut"), ":")
	for _, s := range tenants.Splits {
		if string(s) == by {
			return tenants.Cut{By: s, Value: value}
		}
	}
	q.Keep("cut", "")
	return tenants.Cut{}
}

// cut reads the part of an address that figures link with: cut, since and until, hour and weekday.
func (k ringPages) cut(v *page.Visitor, q *page.Query, ask *store.RingQuery) {
	ask.Cut = cutOf(q)
	moment := func(name string, to *time.Time) {
		if q.Raw(name) == "" {
			return
		}
		at, err := time.Parse(time.RFC3339, q.Raw(name))
		if err != nil || at.Year() < 1970 || at.Year() > 9999 {
			q.Fault(name, "a moment, as in 2026-11-24T08:00:00Z")
			return
		}
		q.Keep(name, q.Raw(name))
		*to = at
	}
	moment("since", &ask.From)
	moment("until", &ask.To)
	clock := store.Clock{Zone: v.Zone, Hour: -1, Weekday: -1}
	if n, err := strconv.Atoi(q.OneOf("hour", numbersTo(24)...)); err == nil {
		clock.Hour = n
	}
	if n, err := strconv.Atoi(q.OneOf("weekday", numbersTo(7)...)); err == nil {
		clock.Weekday = n
	}
	if clock.Hour >= 0 || clock.Weekday >= 0 {
		ask.Clock = &clock
	}
}

func numbersTo(n int) []string {
	out := make([]string, n)
	for i := range n {
		out[i] = strconv.Itoa(i)
	}
	return out
}

// cutFilters are the parts of such an address as filters, so that people see them and can take
// them away one by one.
func cutFilters(ctx context.Context, v *page.Visitor, q *page.Query, ask store.RingQuery) ([]views.Filter, error) {
	var out []views.Filter
	add := func(name, label, value, any, text string) {
		out = append(out, views.Filter{Name: name, Label: label,
			Choices: page.Choose(value, page.Choice("", any), page.Choice(value, text))})
	}
	if ask.Cut.By != "" {
		names, err := cutNames(ctx, v.Scope)
		if err != nil {
			return nil, err
		}
		a := analytics{names: names}
		word := splitWords[string(ask.Cut.By)].one(a.valueName(ask.Cut.By, ask.Cut.Value))
		add("cut", "Property", cutWord(ask.Cut), "All rings", word)
	}
	for _, x := range []struct {
		name, label, any, text string
		at                     time.Time
	}{{"since", "From", "Any start", "From ", ask.From}, {"until", "Until", "Any end", "Until ", ask.To}} {
		if raw := q.Raw(x.name); raw != "" {
			add(x.name, x.label, raw, x.any, x.text+v.At(x.at).Text)
		}
	}
	if ask.Clock != nil && ask.Clock.Hour >= 0 {
		add("hour", "Hour", strconv.Itoa(ask.Clock.Hour), "Any hour", hourName(ask.Clock.Hour))
	}
	if ask.Clock != nil && ask.Clock.Weekday >= 0 {
		add("weekday", "Weekday", strconv.Itoa(ask.Clock.Weekday), "Any weekday", time.Weekday(ask.Clock.Weekday).String())
	}
	return out, nil
}
