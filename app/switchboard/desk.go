package switchboard

import (
	"context"
	"fmt"
	"time"

	"carillon/app/push"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Prober asks both of Apple's hosts what they think of a credential. *push.Sender is one.
type Prober interface {
	Probe(ctx context.Context, k *push.Key, topic string) []push.Verdict
}

// A tenant's uploads and probes are few: each can make Apple refuse a key, and Apple counts refusals by team and by address, so that
// one tenant's guesses would slow every other's rings.
const (
	uploadEvery, uploadBurst = 20 * time.Second, 20
	probeEvery, probeBurst   = 10 * time.Second, 3
)

// probePatience is how long both hosts together may take to answer a probe; a request ends soon after.
const probePatience = 7 * time.Second

// patience refuses what a tenant does too often at the desk.
func (b *Board) patience(t tenants.TenantID, what string, every time.Duration, burst int) error {
	if _, wait := b.limits.Take(b.Now(), tenants.Rate{Name: what + " " + string(t), Every: every, Burst: burst}); wait > 0 {
		return &tenants.Error{Kind: tenants.TooMany, Code: "too_many_" + what, RetryAfter: wait,
			Msg: fmt.Sprintf("That is too many %s in a short time; Apple slows down servers that try wrong keys. Wait %d seconds.", what, int(wait/time.Second)+1)}
	}
	return nil
}

// Probed is what Apple thinks of a credential.
type Probed struct {
	OK       bool           // at least one of its environments works
	Summary  string         // the verdicts in a sentence
	Verdicts []push.Verdict // production, then sandbox
}

// Probe asks both of Apple's hosts about a stored credential, on connections of its own. A key that both call invalid is disabled,
// as it would be by the next ring.
func (b *Board) Probe(ctx context.Context, c Caller, id tenants.CredentialID) (Probed, error) {
	scope := b.scope(c)
	cred, err := scope.Credential(ctx, id)
	if err != nil {
		return Probed{}, err
	}
	if b.Config.Probe == nil {
		return Probed{}, tenants.Refuse(tenants.Unavailable, "no_probe", "This server cannot ask Apple about credentials at the moment.")
	}
	if err := b.patience(c.Tenant.ID, "probes", probeEvery, probeBurst); err != nil {
		return Probed{}, err
	}
	key, err := b.keys.open(ctx, scope, id)
	if err != nil {
		return Probed{}, err
	}
	limited, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	p := Probed{Verdicts: b.Config.Probe.Probe(limited, key, cred.Bundle+".voip")}
	p.OK, p.Summary = summary(cred, p.Verdicts)
	detail := "refused"
	if p.OK {
		detail = "works"
	}
	if err := scope.Note(ctx, "credential.probe", string(id), detail); err != nil {
		return Probed{}, err
	}
	return p, b.condemn(ctx, scope, id, p.Verdicts)
}

// condemn disables a credential that every host calls invalid.
func (b *Board) condemn(ctx context.Context, scope *store.Scope, id tenants.CredentialID, all []push.Verdict) error {
	for _, v := range all {
		if v.OK || v.Status == 0 || push.ReactionTo(v.Status, v.Reason).Credential != push.DisableCredential {
			return nil
		}
	}
	if len(all) == 0 {
		return nil
	}
	return scope.CredentialTrouble(ctx, id, all[0].Reason, true, b.Now())
}

// summary puts the verdicts of both hosts together.
func summary(c tenants.Credential, all []push.Verdict) (ok bool, words string) {
	var works, fails []push.Verdict
	for _, v := range all {
		switch {
		case v.OK:
			works = append(works, v)
		case tenants.Credential{Environment: c.Environment}.Covers(tenants.Environment(v.Environment)):
			fails = append(fails, v)
		}
	}
	switch {
	case len(fails) == 0 && len(works) > 0:
		return true, "Apple takes this credential: key, team and app belong together."
	case len(works) > 0:
		return true, fmt.Sprintf("Apple takes this credential in %s, and not in %s. %s", works[0].Environment, fails[0].Environment, fails[0].Cause)
	case len(fails) > 0:
		return false, "Apple does not take this credential. " + fails[0].Cause
	}
	return false, "Apple said nothing about this credential."
}

// Rollback brings the previous credential of an app back; see store.RollbackCredential.
func (b *Board) Rollback(ctx context.Context, c Caller, id tenants.CredentialID) (tenants.Credential, error) {
	return b.scope(c).RollbackCredential(ctx, id)
}
