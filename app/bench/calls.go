package bench

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"carillon/app/agents"
	"carillon/gateway"
	"carillon/gateway/phonetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// CallsReport is what `bench calls` found.
type CallsReport struct {
	Machine string    `json:"machine"`
	Rows    []CallRow `json:"rows"`
}

// The kinds of calls that are measured.
const (
	kindEcho   = "echo"   // the built-in agent on a phone that speaks Opus
	kindStream = "stream" // an agent that sends back each frame over a WebSocket, attached while the phone rings
	kindBridge = "bridge" // an agent that sends back each packet over WebRTC, attached while the phone rings
)

// CallRow is a number of calls at once. Set-up is from the phone's offer to the first sound it
// hears: all phones offer at once, after they have rung for a while. Its percentiles are of all
// calls of all rounds; its ratio is the middle one of the ratios of the rounds' p95. Added is how
// much later than the agent's own delay an echo comes back. The bare echo is Pion's, in Opus,
// whatever the kind of the call.
type CallRow struct {
	Kind     string  `json:"kind"`
	Calls    int     `json:"calls"`
	CPU      float64 `json:"cpu_percent_per_call"` // of one core; 0 where the system does not say
	SetUpP50 float64 `json:"setup_p50_ms"`
	SetUpP95 float64 `json:"setup_p95_ms"`
	AddedP50 float64 `json:"added_p50_ms"`
	AddedP95 float64 `json:"added_p95_ms"`
	AddedP99 float64 `json:"added_p99_ms"`
	Lost     int     `json:"lost"` // packets missing in what the phones heard

	BareCPU      float64 `json:"bare_cpu_percent_per_call"`
	BareSetUpP95 float64 `json:"bare_setup_p95_ms"`
	BareAddedP50 float64 `json:"bare_added_p50_ms"`
	BareAddedP99 float64 `json:"bare_added_p99_ms"`
	CPURatio     float64 `json:"cpu_ratio"`
	SetUpRatio   float64 `json:"setup_ratio"`
	Rounds       int     `json:"setup_rounds"` // of each side, taken in turns
}

// CallsConfig says how much to measure. The zero value measures 1, 10, 50 and 100 calls with the
// built-in agent, 60 with a stream agent and 50 with a WebRTC agent, in two turns of eight seconds.
type CallsConfig struct {
	Calls   []int
	Streams []int
	Bridges []int
	Turns   int
	Window  time.Duration
	Rounds  int // in which calls are set up; 0 = 7 to 15, the more the fewer calls there are
}

// Calls measures answered calls beside Pion's bare echo, both in processes of their own, in turns.
func Calls(ctx context.Context, c CallsConfig) (r CallsReport, err error) {
	if len(c.Calls) == 0 && len(c.Streams) == 0 && len(c.Bridges) == 0 {
		c.Calls, c.Streams, c.Bridges = []int{1, 10, 50, 100}, []int{60}, []int{50}
	}
	if c.Turns == 0 {
		c.Turns = 2
	}
	if c.Window == 0 {
		c.Window = 8 * time.Second
	}
	most := 0
	for _, n := range slices.Concat(c.Calls, c.Streams, c.Bridges) {
		most = max(most, n)
	}
	b, err := newCalls(ctx, max(most, callDevices))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	r.Machine = Machine()
	for _, k := range []struct {
		kind string
		list []int
	}{{kindEcho, c.Calls}, {kindStream, c.Streams}, {kindBridge, c.Bridges}} {
		for _, n := range k.list {
			row, err := b.row(ctx, k.kind, n, c)
			if err != nil {
				return r, err
			}
			r.Rows = append(r.Rows, row)
		}
	}
	return r, nil
}

// callDevices are so many that none answers more often than a phone may.
const callDevices = 400

