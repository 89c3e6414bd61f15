package store

import (
	"context"

	"gorm.io/gorm"

	"carillon/tenants"
)

type consentRow struct {
	TenantID    uuid
	ID          uuid
	Person      string
	Kind        string
	GivenAt     int64
	ByKind      string
	ByID        uuid
	ByName      string
	Evidence    string
	WithdrawnAt int64
	Created     int64 `gorm:"column:created_at"`
}

func (consentRow) TableName() string { return "consents" }

func (r consentRow) noun() tenants.Agreement {
	return tenants.Agreement{ID: tenants.ConsentID(r.ID), Tenant: tenants.TenantID(r.TenantID), Person: r.Person,
		Kind: tenants.AgreementKind(r.Kind), GivenAt: moment(r.GivenAt),
		By:       tenants.Actor{Kind: tenants.ActorKind(r.ByKind), ID: string(r.ByID), Name: r.ByName},
		Evidence: r.Evidence, WithdrawnAt: moment(r.WithdrawnAt), CreatedAt: moment(r.Created)}
}

var consentOrders = orders[consentRow]{"created", map[Sort]order[consentRow]{
	"created": by("id", func(r consentRow) []any { return []any{r.ID} }),
	"person":  by("person, id", func(r consentRow) []any { return []any{r.Person, r.ID} }),
	"given":   by("given_at, id", func(r consentRow) []any { return []any{r.GivenAt, r.ID} }),
}}

// Consents are the recorded consents of persons to be called. One is never changed or removed, only
// withdrawn, so that it can be shown later that a call was allowed.
type Consents struct{ *scope }

// Consents returns the tenant's Consents.
func (s *Scope) Consents() Consents { return Consents{&s.scope} }

// Add records a consent, by who acts.
func (s Consents) Add(ctx context.Context, a tenants.Agreement) error {
	row := consentRow{TenantID: uuid(s.id), ID: uuid(a.ID), Person: a.Person, Kind: string(a.Kind), GivenAt: micros(a.GivenAt),
		ByKind: string(s.who.Kind), ByID: uuid(s.who.ID), ByName: s.who.Name, Evidence: a.Evidence, Created: micros(a.CreatedAt)}
	return s.write(ctx, func(t *tx) error {
		if err := t.room(s.scope, tenants.CapConsents, "consents", "TRUE"); err != nil {
			return err
		}
		if err := t.db().Create(&row).Error; err != nil {
			return taken(err, "This consent exists already.")
		}
		return t.audit(s.scope, "consent.add", string(a.ID), a.Person)
	})
}

// Withdraw ends a consent. One that was withdrawn before stays as it is.
func (s Consents) Withdraw(ctx context.Context, id tenants.ConsentID) error {
	return s.write(ctx, func(t *tx) error {
		var old consentRow
		if err := s.in(t.db(), "consents").Where("id = ?", uuid(id)).Take(&old).Error; err != nil {
			return missing(err, "consent")
		}
		if old.WithdrawnAt != 0 {
			return nil
		}
		if _, err := t.exec("UPDATE consents SET withdrawn_at = ? WHERE tenant_id = ? AND id = ?", micros(s.s.now()), uuid(s.id),
			uuid(id)); err != nil {
			return err
		}
		return t.audit(s.scope, "consent.withdraw", string(id), old.Person)
	})
}

// Get is one consent.
func (s Consents) Get(ctx context.Context, id tenants.ConsentID) (tenants.Agreement, error) {
	var row consentRow
	if err := s.read(ctx, "consents").Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
		return tenants.Agreement{}, missing(err, "consent")
	}
	return row.noun(), nil
}

// Agreed are those of the persons who have agreed to be called, and have not withdrawn it.
func (s Consents) Agreed(ctx context.Context, persons []string) (map[string]bool, error) {
	agreed := map[string]bool{}
	if len(persons) == 0 {
		return agreed, nil
	}
	args := []any{uuid(s.id), string(tenants.AgreedCalls)}
	for i := range room(len(persons)) {
		args = append(args, persons[min(i, len(persons)-1)])
	}
	rows, err := s.reads().query(ctx, "SELECT DISTINCT person FROM consents WHERE tenant_id = ? AND withdrawn_at = 0 AND kind = ? AND "+
		"person IN ("+marks(len(persons))+")", args...)
	found, err := collect(rows, err, func(p *string) []any { return []any{p} })
	for _, p := range found {
		agreed[p] = true
	}
	return agreed, translate(err)
}

// Of are the consents of a person, the newest first, also withdrawn ones; at most 100.
func (s Consents) Of(ctx context.Context, person string) ([]tenants.Agreement, error) {
	var rows []consentRow
	err := s.read(ctx, "consents").Where("person = ?", person).Order("id DESC").Limit(100).Find(&rows).Error
	return nouns(rows, consentRow.noun), translate(err)
}

// ConsentQuery asks for a page of consents.
type ConsentQuery struct {
	Page                 // Search is a part of the person, of the evidence or of who recorded it
	Held, Withdrawn bool // neither = both
}

func (s Consents) found(ctx context.Context, q ConsentQuery) *gorm.DB {
	db := s.read(ctx, "consents")
	if q.Search != "" {
		found, args := s.s.db.dialect.alike(q.Search, "person", "evidence", "by_name")
		db = db.Where("("+found+")", args...)
	}
	switch {
	case q.Held:
		db = db.Where("withdrawn_at = 0")
	case q.Withdrawn:
		db = db.Where("withdrawn_at <> 0")
	}
	return db
}

// List lists consents, also withdrawn ones. They can be sorted by "created", "person" and "given".
func (s Consents) List(ctx context.Context, q ConsentQuery) ([]tenants.Agreement, string, error) {
	rows, next, err := list(s.found(ctx, q), q.Page, consentOrders)
	return nouns(rows, consentRow.noun), next, err
}

// Total counts the consents that List finds.
func (s Consents) Total(ctx context.Context, q ConsentQuery) (Total, error) {
	return totalOf(s.found(ctx, q))
}
