package store

import (
	"context"
	"time"

	"carillon/tenants"
)

type pairingRow struct {
	TenantID  uuid
	ID        uuid
	Hash      []byte
	Person    string
	ByKind    string
	ByID      uuid
	ByName    string
	Created   int64 `gorm:"column:created_at"`
	ExpiresAt int64
	UsedAt    int64
	DeviceID  uuid
}

func (pairingRow) TableName() string { return "pairings" }

func (r pairingRow) noun() tenants.Pairing {
	return tenants.Pairing{
		ID: tenants.PairingID(r.ID), Tenant: tenants.TenantID(r.TenantID), Person: r.Person,
		By: tenants.Actor{Kind: tenants.ActorKind(r.ByKind), ID: string(r.ByID), Name: r.ByName}, CreatedAt: moment(r.Created),
		ExpiresAt: moment(r.ExpiresAt),
		UsedAt:    moment(r.UsedAt), Device: tenants.DeviceID(r.DeviceID),
	}
}

// Pairings are the codes that pair phones with the tenant.
type Pairings struct{ *scope }

// Pairings returns the tenant's Pairings.
func (s *Scope) Pairings() Pairings { return Pairings{&s.scope} }

// Add records a pairing code by its hash.
func (s Pairings) Add(ctx context.Context, p tenants.Pairing, h tenants.Hash) error {
	row := pairingRow{
		TenantID: uuid(s.id), ID: uuid(p.ID), Hash: h[:], Person: p.Person, ByKind: string(p.By.Kind), ByID: uuid(p.By.ID),
		ByName:  p.By.Name,
		Created: micros(p.CreatedAt), ExpiresAt: micros(p.ExpiresAt),
	}
	return s.write(ctx, func(t *tx) error {
		if err := t.room(s.scope, tenants.CapPairings, "pairings", "used_at = 0 AND expires_at > ?", micros(p.CreatedAt)); err != nil {
			return err
		}
		if err := t.db().Create(&row).Error; err != nil {
			return taken(err, "This pairing code exists already.")
		}
		return t.audit(s.scope, "pairing.add", string(row.ID), row.Person)
	})
}

// Get is one pairing, used or not; Forget removes it once it has expired.
func (s Pairings) Get(ctx context.Context, id tenants.PairingID) (tenants.Pairing, error) {
	var row pairingRow
	if err := s.read(ctx, "pairings").Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
		return tenants.Pairing{}, missing(err, "pairing")
	}
	return row.noun(), nil
}

var errPairing = tenants.Refuse(tenants.Unauthorized, "pairing_gone", "This pairing code is unknown, used or expired. Ask for a new one.")

// Use uses the code up and adds the device in one transaction. The pairing's person wins over the
// device's.
func (s Pairings) Use(ctx context.Context, id tenants.PairingID, d tenants.Device, credential tenants.Hash,
	now time.Time) (device tenants.Device, err error) {
	var r registration
	err = s.write(ctx, func(t *tx) (err error) {
		var row pairingRow
		if err := s.in(t.db(), "pairings").Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
			return missing(err, "pairing")
		}
		if row.UsedAt != 0 || micros(now) >= row.ExpiresAt {
			return errPairing
		}
		d := d
		if row.Person != "" {
			d.Person = row.Person
		}
		if r, err = t.devices().register(s.scope, d, credential); err != nil {
			return err
		}
		_, err = t.exec("UPDATE pairings SET used_at = ?, device_id = ? WHERE tenant_id = ? AND id = ? AND used_at = 0",
			micros(now), uuid(r.device.ID), uuid(s.id), uuid(id))
		if err != nil {
			return err
		}
		return t.audit(s.scope, "pairing.take", string(id), string(r.device.ID))
	})
	r.follow(s.scope, err)
	if err != nil {
		return tenants.Device{}, err
	}
	return r.device, nil
}
