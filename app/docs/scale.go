package docs

import (
	"fmt"
	"math"
	"strings"
)

// Measured is what one ring and one call cost, as `carillon bench nodes` and `carillon bench calls`
// found them. Measure again on your own machines: the page says how.
type Measured struct {
	Date, Machine, Command string

	Full []FullLoad

	// Per ring, on three nodes.
	NodeCPU     float64 // µs, of nodes and NATS, at 200 rings a second
	PostgresCPU float64 // µs, at the same rate
	Commits     float64 // of PostgreSQL at the same rate, those of reads too; with more rings several share one
	Log         float64 // bytes of PostgreSQL's write-ahead log
	Bytes       float64 // that its database grows by, indexes included
	Messages    float64 // that NATS passes on

	// Of a call between a phone and an agent, per second.
	CallCPU float64 // % of one core
	Packets float64 // that a node receives and sends; assumed
	Packet  float64 // bytes of one, with its headers; assumed: of Opus at 32 kbit/s
}

// FullLoad is a row of `carillon bench nodes`.
type FullLoad struct {
	Name      string
	PerSecond float64
	P50, P99  float64 // ms until 201
	Paced     float64 // µs of processor time at 200 rings a second
}

// measured are the figures of the page.
var measured = Measured{
	Date: "28 November 2026", Machine: "an AMD EPYC with 2 cores (Linux, Go 1.26.8, PostgreSQL 15.18)",
	Command: "carillon bench nodes",
	Full: []FullLoad{
		{"one server on SQLite", 11603, 7.7, 31.7, 927},
		{"one node on PostgreSQL", 3951, 23.6, 61.5, 687},
		{"two nodes", 3850, 23.2, 64.3, 1017},
		{"three nodes", 3435, 26.5, 67.4, 1087},
	},
	NodeCPU: 1087, PostgresCPU: 1573, Commits: 2.6, Log: 4568, Bytes: 2650, Messages: 0.1,
	CallCPU: 0.46, Packets: 200, Packet: 130,
}

// Load is what an installation must bear.
type Load struct {
	RingsPerHour float64
	Calls        float64 // at once
}

// Reserve is the part of a core that is planned with; the rest is for bursts, and for a node that
// is away.
const Reserve = 0.5

// NodeCores is the size of a node in the examples.
const NodeCores = 16

// AppleWait is how long Apple takes to answer a push, and AppleStreams how many pushes Apple lets
// one connection have under way. Both are assumed, not measured.
const (
	AppleWait    = 0.1 // seconds
	AppleStreams = 1000
)

// Needs is what a load takes.
type Needs struct {
	RingsPerSecond float64

	RingCores     float64 // of nodes and NATS
	CallCores     float64 // of nodes
	Nodes         float64 // of NodeCores
	CallsPerNode  float64
	PostgresCores float64

	Commits    float64 // a second
	LogRate    float64 // bytes a second
	DayBytes   float64 // that the database grows by in a day
	Messages   float64 // NATS, a second
	Bandwidth  float64 // bits a second, both directions together
	PacketRate float64 // packets a second, of all nodes
	InFlight   float64 // pushes that wait for Apple
	AppleLines float64 // connections to Apple, if all pushes are of one team
}

// Of calculates what a load needs.
func (m Measured) Of(l Load) (n Needs) {
	n.RingsPerSecond = l.RingsPerHour / 3600
	n.RingCores = n.RingsPerSecond * m.NodeCPU / 1e6 / Reserve
	n.CallCores = l.Calls * m.CallCPU / 100 / Reserve
	n.Nodes = math.Ceil((n.RingCores + n.CallCores) / NodeCores)
	n.CallsPerNode = math.Floor(NodeCores * Reserve / (m.CallCPU / 100))
	n.PostgresCores = n.RingsPerSecond * m.PostgresCPU / 1e6 / Reserve
	n.Commits = n.RingsPerSecond * m.Commits
	n.LogRate = n.RingsPerSecond * m.Log
	n.DayBytes = l.RingsPerHour * 24 * m.Bytes
	n.Messages = n.RingsPerSecond * m.Messages
	n.PacketRate = l.Calls * m.Packets
	n.Bandwidth = n.PacketRate * m.Packet * 8
	n.InFlight = n.RingsPerSecond * AppleWait
	n.AppleLines = math.Ceil(n.InFlight / AppleStreams)
	return n
}

// row is one line of the table on the page.
func row(what, how string, list ...string) string {
	return "| " + what + " | " + strings.Join(list, " | ") + " | " + how + " |\n"
}

