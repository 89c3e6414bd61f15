package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"carillon/tenants"
)

type ringRow struct {
	TenantID  uuid
	ID        uuid
	Version   int
	State     string
	ToDevice  uuid
	ToPerson  string
	AgentID   uuid
	Caller    string
	Reference string
	Test      bool
	ToGroup   uuid
	ToName    string
	ByKind    string
	ByID      uuid
	ByName    string
	Created   int64 `gorm:"column:created_at"`
	ExpiresAt int64
	EndedAt   int64
	EndReason string
}

const ringColumns = "tenant_id, id, version, state, to_device, to_person, agent_id, caller, reference, test, by_kind, by_id, by_name, " +
	"created_at, expires_at, ended_at, end_reason, to_group, to_name"

func (r *ringRow) fields() []any {
	return []any{&r.TenantID, &r.ID, &r.Version, &r.State, &r.ToDevice, &r.ToPerson, &r.AgentID, &r.Caller, &r.Reference, &r.Test,
		&r.ByKind, &r.ByID, &r.ByName, &r.Created, &r.ExpiresAt, &r.EndedAt, &r.EndReason, &r.ToGroup, &r.ToName}
}

func rowOfRing(tenant tenants.TenantID, r *tenants.Ring) ringRow {
	return ringRow{
		TenantID: uuid(tenant), ID: uuid(r.ID), Version: r.Version, State: string(r.State), ToDevice: uuid(r.To.Device),
		ToPerson: r.To.Person,
		AgentID:  uuid(r.Agent), Caller: r.Caller, Reference: r.Reference, Test: r.Test, ByKind: string(r.By.Kind), ByID: uuid(r.By.ID),
		ByName:  r.By.Name,
		Created: micros(r.CreatedAt), ExpiresAt: micros(r.ExpiresAt), EndedAt: micros(r.EndedAt), EndReason: string(r.EndReason),
		ToGroup: uuid(r.To.Group), ToName: r.To.Name,
	}
}

func (r ringRow) noun() *tenants.Ring {
	return &tenants.Ring{
		ID: tenants.RingID(r.ID), Tenant: tenants.TenantID(r.TenantID), Version: r.Version, State: tenants.State(r.State),
		To:    tenants.To{Device: tenants.DeviceID(r.ToDevice), Person: r.ToPerson, Group: tenants.GroupID(r.ToGroup), Name: r.ToName},
		Agent: tenants.AgentID(r.AgentID), Caller: r.Caller,
		Reference: r.Reference, Test: r.Test, By: tenants.Actor{Kind: tenants.ActorKind(r.ByKind), ID: string(r.ByID), Name: r.ByName},
		CreatedAt: moment(r.Created),
		ExpiresAt: moment(r.ExpiresAt), EndedAt: moment(r.EndedAt), EndReason: tenants.EndReason(r.EndReason),
	}
}

type attemptRow struct {
	Ring, ID, Device, Credential, APNsID uuid
	State, AppVersion, OSVersion         string
	Topic, Token, Environment            string
	Tries, Status                        int
	Reason                               string
	SentAt, AnsweredAt                   int64
	Step                                 int
}

// An attempt's columns: those that stay as they were placed, where its push goes, which seldom
// changes, and what its push changes.
const (
	attemptColumns = "ring_id, id, device_id, credential_id, app_version, os_version, apns_id, step, " + aimColumns + ", " + pushColumns
	aimColumns     = "topic, token, environment"
	pushColumns    = "state, tries, status, reason, sent_at, answered_at"
)

func (r *attemptRow) fields() []any {
	return []any{&r.Ring, &r.ID, &r.Device, &r.Credential, &r.AppVersion, &r.OSVersion, &r.APNsID, &r.Step, &r.Topic, &r.Token,
		&r.Environment, &r.State, &r.Tries, &r.Status, &r.Reason, &r.SentAt, &r.AnsweredAt}
}

func (r *attemptRow) aim() []any { return []any{&r.Topic, &r.Token, &r.Environment} }

func (r *attemptRow) push() []any {
	return []any{&r.State, &r.Tries, &r.Status, &r.Reason, &r.SentAt, &r.AnsweredAt}
}

func rowOfAttempt(ring tenants.RingID, a *tenants.Attempt) attemptRow {
	p := a.Push
	return attemptRow{
		Ring: uuid(ring), ID: uuid(a.ID), Device: uuid(a.Device), Credential: uuid(a.Credential), AppVersion: a.AppVersion,
		OSVersion: a.OSVersion, Step: a.Step,
		APNsID: uuid(p.APNsID), State: string(a.State), Topic: p.Topic, Token: p.Token, Environment: string(p.Environment),
		Tries:  p.Tries,
		Status: p.Status, Reason: p.Reason, SentAt: micros(p.SentAt), AnsweredAt: micros(p.AnsweredAt),
	}
}

