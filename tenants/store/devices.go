package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"carillon/tenants"
)

type deviceRow struct {
	TenantID       uuid
	ID             uuid
	Token          string
	Bundle         string
	Environment    string
	Learnt         string
	Person         string
	Name           string
	Model          string
	OSVersion      string
	AppVersion     string
	TimeZone       string
	Platform       string
	State          string
	DisabledReason string
	RegisteredAt   int64
	SeenAt         int64
	Created        int64 `gorm:"column:created_at"`
	PhoneNumber    string
}

func (deviceRow) TableName() string { return "devices" }

// deviceColumns in the order of fields.
const deviceColumns = "tenant_id, id, token, bundle, environment, learnt, person, name, model, os_version, app_version, time_zone, " +
	"platform, state, disabled_reason, registered_at, seen_at, created_at, phone_number"

func (r *deviceRow) fields() []any {
	return []any{&r.TenantID, &r.ID, &r.Token, &r.Bundle, &r.Environment, &r.Learnt, &r.Person, &r.Name, &r.Model, &r.OSVersion,
		&r.AppVersion, &r.TimeZone, &r.Platform, &r.State, &r.DisabledReason, &r.RegisteredAt, &r.SeenAt, &r.Created, &r.PhoneNumber}
}

func rowOfDevice(t tenants.TenantID, d tenants.Device) deviceRow {
	return deviceRow{
		TenantID: uuid(t), ID: uuid(d.ID), Token: d.Token, Bundle: d.Bundle, Environment: string(d.Environment), Learnt: string(d.Learnt),
		Person: d.Person, Name: d.Name, Model: d.Model, OSVersion: d.OSVersion, AppVersion: d.AppVersion, TimeZone: d.TimeZone,
		Platform: string(d.Platform), State: string(d.State), DisabledReason: d.DisabledReason, RegisteredAt: micros(d.RegisteredAt),
		SeenAt: micros(d.SeenAt), Created: micros(d.CreatedAt), PhoneNumber: d.PhoneNumber,
	}
}

func (r deviceRow) noun() tenants.Device {
	return tenants.Device{
		ID: tenants.DeviceID(r.ID), Tenant: tenants.TenantID(r.TenantID), Token: r.Token, Bundle: r.Bundle,
		Environment: tenants.Environment(r.Environment), Learnt: tenants.Environment(r.Learnt), Person: r.Person, Name: r.Name,
		Model: r.Model, OSVersion: r.OSVersion, AppVersion: r.AppVersion, TimeZone: r.TimeZone, Platform: tenants.Platform(r.Platform),
		State: tenants.DeviceState(r.State), DisabledReason: r.DisabledReason, RegisteredAt: moment(r.RegisteredAt),
		SeenAt: moment(r.SeenAt), CreatedAt: moment(r.Created), PhoneNumber: r.PhoneNumber,
	}
}

// title is what a person calls the device; see tenants.Device.Title and the column title_low.
func (r deviceRow) title() string { return cmp.Or(r.Name, r.Person, r.Model) }

// deviceOrders: devices_created and devices_title are the indexes. When a device was last seen
// changes too often for one; its order sorts all devices of the tenant.
var deviceOrders = orders[deviceRow]{"created", map[Sort]order[deviceRow]{
	"created": by("created_at, id", func(r deviceRow) []any { return []any{r.Created, r.ID} }),
	"name":    byText("title_low", "id", func(r deviceRow) []any { return []any{r.title(), r.ID} }),
	"seen":    by("seen_at, id", func(r deviceRow) []any { return []any{r.SeenAt, r.ID} }),
	"person":  by("person, id", func(r deviceRow) []any { return []any{r.Person, r.ID} }),
}}

// DeviceQuery asks for a page of devices.
type DeviceQuery struct {
	Person string
	Bundle string
	State  tenants.DeviceState
	Tag    string
	Host   tenants.Environment // which of Apple's hosts takes their pushes, as far as it is known
	Silent time.Time           // only those that were last seen before; zero = all
	Search string              // name, person, model, or the beginning of the id or the token
	Sort   Sort                // "created", "name", "seen"
	After  string
	Upto   string
	Limit  int
}