// calls is a run of the benchmark.
type calls struct {
	stage *stage
	bare  *child
	phone *phonetest.Phone // speaks Opus
	g711  *phonetest.Phone // for the stream agent
	dir   string
	far   *phonetest.BareEcho // the WebRTC agent's sound
	agent *httptest.Server    // the agents
	speak tenants.AgentID     // the stream agent, as the server knows it
	bot   tenants.AgentID     // the WebRTC agent
	next  atomic.Int64        // the device to ring: one phone answers only a few calls a minute
}

func newCalls(ctx context.Context, devices int) (b *calls, err error) {
	b = &calls{}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.dir, err = os.MkdirTemp("", "carillon-bench-"); err != nil {
		return b, err
	}
	if b.far, err = phonetest.NewBareEchoes(); err != nil {
		return b, err
	}
	serve := http.NewServeMux()
	serve.Handle("/stream", agents.Mirror())
	serve.HandleFunc("POST /api/offer", b.answerOffer)
	b.agent = httptest.NewServer(serve)
	if b.stage, err = setUp(ctx, devices, nil, b.addAgents); err != nil {
		return b, err
	}
	if b.bare, err = spawn(ctx, b.dir, nil, "bench", "bare"); err != nil {
		return b, err
	}
	if b.g711, err = phonetest.New(phonetest.Config{Codecs: []string{"PCMU"}}); err != nil {
		return b, err
	}
	b.phone, err = phonetest.New(phonetest.Config{})
	return b, err
}

// answerOffer answers an offer as a pipecat bot does.
func (b *calls) answerOffer(w http.ResponseWriter, r *http.Request) {
	var offer struct {
		SDP string `json:"sdp"`
	}
	err := json.NewDecoder(r.Body).Decode(&offer)
	if err == nil {
		offer.SDP, err = b.far.Answer(r.Context(), offer.SDP)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"sdp": offer.SDP, "type": "answer", "pc_id": rand.Text()})
}

// addAgents adds the agents, and lets the server reach this machine.
func (b *calls) addAgents(ctx context.Context, s *stage, db *store.Store) error {
	s.env = append(s.env, "CARILLON_ALLOW_PRIVATE_TARGETS=127.0.0.0/8")
	now := time.Now()
	add := func(name string, a tenants.Agent) (tenants.AgentID, error) {
		a.ID, a.Name, a.CreatedAt, a.Attach = tenants.NewID[tenants.AgentID](now), name, now, tenants.AttachShown
		return a.ID, db.For(s.tenant).Agents().Add(ctx, a.Clean())
	}
	var errs [2]error
	b.speak, errs[0] = add("Mirror", tenants.Agent{Kind: tenants.Stream,
		Stream: &tenants.StreamAgent{URL: "ws" + strings.TrimPrefix(b.agent.URL, "http") + "/stream"}})
	b.bot, errs[1] = add("Bot", tenants.Agent{Kind: tenants.Pipecat, Pipecat: &tenants.PipecatAgent{URL: b.agent.URL + "/api/offer"}})
	return errors.Join(errs[:]...)
}

func (b *calls) close() error {
	var errs []error
	if b.bare != nil {
		errs = append(errs, b.bare.stop())
	}
	if b.stage != nil {
		errs = append(errs, b.stage.close())
	}
	if b.agent != nil {
		b.agent.CloseClientConnections()
		b.agent.Close()
	}
	if b.far != nil {
		errs = append(errs, b.far.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(b.dir))...)
}

