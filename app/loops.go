package app

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"carillon/app/switchboard"
	"carillon/tenants"
)

// guard is why a loop may run on every node at once and still does nothing twice.
type guard string

const (
	byNode guard = "own"   // it looks after what this node alone has: its calls, counters, files, clock
	byRow  guard = "claim" // each row is claimed by one node, in the database: SKIP LOCKED, a lease or a compare-and-set
	byTurn guard = "turn"  // one node at a time runs it: store.Jobs.Turn
)

// loop is a background loop. TestLoops reads this table and demands a guard.
type loop struct {
	name  string
	pause time.Duration
	guard guard
	do    func(context.Context) error
}

// loops are all background loops of this node.
func (n *node) loops() []loop {
	jobs := n.store.Jobs()
	all := []loop{
		{"sweep", 250 * time.Millisecond, byRow, n.board.Sweep},
		{"roll the tally", time.Second, byRow, led(n.store.Leads, standBy, n.roll)},
		{"file the rings of devices", time.Second, byRow, led(n.store.Leads, standBy, n.store.DeviceRings().FileAll)},
		{"checkpoint", 5 * time.Second, byNode, n.store.Checkpoint},
		{"renew calls", 10 * time.Second, byNode, n.board.Renew},
		{"store how calls sounded", 5 * time.Second, byNode, n.board.SaveQuality},
		{"review credentials", time.Hour, byTurn, n.health.Review},
		{"review keys", 10 * time.Minute, byTurn, n.health.ReviewKeys},
		{"review usage", 10 * time.Minute, byTurn, n.health.ReviewUsage},
		{"check domains again", 10 * time.Minute, byTurn, func(ctx context.Context) error {
			return n.health.ReviewDomains(ctx, net.DefaultResolver)
		}},
		{"review duty", time.Minute, byTurn, n.health.ReviewDuty},
		{"mail about alerts", 10 * time.Second, byRow, n.mailAlerts},
		{"review alert rules", 10 * time.Second, byRow, n.health.ReviewRules},
		{"send alerts to targets", 5 * time.Second, byRow, n.sendsNews.Send},
		{"send weekly mails", 5 * time.Minute, byRow, n.digest.Send},
		{"store the requests of keys", 2 * time.Second, byNode, n.v1.SaveRequests},
		{"review connections", time.Minute, byTurn, n.events.Review},
		{"read calendars", time.Minute, byTurn, n.calendars.Read},
		{"send audit entries", tenants.AuditEvery, byRow, led(n.store.Leads, standBy, n.feedAudits)},
		{"close repeated audit entries", time.Minute, byTurn, n.closeRepeats},
		{"end looks of operators", time.Minute, byRow, n.endLooks},
		{"verify audit chains", time.Second, byNode, n.console.VerifyAudits},
		{"sign audit chains", 10 * time.Minute, byTurn, n.signAudits},
		{"write exports", time.Second, byRow, led(n.store.Leads, standBy, n.console.RunExports)},
		{"remove exports", time.Minute, byNode, n.console.SweepExports},
		{"erase people", time.Second, byTurn, n.erase},
		{"delete tenants", time.Minute, byTurn, n.deleteTenants},
		{"empty removed connections", 5 * time.Second, byTurn, n.store.EmptyConnections},
		{"trim deliveries", 10 * time.Second, byTurn, n.events.Trim},
		{"measure deliveries", 10 * time.Second, byNode, n.measureDeliveries},
		{"record failed sign-ins", time.Minute, byNode, n.common.RecordFailures},
		{"retire old rows", 10 * time.Minute, byTurn, n.retire},
		{"forget", 10 * time.Minute, byTurn, func(ctx context.Context) error { return jobs.Forget(ctx, n.now()) }},
	}
	if n.oldKeys {
		all = append(all, loop{"count rows under old keys", time.Hour, byNode, n.sayOldKeys})
	}
	if n.billing != nil {
		all = append(all, loop{"report rings to Stripe", 20 * time.Second, byTurn, n.billing.Report},
			loop{"reconcile with Stripe", 30 * time.Minute, byTurn, n.billing.Reconcile})
	}
	if n.dataDir == "" {
		all = append(all, n.clusterLoops()...)
	}
	return all
}

// standBy is how often a node that does not lead looks for work that the leading one has claimed
// already, unless that one is stuck.
const standBy = 5 * time.Second

// standByLost is the same for calls of nodes that are gone, which end within ten seconds.
const standByLost = time.Second