// At is the query for a page.
func (q DeviceQuery) At(p Page) DeviceQuery {
	q.Search, q.Sort, q.After, q.Upto, q.Limit = p.Search, p.Sort, p.After, p.Upto, p.Limit
	return q
}

// Devices are the tenant's phones.
type Devices struct{ *scope }

// Devices returns the tenant's Devices.
func (s *Scope) Devices() Devices { return Devices{&s.scope} }

func (s Devices) found(ctx context.Context, q DeviceQuery) *gorm.DB {
	db := s.read(ctx, "devices")
	for column, want := range map[string]string{"person": q.Person, "bundle": q.Bundle, "state": string(q.State)} {
		if want != "" {
			db = db.Where(column+" = ?", want)
		}
	}
	if q.Tag != "" {
		db = db.Where("id IN (SELECT device_id FROM device_tags WHERE tenant_id = ? AND tag = ?)", uuid(s.id), q.Tag)
	}
	if q.Host != "" {
		db = db.Where("(environment = ? OR (environment = ? AND learnt = ?))", string(q.Host), string(tenants.Auto), string(q.Host))
	}
	if !q.Silent.IsZero() {
		db = db.Where("seen_at < ? AND state = ?", micros(q.Silent), string(tenants.DeviceActive))
	}
	if q.Search != "" {
		named, args := s.s.db.dialect.alike(q.Search, "name", "person", "model")
		found := db.Session(&gorm.Session{NewDB: true}).Where("("+named+` OR token LIKE ? ESCAPE '\')`,
			append(args, like("", q.Search, "%"))...)
		if low, high, ok := beginning(strings.ToLower(q.Search)); ok {
			found = found.Or("id BETWEEN ? AND ?", low, high)
		}
		db = db.Where(found)
	}
	return db
}

// List lists devices. They can be sorted by "created", "name" and "seen".
func (s Devices) List(ctx context.Context, q DeviceQuery) ([]tenants.Device, string, error) {
	rows, next, err := list(s.found(ctx, q), Page{Sort: q.Sort, After: q.After, Upto: q.Upto, Limit: q.Limit}, deviceOrders)
	return nouns(rows, deviceRow.noun), next, err
}

// Total counts the devices that List finds.
func (s Devices) Total(ctx context.Context, q DeviceQuery) (Total, error) {
	return totalOf(s.found(ctx, q))
}

// Get is one device.
func (s Devices) Get(ctx context.Context, id tenants.DeviceID) (tenants.Device, error) {
	row, err := s.device(s.reads().gorm(ctx), id)
	return row.noun(), err
}

func (s *scope) device(db *gorm.DB, id tenants.DeviceID) (row deviceRow, err error) {
	return row, missing(s.in(db, "devices").Where("id = ?", uuid(id)).Take(&row).Error, "device")
}

// Count counts the devices that are rung.
func (s Devices) Count(ctx context.Context) (int, error) {
	var n int64
	err := s.read(ctx, "devices").Where("state = ?", string(tenants.DeviceActive)).Count(&n).Error
	return int(n), translate(err)
}

// Person is someone whom the tenant's devices name.
type Person struct {
	Name    string // the tenant's own name of the person
	Devices int
	Active  int       // devices that are rung
	SeenAt  time.Time // when one of the devices was last seen
}

// PersonQuery asks for a page of people, by name.
type PersonQuery struct {
	Search string // parts of the name
	After  string // the last name of the page before
	Limit  int
}

// People lists whom the devices name. next is empty on the last page.
func (s Devices) People(ctx context.Context, q PersonQuery) (people []Person, next string, err error) {
	where, args := "tenant_id = ? AND person <> '' AND person > ?", []any{uuid(s.id), q.After}
	if q.Search != "" {
		named, find := s.s.db.dialect.alike(q.Search, "person")
		where, args = where+" AND ("+named+")", append(args, find...)
	}
	rows, err := s.reads().query(ctx, "SELECT person, COUNT(*), SUM(CASE WHEN state = 'active' THEN 1 ELSE 0 END), MAX(seen_at)"+
		" FROM devices WHERE "+where+" GROUP BY person ORDER BY person LIMIT ?", append(args, q.Limit+1)...)
	type row struct {
		name                  string
		devices, active, seen int64
	}
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.name, &r.devices, &r.active, &r.seen} })
	if err != nil {
		return nil, "", translate(err)
	}
	for i, r := range found {
		if i == q.Limit {
			return people, people[i-1].Name, nil
		}
		people = append(people, Person{r.name, int(r.devices), int(r.active), moment(r.seen)})
	}
	return people, "", nil
}

