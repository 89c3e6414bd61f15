package switchboard

import (
	"context"
	"errors"
	"fmt"

	"carillon/app/push"
	"carillon/tenants"
	"carillon/tenants/store"
)

// trouble does to device, credential and alerts what Apple's refusal asks for; app/push holds the table.
func (b *Board) trouble(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer) error {
	do := push.ReactionTo(answer.Status, answer.Reason)
	// The alert before the credential: who replaces a credential once it is disabled settles its alerts, and none may come after.
	return errors.Join(b.troubleDevice(ctx, scope, a, answer, do), b.alert(ctx, scope, a, answer, do), b.troubleCredential(ctx, scope, a, answer, do))
}

func (b *Board) troubleDevice(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer, do push.Reaction) error {
	switch do.Device {
	case push.SuspectDevice, push.RetireDevice:
		mass := b.health.refused(a.Credential, a.Device, b.Now())
		if mass.open {
			return b.mass(ctx, scope, a, answer, mass)
		}
		if do.Device == push.SuspectDevice {
			if proven, err := b.proven(ctx, scope, a, answer); err != nil || !proven {
				return err
			}
		}
		return b.retire(ctx, scope, a, answer)
	case push.RetireIfOlder:
		asOf := answer.Timestamp
		if asOf.IsZero() {
			asOf = answer.AnsweredAt
		}
		_, err := scope.DisableDevice(ctx, a.Device, answer.Reason, asOf)
		return err
	}
	if do.Credential == push.CoolDown {
		b.paced.slow(a.Device, b.Now())
	}
	return nil
}

// retire disables a device, and takes that back if the breaker opened meanwhile.
func (b *Board) retire(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer) error {
	if !b.health.retire(a.Credential, a.Device, answer.Reason, b.Now()) {
		return nil
	}
	if _, err := scope.DisableDevice(ctx, a.Device, answer.Reason, answer.AnsweredAt); err != nil {
		return err
	}
	if b.health.isOpen(a.Credential) {
		_, err := scope.ReviveDevice(ctx, a.Device, answer.Reason)
		return err
	}
	return nil
}

// proofsSeen is how far back a device's earlier pushes are looked at.
const proofsSeen = 8

// proven says whether Apple called this very token bad once before, on another ring, and has not taken it since; a registration in
// between starts anew.
func (b *Board) proven(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer) (bool, error) {
	d, err := scope.Device(ctx, a.Device)
	if tenants.KindOf(err) == tenants.Unknown && err != nil {
		return false, nil // removed since
	}
	if err != nil {
		return false, err
	}
	seen, err := scope.Outcomes(ctx, a.Device, proofsSeen)
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

// mass is one mistake that makes Apple refuse the tokens of many devices: none of them is to blame. What the burst disabled comes
// back, and the credential and its people are told.
func (b *Board) mass(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer, m massed) error {
	var errs []error
	for d, reason := range m.revive {
		_, err := scope.ReviveDevice(ctx, d, reason)
		errs = append(errs, err)
	}
	if m.tell {
		do := push.ReactionTo(answer.Status, answer.Reason)
		what := "the environment"
		if answer.Reason == "DeviceTokenNotForTopic" {
			what = "the bundle id"
		}
		detail := fmt.Sprintf("%s: Apple refused %s of %s device tokens within ten minutes, so %s is probably wrong. No device is disabled for it. %s",
			answer.Reason, tenants.FormatCount(m.refused), tenants.FormatCount(m.pushed), what, do.Cure)
		_, err := scope.Alert(ctx, tenants.AlertTokensRefused, string(a.Credential), detail)
		errs = append(errs, err, scope.CredentialTrouble(ctx, a.Credential, answer.Reason, false, answer.AnsweredAt))
	}
	return errors.Join(errs...)
}

func (b *Board) troubleCredential(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer, do push.Reaction) error {
	disable := false
	switch do.Credential {
	case push.DisableCredential:
		disable = true
	case push.SuspectCredential: // disabled on a repeat that no success came before
		c, err := scope.Credential(ctx, a.Credential)
		if tenants.KindOf(err) == tenants.Unknown && err != nil {
			return nil
		}
		if err != nil {
			return err
		}
		disable = c.LastError == answer.Reason && c.LastErrorAt.After(c.LastUsedAt)
	case push.DisableForHost, push.OneEnvironment:
		return b.confine(ctx, scope, a, push.Refusal{Environment: answer.Environment, Status: answer.Status, Reason: answer.Reason}, answer.AnsweredAt)
	case push.RejectTopic, push.CheckClock:
	case push.CheckBundle:
		if do.Alert == push.AlertMass { // one token of another app says nothing of the credential; mass tells of many
			return nil
		}
	default:
		return nil
	}
	err := scope.CredentialTrouble(ctx, a.Credential, answer.Reason, disable, answer.AnsweredAt)
	if tenants.KindOf(err) == tenants.Unknown && err != nil {
		return nil
	}
	return err
}

// alert tells the tenant's people what the table says they should hear of.
func (b *Board) alert(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer, do push.Reaction) error {
	kind := tenants.AlertCredential
	if do.Credential == push.FreezeMinting || do.Credential == push.CoolDown {
		kind = tenants.AlertTooOften
	}
	switch do.Alert {
	case push.AlertBug:
		b.Log.Error("Apple refused a push for a reason that is ours", "reason", answer.Reason, "status", answer.Status, "apns_id", answer.APNsID)
		return nil
	case push.AlertOwner:
	case push.AlertRepeat:
		if !b.health.again(string(a.Credential)+" "+answer.Reason, b.Now()) {
			return nil
		}
	default:
		return nil
	}
	_, err := scope.Alert(ctx, kind, string(a.Credential), answer.Reason+": "+do.Cause+" "+do.Cure)
	return err
}

// well notes that Apple took a push; when that ends a mass refusal, the alert ends with it.
func (b *Board) well(ctx context.Context, scope *store.Scope, a tenants.Attempt) error {
	b.paced.well(a.Device)
	if !b.health.accepted(a.Credential, a.Device, b.Now()) {
		return nil
	}
	return resolved(scope.ResolveAlert(ctx, tenants.AlertTokensRefused, string(a.Credential)))
}
