package connections

import (
	"time"

	"carillon/app/outbound"
)

// NewWebhook is the role webhook with another time to answer.
func NewWebhook(d *outbound.Dialer, within time.Duration, now func() time.Time) Role {
	return newWebhook(d, within, now)
}

// Look finds what is due now, as the engine does each second.
func (e *Engine) Look() { e.look() }

// Cut breaks off attempts under way, as the end of the process does.
func (e *Engine) Cut() { e.cut() }