func (b *calls) row(ctx context.Context, kind string, n int, c CallsConfig) (CallRow, error) {
	const bells = 4500 * time.Millisecond // the greeting, and a little
	bare := &side{process: b.bare, ring: b.ringBare, settle: time.Second}
	ours := &side{process: b.stage.server, ring: b.ringing(b.phone, ""), delay: agents.EchoDelay, settle: bells + agents.EchoDelay}
	switch kind {
	case kindStream:
		ours = &side{process: b.stage.server, ring: b.ringing(b.g711, b.speak), settle: time.Second}
	case kindBridge:
		ours = &side{process: b.stage.server, ring: b.ringing(b.phone, b.bot), settle: time.Second}
	}
	ours.rings = ringsFor
	ratio, rounds, err := setUpRounds(ctx, bare, ours, n, c.Rounds)
	if err != nil {
		return CallRow{}, err
	}
	for range c.Turns {
		for _, s := range []*side{bare, ours} {
			if err := s.turn(ctx, n, c.Window); err != nil {
				return CallRow{}, err
			}
		}
	}
	row := CallRow{
		Kind: kind, Calls: n, CPU: ours.percent(n), SetUpP50: ours.setUps.at(0.50), SetUpP95: ours.setUps.at(0.95),
		AddedP50: ours.added.at(0.50), AddedP95: ours.added.at(0.95), AddedP99: ours.added.at(0.99), Lost: int(ours.lost),
		BareCPU: bare.percent(n), BareSetUpP95: bare.setUps.at(0.95), BareAddedP50: bare.added.at(0.50), BareAddedP99: bare.added.at(0.99),
		SetUpRatio: ratio, Rounds: rounds,
	}
	if row.BareCPU > 0 {
		row.CPURatio = row.CPU / row.BareCPU
	}
	return row, nil
}

func (b *calls) ringBare(context.Context) (caller, error) {
	return func(ctx context.Context) (*phonetest.Call, error) { return b.phone.Call(ctx, b.offerBare) }, nil
}

// offerBare is an Answerer.
func (b *calls) offerBare(ctx context.Context, offer string) (string, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+b.bare.addr, strings.NewReader(offer))
	if err != nil {
		return "", err
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return "", err
	}
	defer a.Body.Close()
	answer, err := io.ReadAll(a.Body)
	if err == nil && a.StatusCode != http.StatusCreated {
		err = errors.New(string(answer))
	}
	return string(answer), err
}

// ringsFor is how long a phone rings before it is answered: its push is done, and its agent is
// there.
const ringsFor = 1500 * time.Millisecond

// ringing places rings to the next device, with an agent that is attached while the phone rings, or
// the built-in one.
func (b *calls) ringing(phone *phonetest.Phone, agent tenants.AgentID) func(context.Context) (caller, error) {
	return func(context.Context) (caller, error) {
		i := int(b.next.Add(1)) % len(b.stage.devices)
		id, err := b.ring(i, agent)
		if err != nil {
			return nil, err
		}
		if err := b.shown(id, i); err != nil {
			return nil, err
		}
		return func(ctx context.Context) (*phonetest.Call, error) { return phone.Call(ctx, b.leg(id, i).Answer) }, nil
	}
}

// shown reports that the phone shows the ring.
func (b *calls) shown(id string, i int) error {
	c, err := dial(b.stage.server.addr)
	if err != nil {
		return err
	}
	defer c.close()
	at := time.Now().UTC().Format(time.RFC3339Nano)
	body := fmt.Appendf(nil, `{"kind":"shown","at":%q,"sent_at":%q}`, at, at)
	status, answer, err := c.ask(request("POST", "/v1/phone/rings/"+id+"/facts", string([]byte(b.stage.phones[i])), body))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d: %s", status, answer)
	}
	return err
}

func (b *calls) leg(id string, i int) *phonetest.Leg {
	return &phonetest.Leg{URL: "http://" + b.stage.server.addr, Ring: id, Credential: string([]byte(b.stage.phones[i])),
		Client: http.DefaultClient}
}

// ring places a ring to a device, with an agent or the built-in one.
func (b *calls) ring(i int, agent tenants.AgentID) (string, error) {
	c, err := dial(b.stage.server.addr)
	if err != nil {
		return "", err
	}
	defer c.close()
	with := ""
	if agent != "" {
		with = fmt.Sprintf(`,"agent":%q`, agent)
	}
	body := fmt.Appendf(nil, `{"to":{"device":"%s"},"ttl_s":60%s}`, b.stage.devices[i], with)
	status, answer, err := c.ask(request("POST", "/v1/rings", string([]byte(b.stage.key)), body))
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("%d: %s", status, answer)
	}
	return field(answer, `"id":"`), err
}

