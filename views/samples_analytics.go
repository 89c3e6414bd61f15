package views

import (
	"fmt"
	"strconv"
	"time"
)

func (s sampler) analyticsPages() []Sample {
	return []Sample{
		{"analytics", Analytics(s.analytics())},
		{"analytics-empty", Analytics(AnalyticsPage{Shell: s.with(s.shell("Analytics", NavAnalytics), EnvBoth), Words: "The last 30 days",
			Before: "the 30 days before", Ranges: s.ranges(), Chart: TimeChart{Zone: "Europe/Berlin"}})},
	}
}

func (s sampler) ranges() []Tab {
	return []Tab{{"24 hours", PathAnalytics + "?range=day", false}, {"7 days", PathAnalytics + "?range=week", false},
		{"30 days", PathAnalytics, true}, {"90 days", PathAnalytics + "?range=quarter", false},
		{"12 months", PathAnalytics + "?range=year", false}}
}

// sampleEnds shares rings out.
func sampleEnds(n int) (ends [5]Number) {
	for i, share := range [5]int{78, 11, 5, 3, 3} {
		ends[i] = Number{n * share / 100, PathRings}
	}
	return ends
}

func (s sampler) analytics() AnalyticsPage {
	p := AnalyticsPage{Shell: s.shell("Analytics", NavAnalytics), Words: "The last 30 days", Before: "the 30 days before", HasRings: true,
		Ranges: s.ranges(), Steps: []Tab{{"By day", PathAnalytics, true}, {"By week", PathAnalytics + "?step=week", false}},
		From: s.now.AddDate(0, 0, -29).Format(time.DateOnly), To: s.now.Format(time.DateOnly),
		Figures: []Compared{{"Rings", "3,104", "12 % more than in the 30 days before", ToneNeutral, PathRings},
			{"Answered", "2,417 · 78 %", "2 points above the 30 days before", ToneGood, PathRings},
			{"Missed", "341", "as many as in the 30 days before", ToneNeutral, PathRings},
			{"Declined", "212", "3 % more than in the 30 days before", ToneNeutral, PathRings},
			{"Cancelled", "41", "as many as in the 30 days before", ToneNeutral, PathRings},
			{"Failed", "93", "8 % fewer than in the 30 days before", ToneNeutral, PathRings}},
		Chart: TimeChart{Words: "The last 30 days", Before: "the 30 days before", Step: "Day", Zone: "Europe/Berlin",
			CSV: PathAnalyticsCSV},
		Splits: []Tab{{"App version", PathAnalytics, true}, {"iOS version", PathAnalytics + "?split=os_version", false},
			{"Hour", PathAnalytics + "?split=hour", false}},
		Split: SplitTable{Head: "App version", CSV: PathAnalyticsCSV + "?panel=split", More: 2},
		Heat:  HeatMap{CSV: PathAnalyticsCSV + "?panel=heat"},
		Hops: []Tab{{"Apple accepted → app awake", PathAnalytics, true}, {"On screen → picked up", PathAnalytics + "?hop=answered",
			false}},
		Times: TimesChart{Name: "Apple accepted → app awake", Zone: "Europe/Berlin", CSV: PathAnalyticsCSV + "?panel=times"},
	}
	for i := range 30 {
		at := s.now.AddDate(0, 0, i-29)
		n := 60 + (i*37)%70
		if at.Weekday() == time.Sunday || at.Weekday() == time.Saturday {
			n /= 3
		}
		label, iso := at.Format("2 Jan"), at.Format(time.RFC3339)
		p.Chart.Bars = append(p.Chart.Bars, TimeBar{Label: label, ISO: iso, Rings: Number{n, PathRings}, Ends: sampleEnds(n),
			Earlier: 50 + (i*29)%60})
		p.Times.Points = append(p.Times.Points, TimesPoint{label, iso, 180 + i%7*9, 700 + (i*53)%300, 1900 + (i*411)%2500, n})
	}
	for i, v := range []string{"4.2.0", "4.1.3", "4.3.0-beta"} {
		n := 2100 / (1 + 2*i)
		p.Split.Rows = append(p.Split.Rows, SplitRow{Name: v, Href: PathAnalytics + "?cut=app_version:" + v, Rings: Number{n, PathRings},
			Ends: sampleEnds(n), Rate: "78 %", Width: 100 / (1 + 2*i), Change: "+12 %"})
	}
	for i, name := range []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"} {
		day := HeatDay{Name: name}
		for hour := range 24 {
			c := HeatCell{Level: -1}
			if share := 100 - 7*max(hour-13, 13-hour) - 5*i; hour > 5 && share > 0 {
				title := fmt.Sprintf("%s, %d:00: %d %% of 25 rings answered", name, hour, share)
				c = HeatCell{strconv.Itoa(share), title, PathRings, share / 10}
				if hour > 20 {
					c.Level = -1
				}
			}
			day.Cells = append(day.Cells, c)
		}
		p.Heat.Days = append(p.Heat.Days, day)
	}
	return p
}
