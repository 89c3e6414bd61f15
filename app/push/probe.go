package push

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"
)

// unusedToken is a device token that no phone has.
const unusedToken = "0000000000000000000000000000000000000000000000000000000000000000"

// probeTime bounds a probe of one host.
const probeTime = 10 * time.Second

// Verdict says whether one of Apple's hosts accepts a credential.
type Verdict struct {
	Environment Environment
	OK          bool // Apple accepts key, team and topic together
	Status      int
	Reason      string
	Err         error  // no answer
	Cause       string // one sentence for the tenant's staff
	Cure        string // empty when all is well
}

// Probe tests a credential for a topic on both of Apple's hosts. It pushes to a device token that
// no phone has, on separate connections, so that a bad credential does not disturb other pushes.
// Apple checks the device token last, so BadDeviceToken shows that key, team and topic are right.
// Probe has no rate limit; callers must bound how often tenants use it.
func (s *Sender) Probe(ctx context.Context, k *Key, topic string) []Verdict {
	verdicts := make([]Verdict, 0, 2)
	for _, env := range []Environment{Production, Sandbox} {
		verdicts = append(verdicts, s.probe(ctx, k, env, topic))
	}
	return verdicts
}

func (s *Sender) probe(ctx context.Context, k *Key, env Environment, topic string) Verdict {
	now := s.cfg.Now()
	v := Verdict{Environment: env}
	body, err := Payload(newUUID(), now, now.Add(probeTime), "")
	if err != nil {
		v.Err = err
		return v
	}
	d := delivery{s: s, k: k, p: Push{
		APNsID: newUUID(), Token: unusedToken, Topic: topic, Environment: env, Payload: body, Expires: now.Add(probeTime), NoHedge: true,
	}}
	d.answer.APNsID = d.p.APNsID
	if v.Err = d.validate(); v.Err != nil {
		v.Cause, v.Cure = v.Err.Error(), "Check the bundle id."
		return v
	}
	pool, ok := s.openProbe(k, env)
	if !ok {
		v.Err = errClosed
		return v
	}
	defer s.closeProbe(pool)
	s.begin()
	defer s.busy.Add(-1)
	d.exchange(ctx, pool)
	v.Status, v.Reason, v.Err = d.answer.Status, d.answer.Reason, d.answer.Err
	v.explain(d.answer.Reaction, topic)
	return v
}

// explain sets OK, Cause and Cure from the answer to the unused token.
func (v *Verdict) explain(r Reaction, topic string) {
	switch {
	case v.Err != nil, v.Status == 0:
		v.Cause, v.Cure = r.Cause, r.Cure
	case v.Status == 200, v.Reason == "BadDeviceToken", v.Reason == "DeviceTokenNotForTopic", v.Status == 410:
		v.OK = true
		v.Cause = fmt.Sprintf("Apple takes this credential for %s in %s.", topic, v.Environment)
	default:
		v.Cause, v.Cure = r.Cause, r.Cure
	}
}

// newUUID makes a random UUID (RFC 9562, version 4).
func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
