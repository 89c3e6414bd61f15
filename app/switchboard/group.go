package switchboard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"carillon/app/trace"
	"carillon/tenants"
	"carillon/tenants/store"
)

// groups are the steps of a ring to a group: planned by draft, begun here. A ring keeps its plan as
// rows before anybody is rung, and each step its attempts before they are pushed, so that a crash
// repeats no push under another apns-id.
type groups struct{ *Board }

// WouldRing plans a ring to a group at a moment, for people who want to know who would ring and
// why. It places nothing and counts as no ring.
func (b *Board) WouldRing(ctx context.Context, c Caller, id tenants.GroupID, at time.Time) (tenants.Group, []tenants.Step, error) {
	g, steps, _, err := groups{b}.plan(ctx, b.scope(c), c, id, at)
	return g, steps, err
}

// plan says who rings now, and who is left out. quiet says that somebody rings only because it is
// an emergency.
func (b groups) plan(ctx context.Context, scope *store.Scope, c Caller, id tenants.GroupID, now time.Time) (
	g tenants.Group, steps []tenants.Step, quiet bool, err error) {
	if g, err = scope.Groups().Get(ctx, id); err != nil {
		return g, nil, false, err
	}
	d, err := scope.Groups().Duties(ctx, g)
	if err != nil {
		return g, nil, false, err
	}
	persons := personsOf(g, d.Groups)
	targets, err := scope.Rings().TargetsOf(ctx, persons)
	if err != nil {
		return g, nil, false, err
	}
	rules, err := rulesFor(ctx, scope, c, persons)
	if err != nil {
		return g, nil, false, err
	}
	d.Refused, d.Quiet = map[string]string{}, map[string]bool{}
	for _, p := range persons {
		rung, err := drafts(b).attempts(&tenants.Ring{}, c, rules, targets[p], now)
		if err != nil {
			d.Refused[p] = p + " cannot be rung: " + said(err)
		}
		d.Quiet[p] = inQuiet(rules, targets[p], rung, now)
	}
	steps = tenants.WhoRings(now, g, d)
	for _, s := range steps {
		quiet = quiet || s.State == tenants.StepPlanned && d.Quiet[s.Person]
	}
	return g, steps, quiet, nil
}

// personsOf are the persons of a group and of those that it escalates to.
func personsOf(g tenants.Group, all map[tenants.GroupID]tenants.Group) (persons []string) {
	seen := map[tenants.GroupID]bool{}
	for ok := true; ok && !seen[g.ID]; g, ok = all[g.Escalate] {
		seen[g.ID] = true
		for _, m := range g.Members {
			if !slices.Contains(persons, m.Person) {
				persons = append(persons, m.Person)
			}
		}
	}
	return persons
}

// said is a refusal's sentence without its full stop.
func said(err error) string {
	var refusal *tenants.Error
	if !errors.As(err, &refusal) {
		return "something went wrong"
	}
	return trimStop(refusal.Msg)
}

func trimStop(s string) string {
	if n := len(s); n > 0 && s[n-1] == '.' {
		return s[:n-1]
	}
	return s
}

// draft plans the ring; nobody is rung yet.
func (b groups) draft(ctx context.Context, scope *store.Scope, c *Caller, q tenants.Request, r *tenants.Ring) error {
	g, steps, quiet, err := b.plan(ctx, scope, *c, q.To.Group, r.CreatedAt)
	if err != nil {
		return err
	}
	c.quiet = quiet
	r.To.Name, r.Steps = g.Name, steps
	r.ExpiresAt = r.CreatedAt.Add(tenants.Lasts(steps))
	if !r.Waits() {
		return tenants.Nobody(g, steps)
	}
	return nil
}

// launch begins the first step of a ring that was just committed. What fails is begun by the sweep.
func (b groups) launch(ctx context.Context, t tenants.Tenant, r *tenants.Ring, span trace.Span) *tenants.Ring {
	now, err := b.advance(ctx, t, r, span)
	if err != nil {
		b.Log.Error("begin a step", "ring", r.ID, "err", err)
		return r
	}
	return now
}

// later begins the next step of a ring if nobody of it rings any more: its phones declined, or
// could not be rung. It runs beside the request that found this.
func (b groups) later(r *tenants.Ring) {
	steps, due := r.NextWave()
	if len(steps) == 0 || due.After(r.CreatedAt) || len(r.Attempts) == 0 {
		return
	}
	b.pushers.run(b.open, func() {
		ctx, cancel := context.WithTimeout(b.life, 10*time.Second)
		defer cancel()
		t, err := b.system(r.Tenant).Tenant(ctx)
		if err == nil {
			span := b.Trace.Start("next step")
			defer span.End()
			_, err = b.advance(ctx, t, r, span)
		}
		if err != nil && b.life.Err() == nil {
			b.Log.Error("begin the next step", "ring", r.ID, "err", err) // the sweep does it
		}
	})
}

// advance begins the next steps of a ring, as far as they are due: a step of which nobody can be
// rung is left out and the next one begins. r may be out of date.
func (b groups) advance(ctx context.Context, t tenants.Tenant, r *tenants.Ring, span trace.Span) (*tenants.Ring, error) {
	for {
		now := b.Now()
		steps, due := r.NextWave()
		if len(steps) == 0 {
			return b.finish(ctx, r, now)
		}
		if due.After(now) {
			return r, b.system(r.Tenant).Rings().AwaitStep(ctx, r.ID, due)
		}
		next, began, err := b.begin(ctx, t, r, steps, now, span)
		if err != nil || began {
			return next, err
		}
		r = next // nobody of the step can be rung, or another process began it
	}
}