// Add registers a device and gives it a credential by its hash. One that is known by (bundle,
// environment, token) is brought up to date and revived instead, and its older credentials last
// until the new one is first used. Earlier rows of the same phone are merged into it; see
// tenants.Device.PhoneID and Earlier.
func (s Devices) Add(ctx context.Context, d tenants.Device, credential tenants.Hash) (device tenants.Device, known bool, err error) {
	var r registration
	err = s.write(ctx, func(t *tx) (err error) {
		r, err = t.devices().register(s.scope, d, credential)
		return err
	})
	r.follow(s.scope, err)
	if err != nil {
		return tenants.Device{}, false, err
	}
	return r.device, r.known, nil
}

// devicesTx is the writer's transaction as it changes devices and their credentials.
type devicesTx struct{ *tx }

func (t *tx) devices() devicesTx { return devicesTx{t} }

// differ names the fields that a person would call changed.
func differ(a, b deviceRow) changes {
	c := changes{}
	c.add("token", a.Token != b.Token)
	c.set("bundle_id", a.Bundle, b.Bundle)
	c.set("environment", joinedWords(a.Environment, a.Learnt), joinedWords(b.Environment, b.Learnt))
	c.set("person", a.Person, b.Person)
	c.set("name", a.Name, b.Name)
	c.set("model", a.Model, b.Model)
	c.set("os_version", a.OSVersion, b.OSVersion)
	c.set("app_version", a.AppVersion, b.AppVersion)
	c.set("time_zone", a.TimeZone, b.TimeZone)
	c.set("platform", a.Platform, b.Platform)
	c.set("phone_number", a.PhoneNumber, b.PhoneNumber)
	c.set("state", joinedWords(a.State, a.DisabledReason), joinedWords(b.State, b.DisabledReason))
	return c
}

func joinedWords(a, b string) string { return strings.TrimSpace(a + " " + b) }

func (t devicesTx) setDevice(r deviceRow) error {
	_, err := t.exec("UPDATE devices SET token = ?, bundle = ?, environment = ?, learnt = ?, person = ?, name = ?, model = ?, "+
		"os_version = ?, app_version = ?, time_zone = ?, platform = ?, state = ?, disabled_reason = ?, registered_at = ?, seen_at = ?, "+
		"phone_number = ? WHERE tenant_id = ? AND id = ?",
		r.Token, r.Bundle, r.Environment, r.Learnt, r.Person, r.Name, r.Model, r.OSVersion, r.AppVersion, r.TimeZone, r.Platform,
		r.State, r.DisabledReason, r.RegisteredAt, r.SeenAt, r.PhoneNumber, r.TenantID, r.ID)
	return taken(err, "Another device has this token already.")
}

// Set changes whatever may be changed of a device. A new token counts as a new registration.
func (s Devices) Set(ctx context.Context, d tenants.Device) error { return s.Change(ctx, d, nil) }

// Change is Set, and replaces the tags of the device unless they are nil: both or neither, with one
// audit row.
func (s Devices) Change(ctx context.Context, d tenants.Device, tags *[]string) error {
	if tags != nil && slices.ContainsFunc(*tags, func(tag string) bool { return !tenants.ValidTag(tag) }) {
		return badTag()
	}
	err := s.write(ctx, func(t *tx) error {
		old, err := s.device(t.db(), d.ID)
		if err != nil {
			return err
		}
		row := rowOfDevice(s.id, d.Clean())
		row.RegisteredAt, row.SeenAt, row.Created = old.RegisteredAt, old.SeenAt, old.Created
		if row.Token != old.Token || row.Bundle != old.Bundle || row.Environment != old.Environment {
			row.RegisteredAt, row.Learnt = micros(s.s.now()), ""
		}
		c := differ(old, row)
		if row != old {
			if err := t.devices().setDevice(row); err != nil {
				return err
			}
		}
		if tags != nil {
			had, err := t.devices().tags(s.scope, d.ID)
			if err != nil {
				return err
			}
			want, set, err := t.devices().setTags(s.scope, d.ID, had, *tags)
			if err != nil {
				return err
			}
			if set {
				c = append(c, tagged(had, want)...)
			}
		}
		if len(c) == 0 {
			return nil
		}
		return t.auditChange(s.scope, "device.set", string(d.ID), "", c...)
	})
	s.s.seen.forget()
	return err
}

// editDevice loads, edits and writes back a device with its audit row; where nothing that a person
// would see has changed there is no audit row.
func (s *scope) editDevice(ctx context.Context, id tenants.DeviceID, action string, edit func(*tx, *deviceRow) error) error {
	err := s.write(ctx, func(t *tx) error {
		old, err := s.device(t.db(), id)
		if err != nil {
			return err
		}
		row := old
		if err := edit(t, &row); err != nil || row == old {
			return err
		}
		if err := t.devices().setDevice(row); err != nil {
			return err
		}
		if c := differ(old, row); len(c) > 0 {
			return t.auditChange(s, action, string(row.ID), "", c...)
		}
		return nil
	})
	s.s.seen.forget()
	return err
}

// Remove removes a device and its credentials. Its rings stay.
func (s Devices) Remove(ctx context.Context, id tenants.DeviceID) error {
	err := s.write(ctx, func(t *tx) error {
		old, err := s.device(t.db(), id)
		if err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM devices WHERE tenant_id = ? AND id = ?", uuid(s.id), uuid(id)); err != nil {
			return err
		}
		if err := t.tell(s.scope, tenants.EventDeviceRemoved, "", eventOfDevice(old)); err != nil {
			return err
		}
		return t.audit(s.scope, "device.remove", string(id), old.noun().Title())
	})
	s.revoke(err)
	return err
}

// LearnEnvironment records which of Apple's hosts took the token of a device that did not say.
func (s Devices) LearnEnvironment(ctx context.Context, id tenants.DeviceID, env tenants.Environment) error {
	return s.editDevice(ctx, id, "device.learn", func(_ *tx, row *deviceRow) error {
		row.Learnt = string(env)
		return nil
	})
}

// Disable takes a device whose token Apple calls dead out of use, and says whether it did: not when
// the token was registered at or after asOf, the moment Apple speaks of.
func (s Devices) Disable(ctx context.Context, id tenants.DeviceID, reason string, asOf time.Time) (done bool, err error) {
	err = s.editDevice(ctx, id, "device.disable", func(_ *tx, row *deviceRow) error {
		done = row.RegisteredAt < micros(asOf)
		if done {
			row.State, row.DisabledReason = string(tenants.DeviceDisabled), reason
		}
		return nil
	})
	return done && err == nil, err
}

// Revive takes a device back into use that was disabled for the reason, and says whether it did:
// not when it was disabled for another since, or when another device has its token by now.
func (s Devices) Revive(ctx context.Context, id tenants.DeviceID, reason string) (done bool, err error) {
	err = s.editDevice(ctx, id, "device.revive", func(_ *tx, row *deviceRow) error {
		if done = row.State == string(tenants.DeviceDisabled) && row.DisabledReason == reason; done {
			row.State, row.DisabledReason = string(tenants.DeviceActive), ""
		}
		return nil
	})
	if tenants.KindOf(err) == tenants.Conflict {
		return false, nil
	}
	return done && err == nil, err
}

type deviceCredentialRow struct {
	TenantID uuid
	DeviceID uuid
	UsedAt   int64
}

// see records that the app gave a sign of life, to the minute, without waiting for it.
func (s *scope) see(d tenants.Device) {
	now := s.s.now()
	if now.Sub(d.SeenAt) < grain {
		return
	}
	s.s.w.post(s.access(), func(t *tx) error {
		_, err := t.exec("UPDATE devices SET seen_at = ? WHERE tenant_id = ? AND id = ? AND seen_at < ?",
			micros(now), uuid(s.id), uuid(d.ID), micros(now))
		return err
	})
}

