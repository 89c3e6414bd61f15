package switchboard

import (
	"context"
	"time"

	"carillon/app/push"
	"carillon/tenants"
	"carillon/tenants/store"
)

// confine keeps a credential away from a host that does not take it: one for both becomes one for the other host, and one that has no
// other is disabled.
func (b *Board) confine(ctx context.Context, scope *store.Scope, a tenants.Attempt, no push.Refusal, at time.Time) error {
	err := scope.ConfineCredential(ctx, a.Credential, tenants.Environment(no.Environment), no.Reason, at)
	if tenants.KindOf(err) == tenants.Unknown && err != nil {
		return nil // removed since
	}
	return err
}

// otherHost does what the refusal of the host asks for whose answer was not the one to live with: what it says of the credential is
// as true as if it were, and of the token it says nothing.
func (b *Board) otherHost(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer) error {
	do := push.ReactionTo(answer.Other.Status, answer.Other.Reason)
	if do.Credential != push.OneEnvironment && do.Credential != push.DisableForHost {
		return nil
	}
	if err := b.confine(ctx, scope, a, answer.Other, answer.AnsweredAt); err != nil {
		return err
	}
	_, err := scope.Alert(ctx, tenants.AlertCredential, string(a.Credential), answer.Other.Reason+": "+do.Cause+" "+do.Cure)
	return err
}

// rate tells whoever runs the server, in the log, when Apple or the way to it has trouble with many pushes of one host: no tenant can
// do anything about that.
func (b *Board) rate(environment string, alert push.Alert) {
	bad, all, tell := b.health.rate(environment, alert == push.AlertRate, b.Now())
	if tell {
		b.Log.Warn("Apple, or the way to it, has trouble", "environment", environment, "pushes", all, "troubled", bad, "within", tenants.TokensRefusedWindow)
	}
}
