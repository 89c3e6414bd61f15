package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"carillon/tenants"
)

type connectionRow struct {
	TenantID                           uuid
	ID                                 uuid
	Name, Role, URL, Settings          string
	Sealed                             []byte // JSON of connectionSecrets
	State                              string
	Created                            int64 `gorm:"column:created_at"`
	FailingSince, WarnedAt, DisabledAt int64
	Delivered                          int64 `gorm:"column:delivered_at"`
	OverlapEnds                        int64
}

func (connectionRow) TableName() string { return "connections" }

// connectionSettings are what no list of connections is sorted or searched by.
type connectionSettings struct {
	Events     []tenants.EventKind         `json:"events,omitempty"`
	Headers    []string                    `json:"headers,omitempty"` // the names, sorted
	Token      bool                        `json:"token,omitempty"`   // one is stored
	Lookup     *tenants.LookupSettings     `json:"lookup,omitempty"`
	Calendar   *tenants.CalendarSettings   `json:"calendar,omitempty"`
	SMS        *tenants.SMSSettings        `json:"sms,omitempty"`
	Audit      *tenants.AuditSettings      `json:"audit,omitempty"`
	Transcript *tenants.TranscriptSettings `json:"transcript,omitempty"`
}

// connectionSecrets are sealed in one blob.
type connectionSecrets struct {
	Signing string            `json:"signing"`
	Old     string            `json:"old,omitempty"` // signs too until the overlap ends
	Headers map[string]string `json:"headers,omitempty"`
	Token   string            `json:"token,omitempty"`
}

// ConnectionSecrets are opened for one delivery, and kept nowhere.
type ConnectionSecrets struct {
	Signing []tenants.Secret // each signs; the newest first
	Headers map[string]string
	Token   tenants.Secret // the role's password; empty = none
}

func (r connectionRow) noun() tenants.Connection {
	var s connectionSettings
	_ = json.Unmarshal([]byte(r.Settings), &s) // ours
	c := tenants.Connection{
		ID: tenants.ConnectionID(r.ID), Tenant: tenants.TenantID(r.TenantID), Name: r.Name, Role: tenants.ConnectionRole(r.Role),
		URL: r.URL, Events: s.Events, Headers: map[string]string{}, HasToken: s.Token, Lookup: s.Lookup, Calendar: s.Calendar, SMS: s.SMS,
		Audit: s.Audit, Transcript: s.Transcript, State: tenants.ConnectionState(r.State), CreatedAt: moment(r.Created),
		FailingSince: moment(r.FailingSince), DisabledAt: moment(r.DisabledAt), LastDelivered: moment(r.Delivered),
		OldSecretEnds: moment(r.OverlapEnds),
	}
	for _, name := range s.Headers {
		c.Headers[name] = ""
	}
	return c
}

func settingsOfConnection(c tenants.Connection, token bool) (string, error) {
	b, err := json.Marshal(connectionSettings{
		Events: c.Events, Headers: slices.Sorted(maps.Keys(c.Headers)), Token: token, Lookup: c.Lookup, Calendar: c.Calendar, SMS: c.SMS,
		Audit: c.Audit, Transcript: c.Transcript,
	})
	if err != nil {
		return "", fmt.Errorf("store: connection %s: %w", c.ID, err)
	}
	return string(b), nil
}

// connectionOrders: a tenant has at most tenants.CapConnections, so no index is needed to sort
// them.
var connectionOrders = orders[connectionRow]{"created", map[Sort]order[connectionRow]{
	"created": by("created_at, id", func(r connectionRow) []any { return []any{r.Created, r.ID} }),
	"name":    byText("LOWER(name)", "id", func(r connectionRow) []any { return []any{r.Name, r.ID} }),
	"role":    by("role, id", func(r connectionRow) []any { return []any{r.Role, r.ID} }),
	"state":   by("state, id", func(r connectionRow) []any { return []any{r.State, r.ID} }),

	"address":   byText("LOWER(url)", "id", func(r connectionRow) []any { return []any{r.URL, r.ID} }),
	"delivered": by("delivered_at, id", func(r connectionRow) []any { return []any{r.Delivered, r.ID} }),
}}

// Connections are the tenant's own systems to which we send what happens.
type Connections struct{ *scope }

// Connections returns the tenant's Connections.
func (s *Scope) Connections() Connections { return Connections{&s.scope} }

// sealedAs is the associated data of a connection's secrets: a blob that is copied to another row
// does not open.
func (s Connections) sealedAs(id tenants.ConnectionID) []string {
	return []string{string(s.id), "connections", string(id)}
}

func (s Connections) seal(id tenants.ConnectionID, secrets connectionSecrets) ([]byte, error) {
	text, err := json.Marshal(secrets)
	if err != nil {
		return nil, fmt.Errorf("store: connection %s: %w", id, err)
	}
	blob, err := s.s.seal.Seal(text, s.sealedAs(id)...)
	if err != nil {
		return nil, fmt.Errorf("store: connection %s: %w", id, err)
	}
	return blob, nil
}

func (s Connections) open(id tenants.ConnectionID, blob []byte) (secrets connectionSecrets, err error) {
	text, err := s.s.seal.Open(blob, s.sealedAs(id)...)
	if err == nil {
		err = json.Unmarshal(text, &secrets)
	}
	if err != nil {
		return secrets, fmt.Errorf("store: connection %s: %w", id, err)
	}
	return secrets, nil
}

// Add adds a connection and returns its new signing secret, which is stored sealed and shown once.
// A header without a value is refused.
func (s Connections) Add(ctx context.Context, c tenants.Connection) (tenants.Secret, error) {
	secrets := connectionSecrets{Signing: string(tenants.NewSigningSecret())}
	if err := secrets.take(c, false); err != nil {
		return "", err
	}
	blob, err := s.seal(c.ID, secrets)
	if err != nil {
		return "", err
	}
	row := connectionRow{TenantID: uuid(s.id), ID: uuid(c.ID), Name: c.Name, Role: string(c.Role), URL: c.URL, Sealed: blob,
		State: string(c.State), Created: micros(c.CreatedAt)}
	if row.Settings, err = settingsOfConnection(c, secrets.Token != ""); err != nil {
		return "", err
	}
	err = s.changing(ctx, func(t *tx) error {
		if err := t.room(s.scope, tenants.CapConnections, "connections", there); err != nil {
			return err
		}
		if err := t.db().Create(&row).Error; err != nil {
			return taken(err, "This connection exists already.")
		}
		return t.audit(s.scope, "connection.add", string(c.ID), "")
	})
	if err != nil {
		return "", err
	}
	return tenants.Secret(secrets.Signing), nil
}

// take brings what a connection has on the way in to the stored secrets: headers without a value
// keep the stored one. A connection that sends elsewhere keeps none: a key that may change its
// address could read them there.
func (x *connectionSecrets) take(c tenants.Connection, elsewhere bool) error {
	var faults []tenants.Field
	headers := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		value := c.Headers[name]
		switch {
		case value != "":
		case x.Headers[name] == "":
			faults = append(faults, tenants.Field{Name: "headers", Message: "the header " + name + " has no value"})
		case elsewhere:
			faults = append(faults, tenants.Field{Name: "headers", Message: "give the value of " + name +
				" again, or remove the header: the address has another host, and the stored value was given for the old one"})
		default:
			value = x.Headers[name]
		}
		headers[name] = value
	}
	if elsewhere && c.Role == tenants.RoleSMS && c.Token == nil && x.Token != "" { // no other role sends it
		faults = append(faults, tenants.Field{Name: "token",
			Message: "give the token again: the address has another host, and the stored token was given for the old one"})
	}
	if len(faults) > 0 {
		return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "Please correct the fields below.", Fields: faults}
	}
	x.Headers = headers
	if c.Token != nil {
		x.Token = *c.Token
	}
	return nil
}

// Change changes name, address, events, headers and settings of a connection, and whether it is
// active or paused. Its role stays. An address with another host is refused while stored header
// values or a token would go there. One that becomes active again is no longer failing. What waits
// for one that was disabled or has ended is let go first.
func (s Connections) Change(ctx context.Context, c tenants.Connection) error {
	was, err := s.Get(ctx, c.ID)
	if err == nil && isStopped(was.State) {
		err = Deliveries(s).letGo(ctx, was)
	}
	if err != nil {
		return err
	}
	return s.changing(ctx, func(t *tx) error {
		old, err := s.held(t, c.ID)
		if err != nil {
			return err
		}
		if old.Role != string(c.Role) {
			return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "Please correct the fields below.",
				Fields: []tenants.Field{{Name: "role", Message: "stays as it is; add another connection for another role"}}}
		}
		had, err := s.open(c.ID, old.Sealed)
		if err != nil {
			return err
		}
		secrets := had
		if err := secrets.take(c, c.SendsElsewhere(old.noun())); err != nil {
			return err
		}
		set, err := settingsOfConnection(c, secrets.Token != "")
		if err != nil {
			return err
		}
		fields := changes{}
		fields.set("name", old.Name, c.Name)
		fields.add("url", old.URL != c.URL)
		was, of := old.noun().Events, c
		fields.set("events", joinedEvents(was), joinedEvents(c.Events))
		of.Events = was
		rest, err := settingsOfConnection(of, secrets.Token != "")
		if err != nil {
			return err
		}
		fields.add("settings", old.Settings != rest) // but for the events
		fields.add("headers", !maps.Equal(had.Headers, secrets.Headers))
		fields.add("token", had.Token != secrets.Token)
		if len(fields) > 0 {
			blob, err := s.seal(c.ID, secrets)
			if err != nil {
				return err
			}
			if _, err := t.exec("UPDATE connections SET name = ?, url = ?, settings = ?, sealed = ? WHERE tenant_id = ? AND id = ?",
				c.Name, c.URL, set, blob, uuid(s.id), uuid(c.ID)); err != nil {
				return err
			}
			if err := t.auditChange(s.scope, "connection.set", string(c.ID), "", fields...); err != nil {
				return err
			}
		}
		return s.setState(t, old, c.State)
	})
}

// joinedEvents are the events of a connection in words; it takes all where it names none.
func joinedEvents(all []tenants.EventKind) string {
	if len(all) == 0 {
		return "all"
	}
	words := make([]string, len(all))
	for i, e := range all {
		words[i] = string(e)
	}
	return strings.Join(words, ", ")
}

// changing is write, after which nothing is sent by what was read before it.
func (s Connections) changing(ctx context.Context, run func(*tx) error) error {
	defer s.s.seen.forget()
	return s.write(ctx, run)
}

// isStopped reports whether a state is one that Carillon sets.
func isStopped(state tenants.ConnectionState) bool {
	return state == tenants.ConnectionDisabled || state == tenants.ConnectionEnded
}

// setState makes a connection active or paused. Other states are Carillon's own to set.
func (s Connections) setState(t *tx, old connectionRow, to tenants.ConnectionState) error {
	action := ""
	switch to {
	case tenants.ConnectionActive:
		action = "connection.resume"
	case tenants.ConnectionPaused:
		action = "connection.pause"
	}
	if action == "" || string(to) == old.State {
		return nil
	}
	if isStopped(tenants.ConnectionState(old.State)) && old.Role != string(tenants.RoleAudit) {
		// before the connection, as Settle does: no deadlock
		if err := Deliveries(s).giveUpRest(t, old.ID); err != nil {
			return err
		}
	}
	if _, err := t.exec("UPDATE connections SET state = ?, failing_since = 0, warned_at = 0, disabled_at = 0 "+
		"WHERE tenant_id = ? AND id = ?", string(to), uuid(s.id), old.ID); err != nil {
		return err
	}
	if err := t.alerts().settle(s.scope, string(old.ID)); err != nil {
		return err
	}
	return t.auditSet(s.scope, action, string(old.ID), "", tenants.Change{Field: "state", Before: old.State, After: string(to)})
}

// held reads a connection that will be changed in the same transaction.
func (s Connections) held(t *tx, id tenants.ConnectionID) (connectionRow, error) {
	var row connectionRow
	err := s.in(t.db(), "connections").Where("id = ? AND "+there, uuid(id)).Take(&row).Error
	if err != nil {
		return row, missing(err, "connection")
	}
	return row, nil
}

// RotateSecret gives a connection a new signing secret. The old one signs too until
// tenants.SecretOverlap is over.
func (s Connections) RotateSecret(ctx context.Context, id tenants.ConnectionID) (fresh tenants.Secret, oldEnds time.Time, err error) {
	fresh = tenants.NewSigningSecret()
	oldEnds = stored(s.s.now().Add(tenants.SecretOverlap))
	err = s.changing(ctx, func(t *tx) error {
		old, err := s.held(t, id)
		if err != nil {
			return err
		}
		secrets, err := s.open(id, old.Sealed)
		if err != nil {
			return err
		}
		secrets.Old, secrets.Signing = secrets.Signing, string(fresh)
		blob, err := s.seal(id, secrets)
		if err != nil {
			return err
		}
		if _, err := t.exec("UPDATE connections SET sealed = ?, overlap_ends = ? WHERE tenant_id = ? AND id = ?", blob, micros(oldEnds),
			uuid(s.id), uuid(id)); err != nil {
			return err
		}
		return t.audit(s.scope, "connection.secret", string(id), "")
	})
	if err != nil {
		return "", time.Time{}, err
	}
	return fresh, oldEnds, nil
}

// Get is one connection.
func (s Connections) Get(ctx context.Context, id tenants.ConnectionID) (tenants.Connection, error) {
	var row connectionRow
	if err := s.read(ctx, "connections").Where("id = ? AND "+there, uuid(id)).Take(&row).Error; err != nil {
		return tenants.Connection{}, missing(err, "connection")
	}
	return row.noun(), nil
}

// Secrets opens the secrets of a connection.
func (s Connections) Secrets(ctx context.Context, id tenants.ConnectionID) (ConnectionSecrets, error) {
	var row connectionRow
	if err := s.read(ctx, "connections").Where("id = ? AND "+there, uuid(id)).Take(&row).Error; err != nil {
		return ConnectionSecrets{}, missing(err, "connection")
	}
	return s.opened(row)
}

func (s Connections) opened(row connectionRow) (ConnectionSecrets, error) {
	x, err := s.open(tenants.ConnectionID(row.ID), row.Sealed)
	if err != nil {
		return ConnectionSecrets{}, err
	}
	out := ConnectionSecrets{Signing: []tenants.Secret{tenants.Secret(x.Signing)}, Headers: x.Headers, Token: tenants.Secret(x.Token)}
	if x.Old != "" && s.s.now().Before(moment(row.OverlapEnds)) {
		out.Signing = append(out.Signing, tenants.Secret(x.Old))
	}
	return out, nil
}

func (s Connections) found(ctx context.Context, q Page) *gorm.DB {
	db := s.read(ctx, "connections").Where(there)
	if q.Search != "" {
		named, args := s.s.db.dialect.alike(q.Search, "name", "url", "role")
		db = db.Where("("+named+")", args...)
	}
	return db
}

// List lists connections. They can be sorted by "created", "name", "role" and "state".
func (s Connections) List(ctx context.Context, q Page) ([]tenants.Connection, string, error) {
	rows, next, err := list(s.found(ctx, q), q, connectionOrders)
	return nouns(rows, connectionRow.noun), next, err
}

// Total counts the connections that List finds.
func (s Connections) Total(ctx context.Context, q Page) (Total, error) {
	return totalOf(s.found(ctx, q))
}