// firstUse marks the credential as used and removes those made before it. Newer ones, not used yet,
// stay.
func (t devicesTx) firstUse(s *scope, device uuid, h tenants.Hash) error {
	n, err := t.change("UPDATE device_credentials SET used_at = ? WHERE tenant_id = ? AND hash = ? AND used_at = 0",
		micros(s.s.now()), uuid(s.id), h[:])
	if err != nil || n == 0 {
		return err
	}
	_, err = t.exec("DELETE FROM device_credentials WHERE tenant_id = ? AND device_id = ? AND hash <> ? AND created_at <= "+
		"(SELECT created_at FROM device_credentials WHERE tenant_id = ? AND device_id = ? AND hash = ?)",
		uuid(s.id), device, h[:], uuid(s.id), device, h[:])
	return err
}

// CountByVersion counts the living devices by the versions of app and iOS. A browser is a phone
// here too: it is rung and judged like the others.
func (s Devices) CountByVersion(ctx context.Context) ([]tenants.Version, error) {
	rows, err := s.reads().scan(ctx,
		"SELECT app_version, os_version, COUNT(*) FROM devices WHERE tenant_id = ? AND state = ? "+
			"GROUP BY app_version, os_version ORDER BY app_version, os_version", uuid(s.id), string(tenants.DeviceActive))
	found, err := collect(rows, err, func(v *tenants.Version) []any { return []any{&v.App, &v.OS, &v.Devices} })
	return found, translate(err)
}

// Called is ByID, and gives the device that a phone is now for an id that was merged into it: what
// old rings speak of.
func (s Devices) Called(ctx context.Context, ids []tenants.DeviceID) (map[tenants.DeviceID]tenants.Device, error) {
	out, err := s.ByID(ctx, ids)
	if err != nil || len(out) == len(ids) {
		return out, err
	}
	gone := slices.DeleteFunc(slices.Clone(ids), func(id tenants.DeviceID) bool { _, ok := out[id]; return ok })
	became, err := s.merged(ctx, gone)
	if err != nil || len(became) == 0 {
		return out, err
	}
	found, err := s.ByID(ctx, slices.Collect(maps.Values(became)))
	for old, id := range became {
		if d, ok := found[id]; ok {
			out[old] = d
		}
	}
	return out, err
}

// ByID finds devices by their ids in one statement. Ids that name none of the tenant's are left
// out.
func (s Devices) ByID(ctx context.Context, ids []tenants.DeviceID) (map[tenants.DeviceID]tenants.Device, error) {
	out := map[tenants.DeviceID]tenants.Device{}
	if len(ids) == 0 {
		return out, nil
	}
	rows, err := s.reads().query(ctx, "SELECT "+deviceColumns+" FROM devices WHERE tenant_id = ? AND id IN ("+marks(len(ids))+")",
		some(s.id, ids)...)
	found, err := collect(rows, err, (*deviceRow).fields)
	for _, r := range found {
		out[tenants.DeviceID(r.ID)] = r.noun()
	}
	return out, translate(err)
}

// CountByEnvironment counts the living devices of an app by the environment they are pushed in.
func (s Devices) CountByEnvironment(ctx context.Context, bundle string) (map[tenants.Environment]int, error) {
	type group struct {
		environment, learnt string
		n                   int
	}
	rows, err := s.reads().query(ctx, "SELECT environment, learnt, COUNT(*) FROM devices WHERE tenant_id = ? AND bundle = ? AND state = ? "+
		"GROUP BY environment, learnt", uuid(s.id), bundle, string(tenants.DeviceActive))
	found, err := collect(rows, err, func(x *group) []any { return []any{&x.environment, &x.learnt, &x.n} })
	out := map[tenants.Environment]int{}
	for _, x := range found {
		out[tenants.Device{Environment: tenants.Environment(x.environment), Learnt: tenants.Environment(x.learnt)}.Host()] += x.n
	}
	return out, translate(err)
}
