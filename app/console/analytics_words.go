package console

import (
	"strconv"
	"time"

	"carillon/tenants"
	"carillon/views"
)

var columnWords = map[string]string{"hour": "Hour", "day": "Day", "week": "Week from"}

// splitOrder is what rings can be compared by, in order.
var splitOrder = []string{string(tenants.SplitAppVersion), string(tenants.SplitOSVersion), string(tenants.SplitEnvironment),
	string(tenants.SplitAgent), string(tenants.SplitKey), splitHour}

// splitWord is how a property is called, and what its empty value means.
type splitWord struct{ head, none string }

var splitWords = map[string]splitWord{
	string(tenants.SplitAppVersion):  {"App version", "Not known"},
	string(tenants.SplitOSVersion):   {"iOS version", "Not known"},
	string(tenants.SplitEnvironment): {"Environment", "Not known"},
	string(tenants.SplitAgent):       {"Agent", "The built-in agent"},
	string(tenants.SplitKey):         {"API key", "No key: the console"},
	splitHour:                        {"Hour", ""},
}

// one is a value with its property: "App version 4.2.0".
func (w splitWord) one(value string) string { return w.head + ": " + value }

// valueName is a value as people know it.
func (a *analytics) valueName(by tenants.Split, value string) string {
	if value == "" {
		return splitWords[string(by)].none
	}
	switch by {
	case tenants.SplitAgent, tenants.SplitKey:
		if name, ok := a.names[by][value]; ok {
			return name
		}
		if by == tenants.SplitAgent {
			return "A removed agent"
		}
		return "A removed key"
	case tenants.SplitEnvironment:
		if value == string(tenants.Sandbox) {
			return "Sandbox"
		}
		return "Production"
	}
	return value
}

func hourName(hour int) string { return clock(hour) + "–" + clock(hour+1) }

func clock(hour int) string {
	if hour < 10 {
		return "0" + strconv.Itoa(hour) + ":00"
	}
	return strconv.Itoa(hour) + ":00"
}

func heatTitle(day time.Weekday, hour int, c tenants.Counts) string {
	s := day.String() + ", " + hourName(hour) + ": " + views.Percent(int(c.Answered), int(c.Over())) + " of " +
		views.Plural(int(c.Over()), "ring", "rings") + " answered"
	if c.Over() < fewRings {
		s += ", too few to say much"
	}
	return s
}

// manyTimes is from when on a change is said as "5 times as many" and not in per cent.
const manyTimes = 3

// signed is a change in short: "+12 %".
func signed(now, then int64) string {
	switch {
	case then == 0:
		return "–"
	case now >= manyTimes*then:
		return "×" + strconv.FormatInt(now/then, 10)
	case now > then:
		return "+" + strconv.FormatInt((now-then)*100/then, 10) + " %"
	case now == then:
		return "0 %"
	}
	return "−" + strconv.FormatInt((then-now)*100/then, 10) + " %"
}

// changed is a change in words.
func changed(now, then int64, before string) string {
	switch {
	case then == 0 && now == 0:
		return "none in " + before + " either"
	case then == 0:
		return "none in " + before
	case now == then:
		return "as many as in " + before
	case now >= manyTimes*then:
		return strconv.FormatInt(now/then, 10) + " times as many as in " + before
	case now > then:
		return strconv.FormatInt((now-then)*100/then, 10) + " % more than in " + before
	}
	return strconv.FormatInt((then-now)*100/then, 10) + " % fewer than in " + before
}

// rateChanged is a change of a share in words.
func rateChanged(now, then tenants.Counts, before string) (words string, tone views.Tone) {
	if now.Over() == 0 || then.Over() == 0 {
		return "nothing to compare with", views.ToneNeutral
	}
	is, was := 100*now.Answered/now.Over(), 100*then.Answered/then.Over()
	switch {
	case is > was:
		return views.Plural(int(is-was), "point", "points") + " above " + before, views.ToneGood
	case is < was:
		return views.Plural(int(was-is), "point", "points") + " below " + before, views.ToneWarn
	}
	return "the same share as in " + before, views.ToneNeutral
}

// figures are the sums of the span, each beside the one before.
func (a *analytics) figures() []views.Compared {
	now, then := total(a.hours), total(a.hoursThen)
	all, ends := numbers(now, a.span.from, a.span.to, a.cut)
	answered := views.Compared{Label: "Answered", Value: views.Count(ends[0].N), Href: ends[0].Href}
	answered.Change, answered.Tone = rateChanged(now, then, a.span.before)
	if now.Over() > 0 {
		answered.Value = views.Percent(int(now.Answered), int(now.Over()))
		answered.Change = views.Count(ends[0].N) + " of " + views.Count(int(now.Over())) + "; " + answered.Change
	}
	return []views.Compared{
		{Label: "Rings", Value: views.Count(all.N), Change: changed(now.Rings, then.Rings, a.span.before), Href: all.Href},
		answered,
		{Label: "Missed", Value: views.Count(ends[1].N), Change: changed(now.Missed, then.Missed, a.span.before), Href: ends[1].Href},
		{Label: "Declined", Value: views.Count(ends[2].N), Change: changed(now.Declined, then.Declined, a.span.before), Href: ends[2].Href},
		{Label: "Cancelled", Value: views.Count(ends[3].N), Change: changed(now.Cancelled, then.Cancelled, a.span.before),
			Href: ends[3].Href},
		{Label: "Failed", Value: views.Count(ends[4].N), Change: changed(now.Failed, then.Failed, a.span.before), Href: ends[4].Href},
	}
}

const (
	oneProperty = "These are all rings: two properties at once are not counted."
	fewTimes    = "For these rings only the times to wake and to answer are counted, and none by iOS version or key."
	noTimes     = "Nothing was timed in this time."
)
