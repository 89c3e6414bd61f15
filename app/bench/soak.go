package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"carillon/gateway/phonetest"
	"carillon/tenants"
)

// SoakReport is what `bench soak` found.
type SoakReport struct {
	Machine string         `json:"machine"`
	Rows    []SoakRow      `json:"rows"`
	Calls   int            `json:"calls"`
	Lost    uint64         `json:"lost"`   // packets missing in what the phones of calls that stay heard
	Ended   map[string]int `json:"ended"`  // calls by how they ended
	Failed  map[string]int `json:"failed"` // calls by what went wrong with them
	Checks  []SoakCheck    `json:"checks"`
}

// SoakCheck is one thing that must hold.
type SoakCheck struct {
	What   string `json:"what"`
	Figure string `json:"figure"`
	Held   bool   `json:"held"`
}

// SoakRow is what the server holds at one moment.
type SoakRow struct {
	Part       string  `json:"part"`
	At         float64 `json:"at_s"`
	Calls      int     `json:"calls"` // so far
	Goroutines int     `json:"goroutines"`
	Files      int     `json:"files"`
	MemoryMB   float64 `json:"memory_mb"` // resident
	HeapMB     float64 `json:"heap_mb"`   // at which Go next collects: about twice what is in use
}

// The parts of a soak.
const (
	partBefore = "before"
	partStay   = "stay"
	partChurn  = "churn"
	partAfter  = "after"
)

// SoakConfig says how much is done. The zero value is 50 calls that stay for ten minutes, and then
// five calls a second for five minutes. A third of each have the built-in agent, a third a stream
// agent and a third a WebRTC agent.
type SoakConfig struct {
	Calls     int
	For       time.Duration
	PerSecond int
	ChurnFor  time.Duration
}

func (c *SoakConfig) fill() {
	if c.Calls == 0 {
		c.Calls = 50
	}
	if c.For == 0 {
		c.For = 10 * time.Minute
	}
	if c.PerSecond == 0 {
		c.PerSecond = 5
	}
	if c.ChurnFor == 0 {
		c.ChurnFor = 5 * time.Minute
	}
}

// churned is how many calls come and go.
func (c SoakConfig) churned() int { return max(1, int(c.ChurnFor.Seconds()*float64(c.PerSecond))) }

const (
	soakLasts   = 2 * time.Second  // a call that comes and goes
	soakLooks   = 10               // looks at the server in each part
	soakLingers = time.Minute      // until what a call leaves must be gone: a slow machine takes long
	soakRoom    = 15               // goroutines or files that may be there in the end and were not before: at most
	soakSilence = 20 * time.Second // until a phone must have heard its agent again
)

// roomOf is how many goroutines or files may be there after so many calls that were not there
// before: fewer than what a call would leave if each left one.
func roomOf(calls int) int { return min(soakRoom, calls/2) }

// Soak holds calls for a while, then has calls come and go, and watches what the server holds.
func Soak(ctx context.Context, c SoakConfig) (r SoakReport, err error) {
	c.fill()
	devices := 60 * c.PerSecond // a phone may answer only a few times a minute
	b, err := newCalls(ctx, devices+c.Calls)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	s := &soak{calls: b, began: time.Now(), devices: devices, room: roomOf(c.Calls + c.churned())}
	s.Machine, s.Ended, s.Failed = Machine(), map[string]int{}, map[string]int{}
	for i := range soakKinds { // what the first call of a kind opens stays open: statements, idle connections
		s.short(ctx, i, 0)
	}
	if err := s.settle(ctx, partBefore); err != nil {
		return s.SoakReport, err
	}
	if err := s.stay(ctx, c); err != nil {
		return s.SoakReport, err
	}
	if err := s.churn(ctx, c); err != nil {
		return s.SoakReport, err
	}
	if err := s.reasons(); err != nil {
		return s.SoakReport, err
	}
	s.judge()
	return s.SoakReport, ctx.Err()
}

// soak is a run.
type soak struct {
	*calls
	began   time.Time
	devices int // for calls that come and go; those of the others come after them
	room    int // of all calls

	mu  sync.Mutex // guards the rest, and Failed
	ids []string
	SoakReport
}

// soakKinds is how many kinds of calls are mixed.
const soakKinds = 3

// mixed is the agent of the i-th call, and a phone that it can talk to.
func (s *soak) mixed(i int) (tenants.AgentID, *phonetest.Phone) {
	switch i % soakKinds {
	case 1:
		return s.speak, s.g711
	case 2:
		return s.bot, s.phone
	}
	return "", s.phone
}

// fail notes what went wrong with a call.
func (s *soak) fail(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Failed[why]++
}

