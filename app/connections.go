package app

import (
	"context"
	"time"

	"carillon/app/connections"
	"carillon/tenants"
)

var _ connections.Meter = (*meter)(nil)

// openConnections starts what sends events to tenants' own systems.
func (n *node) openConnections() (err error) {
	c := connections.Config{Store: n.store, Roles: connections.NewRoles(n.targets, n.now), Now: n.now, Log: n.log}
	if n.meter != nil {
		c.Meter = n.meter
	}
	if n.events, err = connections.New(c); err != nil {
		return err
	}
	n.close = append(n.close, n.events.Close)
	return nil
}

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