// begin makes the attempts of some steps and pushes them. began is false if there are none.
func (b groups) begin(ctx context.Context, t tenants.Tenant, r *tenants.Ring, steps []tenants.Step, now time.Time, span trace.Span) (
	next *tenants.Ring, began bool, err error) {
	scope := b.system(r.Tenant)
	made, why, err := b.attemptsOf(ctx, scope, t, r, steps, now)
	if err != nil {
		return nil, false, err
	}
	part := *r
	part.Attempts = made
	b.pushing.start(&part, now)
	var facts []tenants.Fact
	next, facts, err = scope.Rings().Change(ctx, r.ID, r, now.Add(lease), func(r *tenants.Ring) ([]tenants.Fact, error) {
		again, due := r.NextWave()
		if began = len(again) > 0 && again[0].Wave == steps[0].Wave && !due.After(now); !began {
			return nil, nil
		}
		return r.Begin(steps[0].Wave, slices.Clone(made), why, now), nil
	})
	if began = began && err == nil && len(made) > 0; !began {
		b.pushing.cancel(&part)
		return next, false, err
	}
	b.tell(next, facts)
	part = *next
	part.Attempts = slices.DeleteFunc(slices.Clone(next.Attempts), func(a tenants.Attempt) bool {
		return !slices.ContainsFunc(made, func(m tenants.Attempt) bool { return m.ID == a.ID })
	})
	for i := range part.Attempts { // not stored with the ring
		part.Attempts[i].Push.NoHedge, part.Attempts[i].Push.Profile = made[i].Push.NoHedge, made[i].Push.Profile
	}
	next = b.without(ctx, next)
	b.send(t, window(&part), span)
	return next, true, nil
}

// attemptsOf makes an attempt for each phone of the steps' persons that may be rung now, and says
// why a step has none. A phone rings once in a ring.
func (b groups) attemptsOf(ctx context.Context, scope *store.Scope, t tenants.Tenant, r *tenants.Ring, steps []tenants.Step,
	now time.Time) (all []tenants.Attempt, why map[int]string, err error) {
	persons := make([]string, len(steps))
	for i, s := range steps {
		persons[i] = s.Person
	}
	targets, err := scope.Rings().TargetsOf(ctx, persons)
	if err != nil {
		return nil, nil, err
	}
	// Quiet hours and consent held when the ring was planned.
	c := Caller{Tenant: t, Test: r.Test && r.By.Kind == tenants.ActorKey}
	if r.By.Kind == tenants.ActorKey {
		key, err := scope.Keys().Get(ctx, tenants.KeyID(r.By.ID))
		if err != nil && tenants.KindOf(err) != tenants.Unknown {
			return nil, nil, err
		}
		c.Only = key.Only
	}
	why = map[int]string{}
	for _, s := range steps {
		free := slices.DeleteFunc(slices.Clone(targets[s.Person]), func(t store.Target) bool {
			_, rang := r.AttemptOf(t.Device.ID)
			return rang
		})
		list, err := drafts(b).attempts(r, c, tenants.Question{}, free, now)
		if err != nil {
			why[s.N] = s.Person + " cannot be rung: " + said(err)
			continue
		}
		for i := range list {
			list[i].Step, list[i].Facts = s.N, nil
		}
		all = append(all, list...)
	}
	return all, why, nil
}

// finish ends a ring of which no step is to come and nobody rings whose step still has time: the
// persons planned for the rest of its time cannot be rung.
func (b groups) finish(ctx context.Context, r *tenants.Ring, now time.Time) (*tenants.Ring, error) {
	scope := b.system(r.Tenant)
	changed, facts, err := scope.Rings().Change(ctx, r.ID, r, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		if r.Waits() || r.Rings(now) {
			return nil, nil
		}
		return expired(r, now), nil
	})
	if err != nil || len(facts) == 0 {
		return changed, err
	}
	b.tell(changed, facts)
	if err := b.Health.Expired(ctx, scope, []*tenants.Ring{changed}); err != nil { // the ring has ended all the same
		b.Log.Error("judge phones by an expired ring", "ring", r.ID, "err", err)
	}
	return changed, nil
}

// sweep looks after a live ring to a group that is due: it begins its next step, or makes the ring
// due for it. more says that pushes of the ring are to be looked at as well.
func (b groups) sweep(ctx context.Context, r *tenants.Ring) (more bool, err error) {
	steps, due := r.NextWave()
	if len(steps) == 0 {
		return true, nil
	}
	now := b.Now()
	if due.After(now) {
		left := len(unpushed(r).Attempts) > 0
		if left && due.After(now.Add(lease)) {
			due = now.Add(lease)
		}
		return left, b.system(r.Tenant).Rings().AwaitStep(ctx, r.ID, due)
	}
	t, err := b.system(r.Tenant).Tenant(ctx)
	if err != nil {
		return false, err
	}
	span := b.Trace.Start("next step")
	defer span.End()
	if _, err = b.advance(ctx, t, r, span); err != nil {
		return false, fmt.Errorf("next step of ring %s: %w", r.ID, err)
	}
	return false, nil
}

// window is a part of a ring to a group with the time in which its attempts ring: that of their
// step. Its Version is that of no ring: it is no hint of the whole.
func window(part *tenants.Ring) *tenants.Ring {
	if part.To.Group == "" || len(part.Attempts) == 0 {
		return part
	}
	for _, s := range part.Steps {
		if s.N == part.Attempts[len(part.Attempts)-1].Step && s.State == tenants.StepRung {
			part.CreatedAt = s.BegunAt
			if end := s.BegunAt.Add(s.For); end.Before(part.ExpiresAt) {
				part.ExpiresAt = end
			}
		}
	}
	part.Version = -1
	return part
}
