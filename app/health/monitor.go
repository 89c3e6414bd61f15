// Package health decides what Apple's answers and phones' silence mean for credentials, devices and
// app versions: it disables devices and credentials, raises and closes alerts, judges how phones
// wake and agents attach, and checks uploaded credentials. It places no rings; the switchboard
// calls it after each answer.
//
// Start reading at Monitor.Answered. reactions.go does what the table of reasons in app/push asks
// for, phones.go judges phones, agents.go judges agents, review.go finds what time changes,
// credentials.go takes uploads, alertmail.go writes to people.
package health

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"carillon/app/push"
	"carillon/tenants"
	"carillon/tenants/store"
)

// mostRemembered bounds each map that this package keeps in memory. A full map is emptied: what it
// held is learnt again from the next answers.
const mostRemembered = 4096

// Config is what a Monitor is made of. All is required.
type Config struct {
	Store *store.Store
	Now   func() time.Time
	Log   *slog.Logger
}

// Monitor turns Apple's answers and the ends of rings into changes of devices, credentials and
// alerts. Its methods may be called from many goroutines.
type Monitor struct {
	Config
	refusals refusals
	silent   silentPhones
	used     lastUses
	attached attachments
	expiry   atomic.Int64 // see NextExpiry; Unix seconds, 0 = none
}

// NewMonitor checks the parts.
func NewMonitor(c Config) (*Monitor, error) {
	if c.Store == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("health: a Monitor needs Store, Now and Log")
	}
	return &Monitor{Config: c}, nil
}

// Answered reacts to Apple's answer to an attempt's push, once the answer is recorded. A push
// without an answer counts only for the status of Apple's host, and not at all when it was stopped
// because nothing more had to be sent.
func (m *Monitor) Answered(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer) error {
	if answer.Status == 0 && errors.Is(answer.Err, push.ErrEnough) {
		return nil
	}
	m.countForHost(answer.Environment, push.ReactionTo(answer.Status, answer.Reason).Alert)
	switch answer.Status {
	case 0:
		return nil
	case 200:
		return errors.Join(m.accepted(ctx, scope, a, answer), m.otherHost(ctx, scope, a, answer))
	}
	return errors.Join(m.refused(ctx, scope, a, answer), m.otherHost(ctx, scope, a, answer))
}

// accepted notes that Apple took a push. When that ends a mass refusal, its alert is resolved.
func (m *Monitor) accepted(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer) error {
	var errs []error
	if m.refusals.accepted(a.Credential, a.Device, m.Now()) {
		errs = append(errs, ignoreUnknown(scope.Alerts().Resolve(ctx, tenants.AlertTokensRefused, string(a.Credential))))
	}
	if a.Push.Environment == tenants.Auto {
		errs = append(errs, scope.Devices().LearnEnvironment(ctx, a.Device, tenants.Environment(answer.Environment)))
	}
	if m.used.shouldWrite(a.Credential, answer.AnsweredAt) {
		errs = append(errs, scope.Credentials().NoteUse(ctx, a.Credential, answer.AnsweredAt))
	}
	return errors.Join(errs...)
}

// lastUses limits how often a credential's last use is written. The zero value is ready.
type lastUses struct {
	mu      sync.Mutex // guards written
	written map[tenants.CredentialID]time.Time
}

// shouldWrite reports whether the credential's use should be written now: at most once a minute.
func (l *lastUses) shouldWrite(id tenants.CredentialID, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.written[id]) < time.Minute {
		return false
	}
	if l.written == nil || len(l.written) >= mostRemembered {
		l.written = map[tenants.CredentialID]time.Time{}
	}
	l.written[id] = now
	return true
}