// Table is the Markdown table of several loads.
func (m Measured) Table(loads ...Load) string {
	var b strings.Builder
	heads, rule := []string{}, "|---|"
	for _, l := range loads {
		heads = append(heads, fmt.Sprintf("%s rings an hour, %s calls at once", round(l.RingsPerHour), round(l.Calls)))
		rule += "---|"
	}
	b.WriteString("| what | " + strings.Join(heads, " | ") + " | how |\n" + rule + "---|\n")
	each := func(what, how string, value func(Needs) string) {
		var list []string
		for _, l := range loads {
			list = append(list, value(m.Of(l)))
		}
		b.WriteString(row(what, how, list...))
	}
	core := fmt.Sprintf(" ÷ %g", Reserve)
	each("rings a second", "rings an hour ÷ 3,600", func(n Needs) string { return round(n.RingsPerSecond) })
	each("cores for rings", "× "+round(m.NodeCPU)+" µs"+core, func(n Needs) string { return round(n.RingCores) })
	each("cores for calls", fmt.Sprintf("× %.2g %% of a core", m.CallCPU)+core, func(n Needs) string { return round(n.CallCores) })
	each(fmt.Sprintf("nodes of %d cores", NodeCores), "all cores ÷ those of a node", func(n Needs) string { return round(n.Nodes) })
	each("cores of PostgreSQL", "× "+round(m.PostgresCPU)+" µs"+core, func(n Needs) string { return round(n.PostgresCores) })
	each("commits a second", "× "+round(m.Commits), func(n Needs) string { return round(n.Commits) })
	each("write-ahead log", "× "+round(m.Log)+" bytes", func(n Needs) string { return round(n.LogRate/1e6) + " MB/s" })
	each("database", "× "+round(m.Bytes)+" bytes × 24 hours", func(n Needs) string { return round(n.DayBytes/1e9) + " GB a day" })
	each("NATS messages a second", "× "+round(m.Messages), func(n Needs) string { return round(n.Messages) })
	each("packets a second", "calls × "+round(m.Packets), func(n Needs) string { return round(n.PacketRate) })
	each("bandwidth, in and out", "× "+round(m.Packet)+" bytes", func(n Needs) string { return round(n.Bandwidth/1e9) + " Gbit/s" })
	each("pushes that wait for Apple", fmt.Sprintf("rings a second × %g s", AppleWait), func(n Needs) string { return round(n.InFlight) })
	each("connections to Apple, of one team", "÷ "+round(AppleStreams)+" on each", func(n Needs) string { return round(n.AppleLines) })
	return b.String()
}

// round writes a number with two digits that count, and commas.
func round(x float64) string {
	if x == 0 {
		return "0"
	}
	if x < 10 {
		return fmt.Sprintf("%.2g", x)
	}
	step := math.Pow(10, math.Max(0, math.Floor(math.Log10(x))-2))
	text := fmt.Sprintf("%.0f", math.Round(x/step)*step)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// scaled puts the figures of the page Scale into its text.
func scaled(text string) string {
	m := measured
	var full strings.Builder
	for _, f := range m.Full {
		full.WriteString(row(f.Name, round(f.Paced)+" µs", round(f.PerSecond), round(f.P50)+" ms", round(f.P99)+" ms"))
	}
	for name, value := range map[string]string{
		"{{scale_rows}}\n": full.String() + "\n",
		"{{scale_table}}":  m.Table(Load{1e6, 0}, Load{0, 1e5}, Load{1e6, 1e5}), "{{scale_date}}": m.Date,
		"{{scale_machine}}": m.Machine, "{{scale_command}}": m.Command, "{{scale_node}}": fmt.Sprint(NodeCores),
		"{{scale_calls}}": round(m.Of(Load{0, 1e5}).CallsPerNode), "{{scale_nodes}}": round(m.Of(Load{1e6, 1e5}).Nodes),
		"{{scale_postgres}}": round(Reserve * 1e6 / m.PostgresCPU * NodeCores),
		"{{scale_cpu}}":      round(m.NodeCPU), "{{scale_postgres_cpu}}": round(m.PostgresCPU),
		"{{scale_packets}}": round(m.Packets), "{{scale_packet}}": round(m.Packet),
		"{{scale_apple_wait}}": round(AppleWait * 1000), "{{scale_apple_streams}}": round(AppleStreams),
		"{{scale_call_cpu}}": fmt.Sprintf("%.2g", m.CallCPU),
		"{{scale_bytes}}":    round(m.Bytes), "{{scale_log}}": round(m.Log),
	} {
		text = strings.ReplaceAll(text, name, value)
	}
	return text
}
