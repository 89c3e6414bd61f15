package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"carillon/tenants"
)

// Texts are the texts that were sent about missed rings, and who wants none.
type Texts struct{ *scope }

// Texts returns the tenant's Texts.
func (s *Scope) Texts() Texts { return Texts{&s.scope} }

// Addressee is who gets the text about a ring.
type Addressee struct {
	Person   string // empty = the device is nobody's
	Number   string // E.164; empty = none is stored
	TimeZone string // of the phone; empty = not known
}

// Addressee finds who gets the text about a ring: the person it was for, at the number of their
// device that was seen last, or the device that it was for.
func (s Texts) Addressee(ctx context.Context, to tenants.To) (a Addressee, err error) {
	where, arg := "person = ?", any(to.Person)
	if to.Person == "" {
		where, arg = "id = ?", uuid(to.Device)
	}
	rows, err := s.reads().query(ctx, "SELECT person, phone_number, time_zone FROM devices WHERE tenant_id = ? AND "+where+
		" ORDER BY CASE WHEN phone_number = '' THEN 1 ELSE 0 END, seen_at DESC, id LIMIT 1", uuid(s.id), arg)
	found, err := collect(rows, err, func(a *Addressee) []any { return []any{&a.Person, &a.Number, &a.TimeZone} })
	if err != nil || len(found) == 0 {
		return a, translate(err)
	}
	return found[0], nil
}

// Claim takes the one text about a ring before it is sent, or says why it must not be: a text that
// may have been sent is never sent again, also not after a crash. between is the time between two
// texts to a number, and perDay how many the connection sends in 24 hours.
func (s Texts) Claim(ctx context.Context, ring tenants.RingID, c tenants.ConnectionID, number string, between time.Duration,
	perDay int) (why tenants.Untexted, err error) {
	err = s.write(ctx, func(t *tx) error {
		if why, err = s.untexted(t, ring, c, number, between, perDay); err != nil || why != "" {
			return err
		}
		_, err := t.exec("INSERT INTO texts (tenant_id, ring_id, connection_id, phone_number, at, state, sid) "+
			"VALUES (?, ?, ?, ?, ?, 'sending', '')", uuid(s.id), uuid(ring), uuid(c), number, micros(s.s.now()))
		return err
	})
	return why, err
}

func (s Texts) untexted(t *tx, ring tenants.RingID, c tenants.ConnectionID, number string, between time.Duration,
	perDay int) (tenants.Untexted, error) {
	var one int
	if err := t.row("SELECT 1 FROM rings WHERE tenant_id = ? AND id = ?", []any{uuid(s.id), uuid(ring)}, &one); err != nil {
		return "", missing(err, "ring")
	}
	var state string
	err := t.row("SELECT state FROM texts WHERE tenant_id = ? AND ring_id = ?", []any{uuid(s.id), uuid(ring)}, &state)
	if err == nil {
		if state == "sent" {
			return tenants.TextSent, nil
		}
		return tenants.TextUnknown, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	now := s.s.now()
	for _, bound := range []struct {
		why   tenants.Untexted
		most  int64
		query string
		args  []any
	}{
		{tenants.TextStopped, 1, "SELECT COUNT(*) FROM text_stops WHERE tenant_id = ? AND phone_number = ?", []any{uuid(s.id), number}},
		{tenants.TextTooSoon, 1, "SELECT COUNT(*) FROM texts WHERE tenant_id = ? AND phone_number = ? AND at > ?",
			[]any{uuid(s.id), number, micros(now.Add(-between))}},
		{tenants.TextTooMany, int64(perDay), "SELECT COUNT(*) FROM texts WHERE tenant_id = ? AND connection_id = ? AND at > ?",
			[]any{uuid(s.id), uuid(c), micros(now.Add(-24 * time.Hour))}},
	} {
		n, err := t.tally(bound.query, bound.args...)
		if err != nil {
			return "", err
		}
		if n >= bound.most {
			return bound.why, nil
		}
	}
	return "", nil
}

// Settle writes down what became of a claimed text: sent with the provider's id, not known, or
// certainly not sent, so that it may be tried again.
func (s Texts) Settle(ctx context.Context, ring tenants.RingID, sid string, unknown bool) error {
	return s.write(ctx, func(t *tx) error {
		key := []any{uuid(s.id), uuid(ring)}
		var err error
		switch {
		case sid != "":
			_, err = t.exec("UPDATE texts SET state = 'sent', sid = ? WHERE tenant_id = ? AND ring_id = ?", append([]any{sid}, key...)...)
		case unknown:
			_, err = t.exec("UPDATE texts SET state = 'unknown' WHERE tenant_id = ? AND ring_id = ?", key...)
		default:
			_, err = t.exec("DELETE FROM texts WHERE tenant_id = ? AND ring_id = ? AND state = 'sending'", key...)
		}
		return err
	})
}

// Stop keeps that a number wants no more texts, or wants them again, with an audit row if that is
// new. The row has the end of the number only.
func (s Texts) Stop(ctx context.Context, number string, stop bool) error {
	return s.write(ctx, func(t *tx) error {
		query, action := "DELETE FROM text_stops WHERE tenant_id = ? AND phone_number = ?", "text.start"
		args := []any{uuid(s.id), number}
		if stop {
			query, action = "INSERT INTO text_stops (tenant_id, phone_number, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", "text.stop"
			args = append(args, micros(s.s.now()))
		}
		n, err := t.change(query, args...)
		if err != nil || n == 0 {
			return err
		}
		return t.audit(s.scope, action, "", "number ending in "+number[max(0, len(number)-4):])
	})
}

// Stopped reports whether a number wants no texts.
func (s Texts) Stopped(ctx context.Context, number string) (bool, error) {
	n, err := one(s.reads().query(ctx, "SELECT COUNT(*) FROM text_stops WHERE tenant_id = ? AND phone_number = ?", uuid(s.id), number))
	return n > 0, err
}

// TextConnection finds the tenant of a connection of the role sms: the provider that sends us texts
// of people knows nothing else. Suspended tenants are found too: a person says STOP only once.
func (s Jobs) TextConnection(ctx context.Context, id tenants.ConnectionID) (tenants.TenantID, error) {
	rows, err := s.db.through(allTenants).query(ctx, "SELECT tenant_id FROM connections WHERE id = ? AND role = ? AND "+there,
		uuid(id), string(tenants.RoleSMS))
	found, err := collect(rows, err, func(t *tenants.TenantID) []any { return []any{(*uuid)(t)} })
	if err != nil {
		return "", translate(err)
	}
	if len(found) == 0 {
		return "", tenants.NoSuch("connection")
	}
	return found[0], nil
}
