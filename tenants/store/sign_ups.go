package store

import (
	"context"
	"fmt"
	"time"

	"carillon/tenants"
)

type signupRow struct {
	Hash, Browser                                            []byte
	Email, Name, Password, Company, Industry, TimeZone, Code string
	Created                                                  int64 `gorm:"column:created_at"`
	ExpiresAt                                                int64
}

func (signupRow) TableName() string { return "signups" }

func (r signupRow) noun() tenants.Signup {
	return tenants.Signup{
		Hash: hash(r.Hash), Browser: hash(r.Browser), Email: r.Email, Name: r.Name, Password: r.Password, Company: r.Company,
		Industry: tenants.Industry(r.Industry), TimeZone: r.TimeZone, Code: r.Code, CreatedAt: moment(r.Created),
		ExpiresAt: moment(r.ExpiresAt),
	}
}

// SignUps are the sign-ups for a trial, and the trials that begin with them.
type SignUps struct{ *core }

// SignUps returns the SignUps of all tenants.
func (s *Store) SignUps() SignUps { return SignUps{&s.core} }

// Add keeps a sign-up until its link is used or it expires.
func (s SignUps) Add(ctx context.Context, n tenants.Signup) error {
	row := signupRow{
		Hash: n.Hash[:], Browser: n.Browser[:], Email: n.Email, Name: n.Name, Password: n.Password, Company: n.Company,
		Industry: string(n.Industry),
		TimeZone: n.TimeZone, Code: n.Code, Created: micros(n.CreatedAt), ExpiresAt: micros(n.ExpiresAt),
	}
	return s.w.do(ctx, noTenant, func(t *tx) error { return translate(t.db().Create(&row).Error) })
}

const signupGone = "This link was used already, or it is older than 24 hours. Sign up again."

// Get finds the sign-up of a link; one that is unknown, used or expired is Gone.
func (s SignUps) Get(ctx context.Context, h tenants.Hash, now time.Time) (tenants.Signup, error) {
	var row signupRow
	err := s.db.through(noTenant).gorm(ctx).Where("hash = ?", h[:]).Take(&row).Error
	if err != nil && !absent(err) {
		return tenants.Signup{}, translate(err)
	}
	if err != nil || micros(now) >= row.ExpiresAt {
		return tenants.Signup{}, tenants.Refuse(tenants.Gone, "signup_gone", signupGone)
	}
	return row.noun(), nil
}

// HadTrial reports whether a trial was had under this key; see tenants.Plans.TrialKey.
func (s SignUps) HadTrial(ctx context.Context, key string) (bool, error) {
	rows, err := s.db.through(noTenant).query(ctx, "SELECT key FROM trials WHERE key = ?", key)
	found, err := collect(rows, err, func(k *string) []any { return []any{k} })
	return len(found) > 0, translate(err)
}

// Opening is what a sign-up becomes.
type Opening struct {
	Signup       tenants.Hash // of the link, which is used up
	Key          string       // has one trial
	Tenant       tenants.Tenant
	Owner        tenants.User
	Agents       []tenants.Agent // of the tenant; the first is its default agent
	Subscription tenants.Subscription
	Referral     *tenants.Referral // who brought it; nil = nobody
	Who          Who
}

// OpenTrial uses a sign-up up and opens its tenant, with owner, agent and trial, in one write: all
// of it or nothing. A link that is gone is Gone; an address that has an account by now, a key that
// had its trial and a slug that is taken are Conflict.
func (s SignUps) OpenTrial(ctx context.Context, o Opening) error {
	err := s.w.do(ctx, allTenants, func(t *tx) error {
		n, err := t.change("DELETE FROM signups WHERE hash = ? AND expires_at > ?", o.Signup[:], micros(s.now()))
		if err == nil && n == 0 {
			err = tenants.Refuse(tenants.Gone, "signup_gone", signupGone)
		}
		if err != nil {
			return err
		}
		if _, err := t.exec("INSERT INTO trials (key, tenant, began_at) VALUES (?, ?, ?)", o.Key, uuid(o.Tenant.ID),
			micros(s.now())); err != nil {
			return taken(err, "This company has had its trial. Ask a colleague to add you under People.")
		}
		if err := t.tenants().found(s.of(o.Tenant.ID).by(o.Who), o); err != nil {
			return err
		}
		if o.Referral != nil {
			if err := t.partners().refer(*o.Referral); err != nil {
				return err
			}
		}
		_, err = t.exec("DELETE FROM signups WHERE email = ?", o.Owner.Email)
		return err
	})
	s.seen.forget()
	return err
}

// found makes the tenant with all that it begins with.
func (t tenantsTx) found(s *scope, o Opening) error {
	o.Tenant.DefaultAgent = defaultAgent(o.Agents)
	row, user := rowOfTenant(o.Tenant), rowOfUser(o.Owner)
	if err := t.db().Create(&row).Error; err != nil {
		return taken(err, "There is a tenant with this slug already. Choose another one.")
	}
	if err := t.audit(s, "tenant.add", string(row.ID), "trial"); err != nil {
		return err
	}
	if err := t.people().addProven(s.s, user); err != nil {
		return err
	}
	if err := t.people().join(s, tenants.Member{User: o.Owner.ID, Role: tenants.Owner, CreatedAt: o.Owner.CreatedAt}); err != nil {
		return err
	}
	if err := t.addAgents(s, o.Agents); err != nil {
		return err
	}
	if err := t.addRules(s, o.Tenant); err != nil {
		return err
	}
	if err := t.setSubscription(settled(o.Tenant.ID, o.Subscription)); err != nil {
		return err
	}
	return t.audit(s, "subscription.set", o.Subscription.Plan, "trial")
}

// defaultAgent is the default agent of a new tenant.
func defaultAgent(agents []tenants.Agent) tenants.AgentID {
	if len(agents) == 0 {
		return ""
	}
	return agents[0].ID
}

// addAgents adds the agents that a new tenant begins with. They have no secrets.
func (t tenantsTx) addAgents(s *scope, agents []tenants.Agent) error {
	for _, a := range agents {
		settings, err := settingsOf(a)
		if err != nil {
			return fmt.Errorf("store: agent %s: %w", a.ID, err)
		}
		row := agentRow{TenantID: uuid(s.id), ID: uuid(a.ID), Name: a.Name, Kind: string(a.Kind), Caller: a.Caller, Settings: settings,
			Secret: []byte{}, Created: micros(a.CreatedAt)}
		if err := t.db().Create(&row).Error; err != nil {
			return taken(err, "This agent exists already.")
		}
		if err := t.audit(s, "agent.add", string(row.ID), ""); err != nil {
			return err
		}
	}
	return nil
}