// open sets the i-th call up, until its phone hears the agent. The leg is nil if it failed.
func (s *soak) open(ctx context.Context, i, device int) (*phonetest.Leg, *phonetest.Call) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	agent, phone := s.mixed(i)
	id, err := s.ring(device, agent)
	if err != nil {
		s.fail(fmt.Sprintf("not placed: %.80s", err))
		return nil, nil
	}
	s.mu.Lock()
	s.ids = append(s.ids, id)
	s.mu.Unlock()
	leg := s.leg(id, device)
	call, err := phone.Call(ctx, leg.Answer)
	if err != nil {
		s.fail(fmt.Sprintf("not answered: %.80s", err))
		return nil, nil
	}
	if err := call.Until(ctx, func(s phonetest.Stats) bool { return s.Heard > 0 }); err != nil {
		s.fail("the phone heard nothing")
		call.HangUp()
		return nil, nil
	}
	return leg, call
}

// end hangs up, as a phone does.
func (s *soak) end(ctx context.Context, leg *phonetest.Leg, call *phonetest.Call) {
	defer call.HangUp()
	if err := leg.HangUp(ctx); err != nil {
		s.fail(fmt.Sprintf("not hung up: %.80s", err))
	}
}

// short is one call that goes again.
func (s *soak) short(ctx context.Context, i int, lasts time.Duration) {
	s.mu.Lock()
	s.Calls++
	s.mu.Unlock()
	if leg, call := s.open(ctx, i, i%s.devices); leg != nil {
		rest(ctx, lasts)
		s.end(ctx, leg, call)
	}
}

// stay sets calls up, ten a second, holds them and hangs up.
func (s *soak) stay(ctx context.Context, c SoakConfig) error {
	legs, all := make([]*phonetest.Leg, c.Calls), make([]*phonetest.Call, c.Calls)
	defer func() { hangUp(all) }()
	s.Calls += c.Calls
	err := paced(ctx, c.Calls, 100*time.Millisecond, func(i int, _ time.Time) error {
		legs[i], all[i] = s.open(ctx, i, s.devices+i)
		return nil
	})
	if err != nil {
		return err
	}
	for range soakLooks {
		rest(ctx, c.For/soakLooks)
		if err := s.look(ctx, partStay); err != nil {
			return err
		}
	}
	s.stillHeard(ctx, all)
	var wg sync.WaitGroup
	for i, leg := range legs {
		if leg != nil {
			wg.Go(func() { s.end(ctx, leg, all[i]) })
		}
	}
	wg.Wait()
	return s.settle(ctx, partAfter)
}

// stillHeard notes the calls that have ended by themselves, or have fallen silent.
func (s *soak) stillHeard(ctx context.Context, all []*phonetest.Call) {
	before := make([]uint64, len(all))
	for i, c := range all {
		if c != nil {
			before[i] = c.Stats().PacketsIn
		}
	}
	soon, cancel := context.WithTimeout(ctx, soakSilence)
	defer cancel()
	for i, c := range all {
		if c == nil {
			continue
		}
		err := c.Until(soon, func(now phonetest.Stats) bool { return now.PacketsIn > before[i] })
		s.Lost += c.Stats().Gaps
		select {
		case <-c.Closed():
			s.fail("ended by itself")
		default:
			if err != nil {
				s.fail("fell silent")
			}
		}
	}
}

// churn has calls come and go at a fixed rate.
func (s *soak) churn(ctx context.Context, c SoakConfig) error {
	n := c.churned()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	looked := make(chan error, 1)
	go func() {
		var err error
		for k := 0; k < soakLooks && err == nil; k++ {
			rest(ctx, c.ChurnFor/soakLooks)
			err = s.look(ctx, partChurn)
		}
		looked <- err
	}()
	err := paced(ctx, n, time.Second/time.Duration(c.PerSecond), func(i int, _ time.Time) error {
		s.short(ctx, i, soakLasts)
		return nil
	})
	if err != nil {
		cancel()
	}
	if err = errors.Join(err, <-looked); err != nil {
		return err
	}
	return s.settle(ctx, partAfter)
}

// look notes what the server holds.
func (s *soak) look(ctx context.Context, part string) error {
	seen, err := s.stage.server.measure(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Rows = append(s.Rows, SoakRow{
		Part: part, At: time.Since(s.began).Seconds(), Calls: s.Calls, Goroutines: int(seen["go_goroutines"]),
		Files: int(seen["process_open_fds"]), MemoryMB: seen["process_resident_memory_bytes"] / 1e6,
		HeapMB: seen["go_memstats_next_gc_bytes"] / 1e6,
	})
	return nil
}

// settle notes what the server holds when no call is left: once what lingers after a hang-up is
// gone, and at the latest after a minute.
func (s *soak) settle(ctx context.Context, part string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*soakLingers)
	defer cancel()
	until, least, same := time.Now().Add(soakLingers), 0, 0
	for {
		seen, err := s.stage.server.measure(ctx)
		if err != nil {
			return err
		}
		held := int(seen["go_goroutines"] + seen["process_open_fds"])
		if part == partAfter && held <= s.Rows[0].Goroutines+s.Rows[0].Files+s.room/2 {
			break
		}
		if same++; least == 0 || held < least {
			least, same = held, 0
		}
		if part == partBefore && same > 10 || time.Now().After(until) {
			break
		}
		rest(ctx, 200*time.Millisecond)
	}
	return s.look(ctx, part)
}

