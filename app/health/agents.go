package health

import (
	"context"
	"math/bits"
	"sync"

	"carillon/tenants"
	"carillon/tenants/store"
)

// attachments are how the latest calls of each agent began. They are kept in memory: after a
// restart they are learnt again. The zero value is ready.
type attachments struct {
	mu sync.Mutex // guards of
	of map[tenants.AgentID]*attached
}

// attached is one agent's latest calls.
type attached struct {
	failed uint32 // a bit for each of the last tenants.AttachmentsJudged calls, the newest is the lowest
	clear  bool   // no alert about the agent is open, as far as this process knows
}

// add notes how a call began. It reports whether an alert is to be raised, or may have to be
// resolved. The earlier calls of an agent that attaches again do not count any more, so that one
// failure more is no new alert.
func (l *attachments) add(id tenants.AgentID, failed bool) (raise, resolve bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.of == nil || len(l.of) >= mostRemembered && l.of[id] == nil {
		l.of = map[tenants.AgentID]*attached{}
	}
	a := l.of[id]
	if a == nil {
		a = &attached{}
		l.of[id] = a
	}
	a.failed = a.failed << 1 & (1<<tenants.AttachmentsJudged - 1)
	if failed {
		a.failed |= 1
		if raise = tenants.AgentFails(bits.OnesCount32(a.failed)); raise {
			a.clear = false
		}
		return raise, false
	}
	if !a.clear {
		resolve, a.clear = true, true
		if tenants.AgentFails(bits.OnesCount32(a.failed)) {
			a.failed = 0
		}
	}
	return false, resolve
}

// unclear makes the next attachment try again to resolve the agent's alert.
func (l *attachments) unclear(id tenants.AgentID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.of[id]; a != nil {
		a.clear = false
	}
}

// Attached reacts to how a call of an agent began: cause says why it could not be attached, and is
// empty if it was. An agent that fails several times gets an alert, which is resolved when it
// attaches again.
func (m *Monitor) Attached(ctx context.Context, scope *store.Scope, a tenants.Agent, cause string) error {
	raise, resolve := m.attached.add(a.ID, cause != "")
	if raise {
		_, err := scope.Alerts().Raise(ctx, tenants.AlertAgent, string(a.ID), tenants.AgentWarning(a.Name, cause))
		return err
	}
	if !resolve {
		return nil
	}
	err := ignoreUnknown(scope.Alerts().Resolve(ctx, tenants.AlertAgent, string(a.ID)))
	if err != nil {
		m.attached.unclear(a.ID)
	}
	return err
}

// reviewAgents resolves the alerts about agents that were removed.
func (m *Monitor) reviewAgents(ctx context.Context, scope *store.Scope, open []tenants.AgentID) error {
	there, err := scope.Agents().ByID(ctx, open)
	if err != nil {
		return err
	}
	for _, id := range open {
		if _, ok := there[id]; !ok {
			if err := ignoreUnknown(scope.Alerts().Resolve(ctx, tenants.AlertAgent, string(id))); err != nil {
				return err
			}
		}
	}
	return nil
}