// target is what a row must reach.
type target struct {
	kind  string
	calls int
	what  string
	met   func(CallRow) bool
}

// targets are ratios to the bare echo of the same run, and times. Both packetisations belong to the
// way from mouth to ear: the phone's own comes before it marks a packet. An echo crosses the bridge
// twice.
var targets = []target{
	{kindEcho, 50, "CPU of an echo ≤ 1.15 × bare", func(x CallRow) bool { return x.CPURatio <= 1.15 }},
	{kindEcho, 10, "set-up p95 ≤ 1.2 × bare", func(x CallRow) bool { return x.SetUpRatio <= 1.2 }},
	{kindEcho, 50, "set-up p95 ≤ 1.2 × bare", func(x CallRow) bool { return x.SetUpRatio <= 1.2 }},
	{kindStream, 60, "CPU of a stream ≤ 1.6 × bare", func(x CallRow) bool { return x.CPURatio <= 1.6 }},
	{kindStream, 60, "mouth to ear p95 ≤ 60 ms", func(x CallRow) bool { return x.AddedP95+millisOf(gateway.Frame) <= 60 }},
	{kindBridge, 50, "CPU of a bridge ≤ 1.9 × bare", func(x CallRow) bool { return x.CPURatio <= 1.9 }},
	{kindBridge, 50, "added by the bridge p50 ≤ 0.5 ms", func(x CallRow) bool { return (x.AddedP50-x.BareAddedP50)/2 <= 0.5 }},
	{kindBridge, 50, "added by the bridge p99 ≤ 5 ms", func(x CallRow) bool { return (x.AddedP99-x.BareAddedP99)/2 <= 5 }},
	{kindStream, 60, "first agent audio p95 ≤ 1.1 × bare + 40 ms", func(x CallRow) bool { return x.SetUpP95 <= 1.1*x.BareSetUpP95+40 }},
}

func millisOf(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// verdict is how a target's being met is printed.
func verdict(ok bool) string {
	if ok {
		return "yes"
	}
	return "NO"
}

// targets says of each row that has a target whether it meets it.
func (r CallsReport) targets() string {
	text := ""
	for _, x := range r.Rows {
		for _, t := range targets {
			if t.kind != x.Kind || t.calls != x.Calls {
				continue
			}
			text += fmt.Sprintf("; %s at %d: %s", t.what, t.calls, verdict(t.met(x)))
		}
	}
	return strings.TrimPrefix(text, "; ")
}

// Print writes the report as a table.
func (r CallsReport) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", r.Machine)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "agent\tcalls\tCPU %/call\tbare\tratio\t"+
		"set-up p50\tp95 ms\tbare p95\tratio\trounds\tadded p50\tp95\tp99 ms\tbare p50\tp99 ms\tlost\t")
	for _, x := range r.Rows {
		fmt.Fprintf(t, "%s\t%d\t%.2f\t%.2f\t%.2f\t%.1f\t%.1f\t%.1f\t%.2f\t%d\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%d\t\n",
			x.Kind, x.Calls, x.CPU, x.BareCPU, x.CPURatio, x.SetUpP50, x.SetUpP95, x.BareSetUpP95, x.SetUpRatio, x.Rounds,
			x.AddedP50, x.AddedP95, x.AddedP99, x.BareAddedP50, x.BareAddedP99, x.Lost)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nSet-up: from the offers of all phones, sent at once while they ring, to each one's first sound, in\n"+
		"rounds of both sides in turns after one that is not counted. Its ratio is the middle one of the ratios\n"+
		"of the rounds' p95.\n\ntargets: %s\n", r.targets())
	return err
}

// PrintJSON writes the report as one JSON line.
func (r CallsReport) PrintJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }
