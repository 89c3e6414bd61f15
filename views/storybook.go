package views

import "time"

var (
	allStates = []RingState{RingPlaced, RingPushed, RingRinging, RingAnswered, RingEnded, RingDeclined, RingMissed, RingCancelled,
		RingFailed}
	allEnvironments = []Environment{EnvProduction, EnvSandbox, EnvBoth, EnvAuto, EnvNone}
	allTones        = []Tone{ToneNeutral, ToneInfo, ToneGood, ToneWarn, ToneBad, ToneBrand}
)

// StorybookOf is the storybook with made-up data around now; pages links each sample page at prefix
// + name.
func StorybookOf(now time.Time, prefix string) StorybookPage {
	p := sampler{now: now}.storybook()
	for _, s := range Samples(now) {
		p.Pages = append(p.Pages, Link{Text: s.Name, Href: prefix + s.Name})
	}
	return p
}

func (s sampler) storybook() StorybookPage {
	o := s.overview()
	table := s.ringTable(3)
	return StorybookPage{
		Shell: s.shell("Storybook", ""), Checklist: *s.checklist(2), Stats: o.Stats, Funnel: o.Funnel, Latency: o.Latency,
		Outcomes: o.Outcomes, Chart: o.Chart,
		Hops: s.liveHops(), Failed: s.failedHops(), Lane: s.ringFailed().Lanes[0], Table: table, Rings: s.ringRows()[:3],
		Now: s.ago(3 * time.Minute), QR: sampleDots(),
		Confirm: Confirm{ID: "story-confirm", Title: "Remove Ana’s iPhone?", TypeName: "Ana’s iPhone", Button: "Remove device",
			Action: PathStorybook, Back: PathStorybook, Consequence: []string{"It stops ringing at once."}},
	}
}
