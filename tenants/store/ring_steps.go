package store

import (
	"context"
	"fmt"

	"carillon/tenants"
)

// stepRow is a step of a ring.
type stepRow struct {
	Ring                             uuid
	N, Wave, After, For, Begun       int64
	Group                            uuid
	GroupName, Person, State, Reason string
	InTurn                           bool
}

const stepColumns = "ring_id, n, wave, group_id, group_name, person, state, reason, after_us, for_us, in_turn, begun_at"

func (r *stepRow) fields() []any {
	return []any{&r.Ring, &r.N, &r.Wave, &r.Group, &r.GroupName, &r.Person, &r.State, &r.Reason, &r.After, &r.For, &r.InTurn, &r.Begun}
}

func rowOfStep(ring tenants.RingID, p *tenants.Step) stepRow {
	return stepRow{Ring: uuid(ring), N: int64(p.N), Wave: int64(p.Wave), Group: uuid(p.Group), GroupName: p.Name, Person: p.Person,
		State: string(p.State), Reason: p.Reason, After: span(p.After), For: span(p.For), InTurn: p.InTurn, Begun: micros(p.BegunAt)}
}

func (r stepRow) noun() tenants.Step {
	return tenants.Step{N: int(r.N), Wave: int(r.Wave), Group: tenants.GroupID(r.Group), Name: r.GroupName, Person: r.Person,
		State: tenants.StepState(r.State), Reason: r.Reason, After: length(r.After), For: length(r.For), InTurn: r.InTurn,
		BegunAt: moment(r.Begun)}
}

// addSteps writes the plan of a new ring to a group.
func (t ringsTx) addSteps(tenant tenants.TenantID, r *tenants.Ring) error {
	rows := newBatch("ring_steps", names("tenant_id, "+stepColumns)...)
	for i := range r.Steps {
		row := rowOfStep(r.ID, &r.Steps[i])
		rows.add(append([]any{uuid(tenant)}, values(row.fields())...)...)
	}
	return rows.flush(t.d.dialect, func(text string, args []any, _ int) error { _, err := t.exec(text, args...); return err })
}

// setSteps writes what became of steps since before.
func (t ringsTx) setSteps(s *scope, before []tenants.Step, r *tenants.Ring) error {
	for i := range r.Steps {
		p := &r.Steps[i]
		if i < len(before) && before[i] == *p {
			continue
		}
		if _, err := t.exec("UPDATE ring_steps SET state = ?, reason = ?, begun_at = ? WHERE tenant_id = ? AND ring_id = ? AND n = ?",
			string(p.State), p.Reason, micros(p.BegunAt), uuid(s.id), uuid(r.ID), p.N); err != nil {
			return err
		}
		if p.State == tenants.StepRung && p.InTurn && p.Group != r.To.Group && firstOf(r, p) {
			if err := t.moveTurn(s, p.Group, p.Person); err != nil {
				return fmt.Errorf("store: the turn of step %d: %w", p.N, err)
			}
		}
	}
	return nil
}

// firstOf reports whether no other step of the same group has rung before.
func firstOf(r *tenants.Ring, p *tenants.Step) bool {
	for i := range r.Steps {
		if o := &r.Steps[i]; o.Group == p.Group && o.State == tenants.StepRung && o.N < p.N {
			return false
		}
	}
	return true
}

// fillSteps reads the steps of those of the rings that are to groups; where and args name all.
func fillSteps(ctx context.Context, q querier, where string, args []any, at map[uuid]*tenants.Ring) error {
	grouped := false
	for _, r := range at {
		grouped = grouped || r.To.Group != ""
	}
	if !grouped {
		return nil
	}
	rows, err := q.query(ctx, "SELECT "+stepColumns+" FROM ring_steps WHERE "+where+" ORDER BY ring_id, n", args...)
	found, err := collect(rows, err, (*stepRow).fields)
	for _, p := range found {
		r := at[p.Ring]
		r.Steps = append(r.Steps, p.noun())
	}
	return err
}