func (r attemptRow) noun() tenants.Attempt {
	return tenants.Attempt{
		ID: tenants.AttemptID(r.ID), Ring: tenants.RingID(r.Ring), Device: tenants.DeviceID(r.Device), Step: r.Step,
		Credential: tenants.CredentialID(r.Credential), State: tenants.State(r.State), AppVersion: r.AppVersion, OSVersion: r.OSVersion,
		Push: tenants.Push{
			APNsID: string(r.APNsID), Topic: r.Topic, Token: r.Token, Environment: tenants.Environment(r.Environment), Tries: r.Tries,
			Status: r.Status, Reason: r.Reason, SentAt: moment(r.SentAt), AnsweredAt: moment(r.AnsweredAt),
		},
	}
}

type factRow struct {
	Seq                              int64
	Ring, Attempt                    uuid
	Kind, Detail                     string
	At, ReceivedAt, RawAt, RawSentAt int64
	Nth                              int
}

// factColumns are those of a fact but its seq, which the database gives.
const factColumns = "ring_id, attempt_id, kind, at, received_at, raw_at, raw_sent_at, detail, nth"

func (r *factRow) fields() []any {
	return []any{&r.Ring, &r.Attempt, &r.Kind, &r.At, &r.ReceivedAt, &r.RawAt, &r.RawSentAt, &r.Detail, &r.Nth}
}

// read are the places of seq and the fields.
func (r *factRow) read() []any { return append([]any{&r.Seq}, r.fields()...) }

func rowOfFact(ring tenants.RingID, f *tenants.Fact) factRow {
	return factRow{
		Ring: uuid(ring), Attempt: uuid(f.Attempt), Kind: string(f.Kind), At: micros(f.At), ReceivedAt: micros(f.Received),
		RawAt:     micros(f.RawAt),
		RawSentAt: micros(f.RawSent), Detail: f.Detail, Nth: f.Nth,
	}
}

func (r factRow) noun() tenants.Fact {
	return tenants.Fact{
		Seq: r.Seq, Attempt: tenants.AttemptID(r.Attempt), Kind: tenants.FactKind(r.Kind), At: moment(r.At), Received: moment(r.ReceivedAt),
		RawAt: moment(r.RawAt), RawSent: moment(r.RawSentAt), Detail: r.Detail, Nth: r.Nth,
	}
}

type callRow struct {
	Ring, Device                                        uuid
	EndedBy                                             string
	AnsweredAt, ConnectedAt, EndedAt, Jitter, RoundTrip int64
	Loss                                                float64
	LastSoundAt                                         int64
}

const callColumns = "ring_id, device_id, ended_by, answered_at, connected_at, ended_at, jitter, round_trip, loss, last_sound_at"

func (r *callRow) fields() []any {
	return []any{&r.Ring, &r.Device, &r.EndedBy, &r.AnsweredAt, &r.ConnectedAt, &r.EndedAt, &r.Jitter, &r.RoundTrip, &r.Loss,
		&r.LastSoundAt}
}

func rowOfCall(ring tenants.RingID, c *tenants.Call) callRow {
	return callRow{
		Ring: uuid(ring), Device: uuid(c.Device), EndedBy: c.EndedBy, AnsweredAt: micros(c.AnsweredAt), ConnectedAt: micros(c.ConnectedAt),
		EndedAt: micros(c.EndedAt), Jitter: span(c.Jitter), RoundTrip: span(c.RoundTrip), Loss: c.Loss,
		LastSoundAt: micros(c.LastSoundAt),
	}
}

func (r callRow) noun() *tenants.Call {
	return &tenants.Call{
		Device: tenants.DeviceID(r.Device), AnsweredAt: moment(r.AnsweredAt), ConnectedAt: moment(r.ConnectedAt),
		EndedAt: moment(r.EndedAt),
		EndedBy: r.EndedBy, Jitter: length(r.Jitter), Loss: r.Loss, RoundTrip: length(r.RoundTrip),
		LastSoundAt: moment(r.LastSoundAt),
	}
}

// ring reads a ring; lock is what PostgreSQL adds to hold it.
func (s *scope) ring(ctx context.Context, q querier, id tenants.RingID, lock string) (*tenants.Ring, error) {
	rows, err := q.query(ctx, "SELECT "+ringColumns+" FROM rings WHERE tenant_id = ? AND id = ?"+lock, uuid(s.id), uuid(id))
	found, err := collect(rows, err, (*ringRow).fields)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, tenants.NoSuch("ring")
	}
	r := found[0].noun()
	return r, s.fill(ctx, q, []*tenants.Ring{r})
}

// fill reads what belongs to the rings: three statements, however many they are, and one more if a
// ring is to a group.
func (s *scope) fill(ctx context.Context, q querier, rings []*tenants.Ring) error {
	if len(rings) == 0 {
		return nil
	}
	ids := make([]tenants.RingID, len(rings))
	for i, r := range rings {
		ids[i] = r.ID
	}
	return fillFrom(ctx, q, "tenant_id = ? AND ring_id IN ("+marks(len(ids))+")", some(s.id, ids), rings)
}

