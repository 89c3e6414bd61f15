package health

import (
	"context"
	"errors"
	"fmt"

	"carillon/app/push"
	"carillon/tenants"
	"carillon/tenants/store"
)

// refused does what Apple's refusal asks for to the device, the credential and the alerts; the
// table is in app/push.
func (m *Monitor) refused(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer) error {
	do := push.ReactionTo(answer.Status, answer.Reason)
	// The alert comes before the credential: a person who replaces a disabled credential resolves
	// its alerts, and none may be raised after that.
	return errors.Join(m.reactOnDevice(ctx, scope, a, answer, do), m.raiseAlert(ctx, scope, a, answer, do),
		m.reactOnCredential(ctx, scope, a, answer, do))
}

func (m *Monitor) reactOnDevice(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer, do push.Reaction) error {
	switch do.Device {
	case push.SuspectDevice, push.RetireDevice:
		mass := m.refusals.refused(a.Credential, a.Device, m.Now())
		if mass.open {
			return m.massRefusal(ctx, scope, a, answer, mass)
		}
		if do.Device == push.SuspectDevice {
			if repeated, err := m.refusedBefore(ctx, scope, a, answer); err != nil || !repeated {
				return err
			}
		}
		return m.disableDevice(ctx, scope, a, answer)
	case push.RetireIfOlder:
		asOf := answer.Timestamp
		if asOf.IsZero() {
			asOf = answer.AnsweredAt
		}
		_, err := scope.Devices().Disable(ctx, a.Device, answer.Reason, asOf)
		return err
	}
	return nil
}

// disableDevice disables a device, and enables it again if a mass refusal was found meanwhile.
func (m *Monitor) disableDevice(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer) error {
	if !m.refusals.noteDisabled(a.Credential, a.Device, answer.Reason, m.Now()) {
		return nil
	}
	if _, err := scope.Devices().Disable(ctx, a.Device, answer.Reason, answer.AnsweredAt); err != nil {
		return err
	}
	if m.refusals.isOpen(a.Credential) {
		_, err := scope.Devices().Revive(ctx, a.Device, answer.Reason)
		return err
	}
	return nil
}

// outcomesRead is how many of a device's earlier pushes are read.
const outcomesRead = 8

// refusedBefore says whether Apple refused this token for the same reason on an earlier ring, and
// has not accepted it since. A registration in between starts the count again.
func (m *Monitor) refusedBefore(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer) (bool, error) {
	d, err := scope.Devices().Get(ctx, a.Device)
	if err != nil {
		return false, ignoreUnknown(err) // removed since
	}
	seen, err := scope.Outcomes().OfDevice(ctx, a.Device, outcomesRead)
	if err != nil {
		return false, err
	}
	for _, o := range seen {
		if o.Ring == a.Ring || o.Status == 0 || o.Token != a.Push.Token {
			continue
		}
		return o.Reason == answer.Reason && !o.At.Before(d.RegisteredAt), nil
	}
	return false, nil
}

// massRefusal handles one mistake that makes Apple refuse the tokens of many devices. It enables
// what the burst disabled, marks the credential and raises an alert.
func (m *Monitor) massRefusal(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer, mass massRefusal) error {
	var errs []error
	for d, reason := range mass.revive {
		_, err := scope.Devices().Revive(ctx, d, reason)
		errs = append(errs, err)
	}
	if mass.alert {
		do := push.ReactionTo(answer.Status, answer.Reason)
		what := "the environment"
		if answer.Reason == "DeviceTokenNotForTopic" {
			what = "the bundle id"
		}
		detail := fmt.Sprintf("%s: Apple refused %s of %s device tokens within ten minutes, so %s is probably wrong. "+
			"No device is disabled for it. %s",
			answer.Reason, tenants.FormatCount(mass.refused), tenants.FormatCount(mass.pushed), what, do.Cure)
		_, err := scope.Alerts().Raise(ctx, tenants.AlertTokensRefused, string(a.Credential), detail)
		errs = append(errs, err, scope.Credentials().NoteRefusal(ctx, a.Credential, answer.Reason, false, answer.AnsweredAt))
	}
	return errors.Join(errs...)
}

func (m *Monitor) reactOnCredential(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer,
	do push.Reaction) error {
	disable := false
	switch do.Credential {
	case push.DisableCredential:
		disable = true
	case push.SuspectCredential: // disabled when it is refused twice with no success in between
		c, err := scope.Credentials().Get(ctx, a.Credential)
		if err != nil {
			return ignoreUnknown(err)
		}
		disable = c.LastError == answer.Reason && c.LastErrorAt.After(c.LastUsedAt)
	case push.DisableForHost, push.OneEnvironment:
		no := push.Refusal{Environment: answer.Environment, Status: answer.Status, Reason: answer.Reason}
		return m.limitToOtherHost(ctx, scope, a, no, answer.AnsweredAt)
	case push.RejectTopic, push.CheckClock, push.NoteCredential:
	case push.CheckBundle:
		if do.Alert == push.AlertMass { // one token of another app proves nothing; massRefusal counts many
			return nil
		}
	default:
		return nil
	}
	return ignoreUnknown(scope.Credentials().NoteRefusal(ctx, a.Credential, answer.Reason, disable, answer.AnsweredAt))
}

// raiseAlert raises the alert that the table asks for. A reason that is our own mistake goes to the
// log instead: the tenant can do nothing about it.
func (m *Monitor) raiseAlert(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer, do push.Reaction) error {
	kind := tenants.AlertCredential
	if do.Credential == push.FreezeMinting || do.Credential == push.CoolDown {
		kind = tenants.AlertTooOften
	}
	switch do.Alert {
	case push.AlertBug:
		m.Log.Error("Apple refused a push for a reason that is ours",
			"reason", answer.Reason, "status", answer.Status, "apns_id", answer.APNsID)
		return nil
	case push.AlertOwner:
	case push.AlertRepeat:
		if !m.refusals.isRepeated(string(a.Credential)+" "+answer.Reason, m.Now()) {
			return nil
		}
	default:
		return nil
	}
	_, err := scope.Alerts().Raise(ctx, kind, string(a.Credential), answer.Reason+": "+do.Cause+" "+do.Cure)
	return err
}

// ignoreUnknown drops the error of a row that is gone: a device or credential that was removed, an
// alert that somebody else has resolved.
func ignoreUnknown(err error) error {
	if err != nil && tenants.KindOf(err) == tenants.Unknown {
		return nil
	}
	return err
}
