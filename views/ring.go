package views

// rows lists what a ring is about, leaving out what was not given.
func (p RingPage) rows() []Row {
	rows := []Row{{Name: "To", Text: p.To, Href: p.ToHref, Own: p.ToHref != ""},
		{Name: "Agent", Text: p.Agent, Href: p.AgentHref, Own: p.AgentHref != ""}}
	if p.Caller != "" {
		rows = append(rows, Row{Name: "Shown as", Text: p.Caller, Own: true})
	}
	if p.Reference != "" {
		rows = append(rows, Row{Name: "Reference", Text: p.Reference, Copy: true})
	}
	rows = append(rows, Row{Name: "Placed by", Text: p.PlacedBy}, Row{Name: "Placed", When: p.Placed})
	if p.Ended.ISO != "" {
		rows = append(rows, Row{Name: "Ended", When: p.Ended})
	} else {
		rows = append(rows, Row{Name: "Stops ringing", When: p.Expires})
	}
	return append(rows, Row{Name: "Ring id", Text: p.ID, Copy: true})
}

// going tells whether the phone may still be ringing or the call be running.
func (s RingState) going() bool {
	return s == RingPlaced || s == RingPushed || s == RingRinging || s == RingAnswered
}

// why is the problem of a test ring, without a title that stands above it as the headline already.
func (p TestLivePage) why() *Callout {
	if p.Problem == nil || p.Problem.Title != p.Headline {
		return p.Problem
	}
	c := *p.Problem
	c.Title = ""
	return &c
}
