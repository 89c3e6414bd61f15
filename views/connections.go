package views

import "math"

// ConnectionRow is one connection in the list.
type ConnectionRow struct {
	ID        string
	Name      string
	Role      string // "Webhook"
	Address   string
	Events    string // "All events", "3 of 13 events"
	Tone      Tone
	State     string // "Working", "Failing"
	Since     Time   // since when it fails, or is off; zero while it works
	Failures  string // in 24 hours: "0.4 %"
	P95       string // of the answers in 24 hours: "182 ms"
	Delivered Time   // the last event that arrived
}

// ConnectionsPage lists connections.
type ConnectionsPage struct {
	Shell       Shell
	Table       Table
	Connections []ConnectionRow
	Pod         []PodRow // what the tenant's industry expects
	CanEdit     bool
}

// PodRow is one connection that an industry expects, and how it does.
type PodRow struct {
	Role string // "CRM"
	Why  string // why the industry expects it, one sentence
	Tone Tone
	Word string // "Not connected", "Working", "Failing"
	When Time   // since when it fails
	Name string // of the connection; empty when there is none
	Href string // the connection, or the form that adds it; empty for a viewer without one
	Add  bool   // Href leads to the form
}

// RoleCard is one kind of connection to choose from.
type RoleCard struct {
	Role, Name, Text string
	Why              string // why this industry expects it; empty when it does not
}

// ConnectionFormPage adds or changes a connection.
type ConnectionFormPage struct {
	Shell   Shell
	ID      string     // empty for a new one
	Cards   []RoleCard // the kinds to choose from, while none is chosen
	Role    string     // "webhook"
	Kind    string     // "Webhook"
	Text    string     // what this kind does
	Error   string
	Name    Field
	Address Field
	Parts   []FormPart   // settings of the role
	Events  []EventGroup // none for a role that takes fixed events
	Wrong   string       // what is wrong with the events
	Headers *Field       // nil for a role without
	Forget  *Tick        // removes the stored headers
}

// FormPart is one input of a form whose inputs are known only when it is drawn.
type FormPart struct {
	Input, Area *Field
	Pick        *Pick
	Tick        *Tick
	Ticks       []Tick // under Legend
	Legend      string
	Note        string // a paragraph
}

// EventGroup is events under a title.
type EventGroup struct {
	Title string
	Ticks []Tick
}

// action is where the form goes.
func (p ConnectionFormPage) action() string {
	if p.ID == "" {
		return PathConnectionAdd
	}
	return ConnectionEditPath(p.ID)
}

// back is where Cancel leads.
func (p ConnectionFormPage) back() string {
	if p.ID == "" {
		return PathConnections
	}
	return ConnectionPath(p.ID)
}

// ConnectionPage is one connection.
type ConnectionPage struct {
	Shell      Shell
	ID         string
	Tone       Tone
	State      string
	Problem    *Callout
	Facts      []Row
	Traffic    Traffic
	Extra      *ConnectionExtra // what the role has to show
	Sends      bool             // it sends events: a test, a list and a replay make sense
	Test       string           // what a test does; empty = there is none
	TestButton string
	Result     *DeliveryPage // of the test event that was just sent
	Deliveries []DeliveryRow // the latest
	Waiting    string        // "12 events wait"; empty when none do
	Verify     string        // a program that checks our signature; empty for a role that does not sign
	Active     bool
	OnAgain    string // what is sent once it is turned on again
	OnPause    string // what becomes of events while it is paused
	Resume     bool   // it can be made to work again
	CanEdit    bool
	Rotate     *Confirm // nil for a role without a secret
	Remove     Confirm
}

// ConnectionExtra is what only one role shows, such as the schedule of a calendar.
type ConnectionExtra struct {
	Title string
	Sub   string
	Rows  []Row
	None  string // said when there are no rows
}

// Traffic is how deliveries of one connection did in the last 24 hours.
type Traffic struct {
	Stats []Stat
	Hours []TrafficHour // oldest first
	Zone  string
}

// TrafficHour is one hour's attempts.
type TrafficHour struct {
	Label             string // "14:00"
	ISO               string
	Delivered, Failed int
	P50, P95          int // milliseconds
}

func (t Traffic) any() bool {
	for _, h := range t.Hours {
		if h.Delivered+h.Failed > 0 {
			return true
		}
	}
	return false
}

// bars stacks each hour: what arrived below, what failed on top.
func (t Traffic) bars() []bar {
	most := 1
	for _, h := range t.Hours {
		most = max(most, h.Delivered+h.Failed)
	}
	var out []bar
	step := 100 / float64(max(1, len(t.Hours)))
	for i, h := range t.Hours {
		y := 100.0
		for _, part := range []struct {
			class, word string
			n           int
		}{{"bar-good", "delivered", h.Delivered}, {"bar-bad", "failed", h.Failed}} {
			if part.n == 0 {
				continue
			}
			height := 100 * float64(part.n) / float64(most)
			y -= height
			out = append(out, bar{part.class, pct(float64(i)*step + step*0.14), pct(y), pct(step * 0.72),
				pct(math.Max(height-0.8, 0.6)), h.Label + ": " + Count(part.n) + " " + part.word})
		}
	}
	return out
}

// DeliveryRow is one event that was sent over a connection, or is to be.
type DeliveryRow struct {
	ID    string // of the event
	Event string // "ring.ended"
	Ring  string // its id; empty = of no ring

	Connection string // the id of the connection
	At         Time   // when the event happened
	Tone       Tone
	State      string // "Delivered", "Waiting", "Failed"
	Status     string // "200", "no answer"
	Tries      string // "2 attempts"
	Next       Time   // the next attempt, while it waits
}

// DeliveriesPage lists what was sent over one connection.
type DeliveriesPage struct {
	Shell      Shell
	Table      Table
	Deliveries []DeliveryRow
	Again      string // where a range is sent again; empty for a viewer
}

// DeliveryPage is one event that was sent, with its attempts.
type DeliveryPage struct {
	Shell      Shell
	ID         string
	Connection string
	Tone       Tone
	State      string
	Facts      []Row
	Problem    *Callout
	Body       string // what is sent
	Attempts   []DeliveryAttempt
	CanSend    bool
	Send       string // the word on the button: "Send now", "Send again"
}

// DeliveryAttempt is one request.
type DeliveryAttempt struct {
	ID      string
	At      Time
	Tone    Tone
	Status  string // "200 OK", "no answer"
	Took    string
	Cause   string // why it failed
	Cure    string
	Request string // headers and body
	Answer  string // the first 1 KiB
}

// ReplayPage counts what would be sent again, and sends it.
type ReplayPage struct {
	Shell    Shell
	ID       string
	Error    string
	Which    []Choice // failed, all
	From, To Field
	Counted  bool
	Count    int
	Says     []string // the consequence
	Hidden   []Choice // what is posted: the same choice again
}

// sign goes with the state: a plug while nothing is connected.
func (r PodRow) sign() Icon {
	if r.Name == "" {
		return IconPlug
	}
	return r.Tone.icon()
}

func (d DeliveryRow) sign() Icon {
	if d.Tone == ToneInfo {
		return IconClock
	}
	return d.Tone.icon()
}

func (p ReplayPage) found() string {
	if p.Count == 0 {
		return "No events in this time"
	}
	return Plural(p.Count, "event", "events") + " will be sent"
}

// first names the oldest hour.
func (t Traffic) first() string {
	if len(t.Hours) == 0 {
		return ""
	}
	return t.Hours[0].Label
}
