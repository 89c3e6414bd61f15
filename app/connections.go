package app

import (
	"context"
	"net/url"
	"os"
	"time"

	"carillon/app/connections"
	"carillon/tenants"
)

var _ connections.Meter = (*meter)(nil)

// openConnections starts what sends events to tenants' own systems.
func (n *node) openConnections(public string) (err error) {
	roles := connections.NewRoles(n.targets, n.store, hostOf(public), n.now)
	c := connections.Config{Store: n.store, Roles: roles, Now: n.now, Log: n.log}
	if n.meter != nil {
		c.Meter = n.meter
	}
	if n.events, err = connections.New(c); err != nil {
		return err
	}
	n.lookups = connections.NewLookups(n.targets, n.store, roles, n.now)
	n.calendars = connections.NewCalendars(n.targets, n.store, n.now)
	n.close = append(n.close, n.events.Close, n.lookups.Close, n.calendars.Close)
	return nil
}

// hostOf names this server to syslog receivers: by its public address, else as the machine does.
func hostOf(public string) string {
	if u, err := url.Parse(public); err == nil && u.Hostname() != "" {
		return u.Hostname()
	}
	name, _ := os.Hostname()
	return name
}

// feedAudits hands new entries of the audit log to the connections that follow it.
func (n *node) feedAudits(ctx context.Context) error { return connections.FeedAudits(ctx, n.store) }

// Delivered counts an attempt to deliver an event.
func (m *meter) Delivered(role tenants.ConnectionRole, outcome string, took time.Duration) {
	m.delivered.WithLabelValues(string(role), outcome).Inc()
	m.deliveries.WithLabelValues(string(role)).Observe(took.Seconds())
}

// measureDeliveries sets how old the oldest delivery of each role is that should have gone.
func (n *node) measureDeliveries(ctx context.Context) error {
	if n.meter == nil {
		return nil
	}
	now := n.now()
	oldest, err := n.store.Jobs().OldestDue(ctx, now)
	if err != nil {
		return err
	}
	for _, role := range tenants.ConnectionRoles {
		age := 0.0
		if at := oldest[role]; !at.IsZero() {
			age = now.Sub(at).Seconds()
		}
		n.meter.waiting.WithLabelValues(string(role)).Set(age)
	}
	return nil
}
