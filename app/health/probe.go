package health

import (
	"context"
	"fmt"
	"time"

	"carillon/app/push"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Prober asks both of Apple's hosts whether they accept a credential. *push.Sender is one.
type Prober interface {
	Probe(ctx context.Context, k *push.Key, topic string) []push.Verdict
}

// A tenant's uploads and probes are few: each can make Apple refuse a key, and Apple counts
// refusals by team and by address, so that one tenant's guesses would slow down every other
// tenant's rings.
var (
	uploadRate = tenants.Rate{Of: "uploads", Every: 20 * time.Second, Burst: 20,
		Says: "That is too many uploads in a short time; Apple slows down servers that use wrong keys. Wait a moment and try again."}
	probeRate = tenants.Rate{Of: "probes", Every: 10 * time.Second, Burst: 3,
		Says: "That is too many probes in a short time; Apple slows down servers that use wrong keys. Wait a moment and try again."}
)

// probeTimeout bounds the answers of both hosts together; the request that asked ends soon after.
const probeTimeout = 7 * time.Second

// Probed is what Apple says of a credential.
type Probed struct {
	OK       bool           // at least one of its environments works
	Summary  string         // the verdicts in a sentence
	Verdicts []push.Verdict // production, then sandbox
}

// Probe asks both of Apple's hosts about a stored credential, on connections of its own. A key that
// both call invalid is disabled, as the next ring would do. It is Unavailable on a server that
// cannot ask, and TooMany for a tenant that asks too often.
func (s *Credentials) Probe(ctx context.Context, t tenants.TenantID, by store.Who, id tenants.CredentialID) (Probed, error) {
	scope := s.Store.For(t).By(by)
	c, err := scope.Credentials().Get(ctx, id)
	if err != nil {
		return Probed{}, err
	}
	if s.CredentialsConfig.Probe == nil {
		return Probed{}, tenants.Refuse(tenants.Unavailable, "no_probe", "This server cannot ask Apple about credentials at the moment.")
	}
	if err := s.limits.Admit(s.Now(), "too_many_probes", probeRate.For(string(t))); err != nil {
		return Probed{}, err
	}
	key, err := s.Key(ctx, t, id)
	if err != nil {
		return Probed{}, err
	}
	limited, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	p := Probed{Verdicts: s.CredentialsConfig.Probe.Probe(limited, key, c.Bundle+".voip")}
	p.OK, p.Summary = summarize(c, p.Verdicts)
	detail := "refused"
	if p.OK {
		detail = "works"
	}
	if err := scope.Audits().Add(ctx, "credential.probe", string(id), detail); err != nil {
		return Probed{}, err
	}
	return p, s.disableIfInvalid(ctx, scope, id, p.Verdicts)
}

// disableIfInvalid disables a credential that every host calls invalid.
func (s *Credentials) disableIfInvalid(ctx context.Context, scope *store.Scope, id tenants.CredentialID, all []push.Verdict) error {
	for _, v := range all {
		if v.OK || v.Status == 0 || push.ReactionTo(v.Status, v.Reason).Credential != push.DisableCredential {
			return nil
		}
	}
	if len(all) == 0 {
		return nil
	}
	return scope.Credentials().NoteRefusal(ctx, id, all[0].Reason, true, s.Now())
}

// summarize puts the verdicts of both hosts into one sentence. A refusal by a host that the
// credential is not for does not count.
func summarize(c tenants.Credential, all []push.Verdict) (ok bool, sentence string) {
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
		return true, fmt.Sprintf("Apple takes this credential in %s, and not in %s. %s", works[0].Environment, fails[0].Environment,
			fails[0].Cause)
	case len(fails) > 0:
		return false, "Apple does not take this credential. " + fails[0].Cause
	}
	return false, "Apple said nothing about this credential."
}