// reasons asks how each ring ended.
func (s *soak) reasons() error {
	c, err := dial(s.stage.server.addr)
	if err != nil {
		return err
	}
	defer c.close()
	for _, id := range s.ids {
		status, answer, err := c.ask(request("GET", "/v1/rings/"+id, string([]byte(s.stage.key)), nil))
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("%d %s: %w", status, answer, err)
		}
		var ring struct {
			State string
			Call  *struct {
				EndedBy *string `json:"ended_by"`
			}
		}
		if err := json.Unmarshal(answer, &ring); err != nil {
			return err
		}
		reason := ring.State + ", no reason"
		if ring.Call != nil && ring.Call.EndedBy != nil {
			reason = ring.State + ", " + *ring.Call.EndedBy
		}
		s.Ended[reason]++
	}
	return nil
}

// asPlanned is how every call of a soak must end.
const asPlanned = "ended, phone_hung_up"

// judge fills in the checks.
func (r *SoakReport) judge() {
	failed := 0
	for _, n := range r.Failed {
		failed += n
	}
	r.check("every call is set up, heard to its end and hung up by its phone", fmt.Sprintf("%d of %d", r.Calls-failed, r.Calls),
		failed == 0)
	r.check("every call ends with its reason", fmt.Sprintf("%d of %d", r.Ended[asPlanned], r.Calls), r.Ended[asPlanned] == r.Calls)
	for _, x := range []struct {
		what  string
		of    func(SoakRow) float64
		share float64 // that it may grow within a part
		room  float64 // and so much more, for what comes and goes
	}{
		{"goroutines", func(x SoakRow) float64 { return float64(x.Goroutines) }, 0.05, 30},
		{"open files", func(x SoakRow) float64 { return float64(x.Files) }, 0.05, 15},
		{"memory, MB", func(x SoakRow) float64 { return x.MemoryMB }, 0.1, 8},
		{"heap, MB", func(x SoakRow) float64 { return x.HeapMB }, 0.1, 8},
	} {
		for _, part := range []string{partStay, partChurn} {
			first, second := r.halves(part, x.of)
			r.check(x.what+" flat: "+part, fmt.Sprintf("%.0f → %.0f", first, second), second <= first*(1+x.share)+x.room)
		}
	}
	for _, x := range []struct {
		what string
		of   func(SoakRow) int
	}{
		{"goroutines", func(x SoakRow) int { return x.Goroutines }},
		{"open files", func(x SoakRow) int { return x.Files }},
	} {
		before, after, room := x.of(r.Rows[0]), x.of(r.Rows[len(r.Rows)-1]), roomOf(r.Calls-r.Rows[0].Calls)
		r.check(x.what+" as before the first call", fmt.Sprintf("%d → %d", before, after), after <= before+room)
	}
}

func (r *SoakReport) check(what, figure string, held bool) {
	r.Checks = append(r.Checks, SoakCheck{what, figure, held})
}

// halves are the medians of the two halves of a part.
func (r *SoakReport) halves(part string, of func(SoakRow) float64) (first, second float64) {
	var all []float64
	for _, x := range r.Rows {
		if x.Part == part {
			all = append(all, of(x))
		}
	}
	middle := func(list []float64) float64 {
		if len(list) == 0 {
			return 0
		}
		list = slices.Clone(list)
		slices.Sort(list)
		return list[len(list)/2]
	}
	return middle(all[:len(all)/2]), middle(all[len(all)/2:])
}

// Held reports whether all holds that must.
func (r SoakReport) Held() bool {
	return len(r.Checks) > 0 && !slices.ContainsFunc(r.Checks, func(c SoakCheck) bool { return !c.Held })
}

// Print writes the report as a table.
func (r SoakReport) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", r.Machine)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "part\tat s\tcalls so far\tgoroutines\topen files\tmemory MB\theap MB\t")
	for _, x := range r.Rows {
		fmt.Fprintf(t, "%s\t%.0f\t%d\t%d\t%d\t%.0f\t%.0f\t\n", x.Part, x.At, x.Calls, x.Goroutines, x.Files, x.MemoryMB, x.HeapMB)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%d calls; ended: %v; failed: %v; packets lost in those that stay: %d\n\n", r.Calls, r.Ended, r.Failed, r.Lost)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range r.Checks {
		fmt.Fprintf(t, "%s\t%s\t%s\n", c.What, c.Figure, kept(c.Held))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nFlat: in a part, the middle value of the second half is above that of the first by at most 5 %% and\n"+
		"30 goroutines or 15 files, or by 10 %% and 8 MB.\n\n%s\n", kept(r.Held()))
	return err
}

func kept(ok bool) string {
	if ok {
		return "held"
	}
	return "MISSED"
}

// PrintJSON writes the report as one JSON line.
func (r SoakReport) PrintJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }
