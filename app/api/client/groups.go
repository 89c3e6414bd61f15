package client

import (
	"context"
	"iter"
)

// Groups keeps groups of persons who are rung together.
type Groups struct{ calls *Calls }

// Add creates a group.
func (g *Groups) Add(ctx context.Context, group GroupRequest) (Group, error) {
	return read[Group](g.calls.AddGroup(ctx, group))
}

// Get reads a group.
func (g *Groups) Get(ctx context.Context, id string) (Group, error) {
	return read[Group](g.calls.ShowGroup(ctx, id))
}

// List reads one page of groups.
func (g *Groups) List(ctx context.Context, p ListGroupsParams) (Page[Group], error) {
	return read[Page[Group]](g.calls.ListGroups(ctx, &p))
}

// All iterates over the groups of every page.
func (g *Groups) All(ctx context.Context, p ListGroupsParams) iter.Seq2[Group, error] {
	return all(func(after *string) (Page[Group], error) {
		if after != nil {
			p.After = after
		}
		return g.List(ctx, p)
	})
}

// Change sets the fields that are not nil.
func (g *Groups) Change(ctx context.Context, id string, change GroupChange) (Group, error) {
	return read[Group](g.calls.ChangeGroup(ctx, id, change))
}

// Now says who a ring to the group would ring now, or at another moment, and why. It rings nobody.
func (g *Groups) Now(ctx context.Context, id string, p WhoRingsParams) (WhoRings200JSONResponseBody, error) {
	return read[WhoRings200JSONResponseBody](g.calls.WhoRings(ctx, id, &p))
}

// Remove removes a group.
func (g *Groups) Remove(ctx context.Context, id string) error {
	return done(g.calls.RemoveGroup(ctx, id))
}

// Schedules keeps when persons of groups are on duty.
type Schedules struct{ calls *Calls }

// Add creates a schedule.
func (s *Schedules) Add(ctx context.Context, schedule ScheduleRequest) (Schedule, error) {
	return read[Schedule](s.calls.AddSchedule(ctx, schedule))
}

// Get reads a schedule.
func (s *Schedules) Get(ctx context.Context, id string) (Schedule, error) {
	return read[Schedule](s.calls.ShowSchedule(ctx, id))
}

// List reads one page of schedules.
func (s *Schedules) List(ctx context.Context, p ListSchedulesParams) (Page[Schedule], error) {
	return read[Page[Schedule]](s.calls.ListSchedules(ctx, &p))
}

// All iterates over the schedules of every page.
func (s *Schedules) All(ctx context.Context, p ListSchedulesParams) iter.Seq2[Schedule, error] {
	return all(func(after *string) (Page[Schedule], error) {
		if after != nil {
			p.After = after
		}
		return s.List(ctx, p)
	})
}

// Change sets the fields that are not nil.
func (s *Schedules) Change(ctx context.Context, id string, change ScheduleChange) (Schedule, error) {
	return read[Schedule](s.calls.ChangeSchedule(ctx, id, change))
}

// Remove removes a schedule.
func (s *Schedules) Remove(ctx context.Context, id string) error {
	return done(s.calls.RemoveSchedule(ctx, id))
}

// Consents records consents of persons to be called.
type Consents struct{ calls *Calls }

// Add creates a consent.
func (c *Consents) Add(ctx context.Context, consent ConsentRequest) (Consent, error) {
	return read[Consent](c.calls.AddConsent(ctx, consent))
}

// Get reads a consent.
func (c *Consents) Get(ctx context.Context, id string) (Consent, error) {
	return read[Consent](c.calls.ShowConsent(ctx, id))
}

// List reads one page of consents.
func (c *Consents) List(ctx context.Context, p ListConsentsParams) (Page[Consent], error) {
	return read[Page[Consent]](c.calls.ListConsents(ctx, &p))
}

// All iterates over the consents of every page.
func (c *Consents) All(ctx context.Context, p ListConsentsParams) iter.Seq2[Consent, error] {
	return all(func(after *string) (Page[Consent], error) {
		if after != nil {
			p.After = after
		}
		return c.List(ctx, p)
	})
}

// Withdraw ends a consent.
func (c *Consents) Withdraw(ctx context.Context, id string) error {
	return done(c.calls.WithdrawConsent(ctx, id))
}