// led has a loop run on the leading node each time, and on the others from time to time: what all
// of them read each second, one of them can use.
func led(leads func() bool, standBy time.Duration, do func(context.Context) error) func(context.Context) error {
	var last time.Time
	return func(ctx context.Context) error {
		now := time.Now()
		if !leads() && now.Sub(last) < standBy {
			return nil
		}
		last = now
		return do(ctx)
	}
}

// clusterLoops are those of a node whose database other nodes may use.
func (n *node) clusterLoops() []loop {
	all := []loop{
		{"heartbeat", beatEvery, byNode, n.beat},
		{"hold pushes", 100 * time.Millisecond, byNode, n.board.HoldPushes},
		{"read the clock", time.Minute, byNode, n.store.ReadClock},
		{"forget nodes", time.Hour, byTurn, n.store.Nodes().Forget},
		{"split tables by month", time.Minute, byTurn, func(ctx context.Context) error { return n.store.Months().Keep(ctx, n.now()) }},
	}
	if n.others == nil {
		return all
	}
	follow := n.store.Follow()
	return append(all,
		loop{"follow the other nodes", followEvery, byNode, func(ctx context.Context) error { return n.follow(ctx, follow) }},
		loop{"keep calls", 2 * time.Second, byNode, switchboard.NewHeld(n.board).Keep},
		loop{"end calls of nodes that are gone", 500 * time.Millisecond, byRow, led(n.store.Leads, standByLost, n.endLost)},
		loop{"forget holders", time.Minute, byTurn, n.store.Nodes().ForgetHolders})
}

// endLost ends the calls of nodes that are lost, if this node may find that they are.
func (n *node) endLost(ctx context.Context) error {
	if !n.store.Nodes().Steady() {
		return nil
	}
	return switchboard.NewHeld(n.board).EndLost(ctx)
}

// turnLease is how long a node that has died keeps the turn of a loop at most. turnSpare is how
// long before the end of its lease a node that cannot renew it stops.
const (
	turnLease = 2 * time.Minute
	turnSpare = 15 * time.Second
)

// every runs a loop again and again, with a pause between, until ctx is done. An error is logged
// and the next turn tries again.
func (n *node) every(ctx context.Context, wg *sync.WaitGroup, l loop) {
	wg.Go(func() {
		tick := time.NewTicker(l.pause)
		defer tick.Stop()
		var said string // and when: a loop that fails four times a second is logged twice a minute
		var at, last time.Time
		for {
			start := time.Now()
			ran, late, err := n.turn(ctx, l)
			if err != nil && ctx.Err() == nil && (err.Error() != said || start.Sub(at) > 30*time.Second) {
				said, at = err.Error(), start
				n.log.Error(l.name, "err", err)
			}
			if ran {
				if !last.IsZero() && l.guard != byTurn {
					late = start.Sub(last) - l.pause
				}
				n.meter.loop(l.name, time.Since(start), max(0, late), err)
				last = start
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// turn runs a loop once, unless another node has its turn. ran is false then.
func (n *node) turn(ctx context.Context, l loop) (ran bool, late time.Duration, err error) {
	if l.guard != byTurn || n.others == nil {
		return true, 0, l.do(ctx)
	}
	start := n.now()
	mine, late, err := n.store.Jobs().Turn(ctx, l.name, turnLease)
	if err != nil || !mine {
		return err != nil, 0, err
	}
	err = holdTurn(ctx, l.do, func(ctx context.Context) (bool, error) {
		return n.store.Jobs().MoveTurn(ctx, l.name, n.now().Add(turnLease))
	})
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	next := start.Add(l.pause - l.pause/10) // the nodes look once in each pause, and not at the same moment
	if _, e := n.store.Jobs().MoveTurn(end, l.name, next); err == nil {
		err = e
	}
	return true, late, err
}

// holdTurn runs do, and renews the lease of its turn meanwhile. Its ctx ends before another node
// can have the turn.
func holdTurn(ctx context.Context, do func(context.Context) error, renew func(context.Context) (mine bool, err error)) error {
	held, lose := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer lose()
	end := time.AfterFunc(turnLease-turnSpare, lose)
	defer end.Stop()
	wg.Go(func() {
		tick := time.NewTicker(turnLease / 4)
		defer tick.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-tick.C:
			}
			asked := time.Now()
			switch mine, err := renew(held); {
			case err == nil && !mine:
				lose()
			case err == nil:
				end.Reset(turnLease - turnSpare - time.Since(asked))
			}
		}
	})
	err := do(held)
	if held.Err() != nil && ctx.Err() == nil {
		err = errors.Join(errTurnLost, err)
	}
	return err
}

// errTurnLost is why a loop stopped in the middle of its turn.
var errTurnLost = errors.New("stopped, because the lease of its turn could not be renewed; a node that reaches the database goes on")