// fillFrom is fill by the condition of the rings' rows in other tables.
func fillFrom(ctx context.Context, q querier, where string, args []any, rings []*tenants.Ring) error {
	at := map[uuid]*tenants.Ring{}
	for _, r := range rings {
		at[uuid(r.ID)] = r
	}
	rows, err := q.query(ctx, "SELECT "+attemptColumns+" FROM attempts WHERE "+where+" ORDER BY ring_id, id", args...)
	attempts, err := collect(rows, err, (*attemptRow).fields)
	if err != nil {
		return err
	}
	for _, a := range attempts {
		r := at[a.Ring]
		r.Attempts = append(r.Attempts, a.noun())
	}
	rows, err = q.query(ctx, "SELECT seq, "+factColumns+" FROM facts WHERE "+where+" ORDER BY seq", args...)
	facts, err := collect(rows, err, (*factRow).read)
	if err != nil {
		return err
	}
	for _, f := range facts {
		r := at[f.Ring]
		if f.Attempt == "" {
			r.Own = append(r.Own, f.noun())
		}
		for i := range r.Attempts {
			if a := &r.Attempts[i]; uuid(a.ID) == f.Attempt {
				a.Facts = append(a.Facts, f.noun())
			}
		}
	}
	for _, r := range rings {
		slices.SortStableFunc(r.Attempts, func(a, b tenants.Attempt) int { return cmp.Compare(first(a), first(b)) })
	}
	rows, err = q.query(ctx, "SELECT "+callColumns+" FROM calls WHERE "+where, args...)
	calls, err := collect(rows, err, (*callRow).fields)
	for _, c := range calls {
		at[c.Ring].Call = c.noun()
	}
	if err != nil {
		return err
	}
	return fillSteps(ctx, q, where, args, at)
}

// first is the Seq of an attempt's first fact: `placed`, written in the order in which the ring
// named its attempts.
func first(a tenants.Attempt) int64 {
	if len(a.Facts) == 0 {
		return 0
	}
	return a.Facts[0].Seq
}

// RingQuery asks for a page of rings.
type RingQuery struct {
	State    tenants.State
	Device   tenants.DeviceID // rung for it, whether asked for or as one of a person's
	Person   string
	Agent    tenants.AgentID
	Search   string      // beginning of the ring's id, reference, person or caller, or part of the name of a device
	From, To time.Time   // placed in [From, To)
	Cut      tenants.Cut // the value of a property; without By all
	Clock    *Clock      // placed at this time of the week; nil = any
	Sort     Sort        // "created"
	After    string
	Upto     string
	Limit    int

	rung   string // where the rings of Device are found; empty = dialect.rung
	oldest bool   // they are wanted oldest first
}

// Clock is an hour of the day and a weekday in a zone; less than 0 = any.
type Clock struct {
	Zone          *time.Location
	Hour, Weekday int
}

// At is the query for a page.
func (q RingQuery) At(p Page) RingQuery {
	q.Search, q.Sort, q.After, q.Upto, q.Limit = p.Search, p.Sort, p.After, p.Upto, p.Limit
	return q
}

// ringOrders: an id of a ring is as old as its ring. The rings of a tenant are too many to be
// sorted by anything else.
var ringOrders = orders[ringRow]{"created", map[Sort]order[ringRow]{
	"created": by("id", func(r ringRow) []any { return []any{r.ID} }),
}}

// oftenRung is from when on it costs less to look through all rings for those of a device than to
// collect the device's and sort them.
const oftenRung = 5000

// often reports whether a device was rung so often.
func (s Rings) often(ctx context.Context, d tenants.DeviceID) (bool, error) {
	rows, err := s.reads().query(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM "+s.s.db.dialect.rung()+
		" WHERE tenant_id = ? AND device_id = ? LIMIT ?) few",
		uuid(s.id), uuid(d), oftenRung)
	n, err := collect(rows, err, func(n *int64) []any { return []any{n} })
	return err == nil && n[0] == oftenRung, translate(err)
}

// copied is a ring that shares nothing with r, so that a change may run again on the same start.
func copied(r *tenants.Ring) *tenants.Ring {
	c := *r
	c.Attempts = slices.Clone(r.Attempts)
	c.Steps, c.Own = slices.Clone(r.Steps), slices.Clone(r.Own)
	for i := range c.Attempts {
		facts := make([]tenants.Fact, len(c.Attempts[i].Facts), len(c.Attempts[i].Facts)+4)
		copy(facts, c.Attempts[i].Facts)
		c.Attempts[i].Facts = facts
	}
	if r.Call != nil {
		call := *r.Call
		c.Call = &call
	}
	return &c
}
