package views

// sound is a call that was bad for a moment.
func (s sampler) sound() *Sound {
	out := &Sound{Each: "5 s", Agent: true, Stream: true, Graphs: []SoundGraph{
		{Title: "Quality", Now: "2.9", Top: "4.5", Foot: "1"}, {Title: "Loss", Now: "8.2 %", Top: "10 %", Foot: "0"},
		{Title: "Jitter", Now: "24 ms", Top: "30 ms", Foot: "0"}, {Title: "Latency", Now: "96 ms", Top: "200 ms", Foot: "0"}}}
	for i := range 22 {
		bad := 0.0
		if i > 9 && i < 13 {
			bad = 0.6
		}
		x, wave := float64(i+1)/22, float64(i%4)/50
		for g, y := range []float64{0.94 - bad*0.7, 0.02 + bad, 0.15 + bad + wave, 0.3 + bad/4 + wave} {
			out.Graphs[g].Phone = append(out.Graphs[g].Phone, SoundPoint{X: x, Y: y + wave/4})
			out.Graphs[g].Agent = append(out.Graphs[g].Agent, SoundPoint{X: x, Y: []float64{0.9, 0.01, 0, 0.12}[g], Gap: i == 5})
		}
		out.Rows = append(out.Rows, SoundRow{At: Millis(5000 * (i + 1)), MOS: "4.3", Loss: "0.1 %", Jitter: "4 ms", Trip: "38 ms",
			AgentMOS: "4.3", AgentTrip: "21 ms", Late: "0"})
	}
	return out
}

// callFigures are figures of calls.
func (s sampler) callFigures() CallFigures {
	return CallFigures{Period: "the last 7 days", Rows: []CallFigure{
		{Name: "Quality", Means: "mean opinion score, 1 to 4.4", P50: "4.3", P95: "3.8", Calls: 685},
		{Name: "Agent’s first sound", Means: "after the answer", P50: "420 ms", P95: "1.2 s", Calls: 685},
		{Name: "Agent stops when interrupted", Means: "after the person’s first word"},
	}}
}
