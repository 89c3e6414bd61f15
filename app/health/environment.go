package health

import (
	"context"
	"time"

	"carillon/app/push"
	"carillon/tenants"
	"carillon/tenants/store"
)

// limitToOtherHost keeps a credential away from an Apple host that refuses it. A credential for
// both environments becomes one for the other; a credential that has no other is disabled.
func (m *Monitor) limitToOtherHost(ctx context.Context, scope *store.Scope, a tenants.Attempt, no push.Refusal, at time.Time) error {
	return ignoreUnknown(scope.Credentials().Confine(ctx, a.Credential, tenants.Environment(no.Environment), no.Reason, at))
}

// otherHost reacts to the refusal of the first host when a push was tried on both. What it says of
// the credential is true even if the second host took the push; of the token it says nothing.
func (m *Monitor) otherHost(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer) error {
	do := push.ReactionTo(answer.Other.Status, answer.Other.Reason)
	var err error
	switch do.Credential {
	case push.OneEnvironment, push.DisableForHost:
		err = m.limitToOtherHost(ctx, scope, a, answer.Other, answer.AnsweredAt)
	case push.NoteCredential:
		err = ignoreUnknown(scope.Credentials().NoteRefusal(ctx, a.Credential, answer.Other.Reason, false, answer.AnsweredAt))
	default:
		return nil
	}
	if err != nil {
		return err
	}
	_, err = scope.Alerts().Raise(ctx, tenants.AlertCredential, string(a.Credential), answer.Other.Reason+": "+do.Cause+" "+do.Cure)
	return err
}

// countForHost counts a push for the status of its host. When many pushes of a host fail for a
// reason that no tenant can change, the log says so once in a window, for the person who runs the
// server.
func (m *Monitor) countForHost(environment string, alert push.Alert) {
	failed, all, tell := m.refusals.countForHost(environment, alert == push.AlertRate, m.Now())
	if tell {
		m.Log.Warn("Apple, or the way to it, has trouble", "environment", environment, "pushes", all, "troubled", failed, "within",
			tenants.TokensRefusedWindow)
	}
}
