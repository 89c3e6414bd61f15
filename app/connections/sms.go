package connections

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"carillon/app/outbound"
	"carillon/tenants"
	"carillon/tenants/store"
)

// sms sends at most one text about a missed ring, through a Messages API like Twilio's.
type sms struct {
	client *http.Client
	store  *store.Store
	now    func() time.Time
}

func newSMS(d *outbound.Dialer, s *store.Store, now func() time.Time) *sms {
	return &sms{d.Client(answerWithin), s, now}
}

// Deliver sends the text that a missed ring may have. What cannot or must not be sent is done, with
// the reason as the answer; only what may be mended within tenants.TextWithin is tried again.
func (m *sms) Deliver(ctx context.Context, c tenants.Connection, s Secrets, e Event) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	scope := m.store.For(c.Tenant).By(store.Who{Actor: tenants.System})
	r, err := scope.Rings().Get(ctx, e.Ring)
	if tenants.KindOf(err) == tenants.Unknown { // the test event, and a ring that was removed since
		return m.trial(ctx, c, s)
	}
	if err != nil {
		return Answer{}, err
	}
	to, why, err := m.addressee(ctx, scope, c, r)
	if err != nil || why != "" {
		return untexted(why), err
	}
	text, err := m.text(ctx, scope, c, r, to)
	if err != nil {
		return Answer{}, err
	}
	if why, err = scope.Texts().Claim(ctx, r.ID, c.ID, to.Number, time.Duration(c.SMS.Minutes)*time.Minute, c.SMS.PerDay); err != nil ||
		why != "" {
		return untexted(why), err
	}
	return m.send(ctx, scope, c, s, r.ID, to.Number, text)
}

func untexted(why tenants.Untexted) Answer {
	return Answer{Done: why != "", Body: []byte(why.Sentence())}
}

// addressee finds who gets the text, or says why nobody does. Quiet hours are theirs.
func (m *sms) addressee(ctx context.Context, scope *store.Scope, c tenants.Connection, r *tenants.Ring) (to store.Addressee,
	why tenants.Untexted, err error) {
	now := m.now()
	switch {
	case r.State != tenants.Missed:
		return to, tenants.TextAnother, nil
	case now.Sub(r.EndedAt) > tenants.TextWithin:
		return to, tenants.TextLate, nil
	}
	if to, err = scope.Texts().Addressee(ctx, r.To); err != nil {
		return to, "", err
	}
	if to.Number == "" {
		return to, tenants.TextNowhere, nil
	}
	t, err := scope.Tenant(ctx)
	if err != nil {
		return to, "", err
	}
	zone := zoneOf(to.TimeZone, t.TimeZone)
	if to.TimeZone = zone.String(); c.SMS.Quiet(now.In(zone)) {
		return to, tenants.TextQuiet, nil
	}
	return to, "", nil
}

// zoneOf is the first of the names that is a time zone.
func zoneOf(names ...string) *time.Location {
	for _, n := range names {
		if l, err := time.LoadLocation(n); n != "" && err == nil {
			return l
		}
	}
	return time.UTC
}

// text fills the template. The time is when the person was called, as their clock showed it.
func (m *sms) text(ctx context.Context, scope *store.Scope, c tenants.Connection, r *tenants.Ring, to store.Addressee) (string, error) {
	t, err := scope.Tenant(ctx)
	if err != nil {
		return "", err
	}
	agent := ""
	if r.Agent != "" {
		a, err := scope.Agents().Get(ctx, r.Agent)
		if err != nil && tenants.KindOf(err) != tenants.Unknown {
			return "", err
		}
		agent = a.Name
	}
	return c.SMS.Text(t.Opaque(), map[string]string{
		"time": r.CreatedAt.In(zoneOf(to.TimeZone)).Format("15:04"), "caller": r.Caller, "agent": agent, "tenant": t.Name,
		"reference": r.Reference,
	}), nil
}

// send asks the provider and writes down what became of the text.
func (m *sms) send(ctx context.Context, scope *store.Scope, c tenants.Connection, s Secrets, ring tenants.RingID, number,
	text string) (Answer, error) {
	began := time.Now() // a length of time, not a moment
	sent, err := sendText(ctx, m.client, c, string(s.Token), number, text)
	sent.Took = time.Since(began)
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerWithin)
	defer cancel()
	final := sent.Unknown || sent.Refusal.number
	if failed := scope.Texts().Settle(late, ring, sent.SID, sent.Unknown); failed != nil {
		return sent.Answer, failed
	}
	if sent.Refusal.stopped {
		if failed := scope.Texts().Stop(late, number, true); failed != nil {
			return sent.Answer, failed
		}
	}
	switch {
	case err == nil:
		return sent.Answer, nil
	case sent.Unknown:
		sent.Body, sent.Done = []byte(tenants.TextUnknown.Sentence()), true
		return sent.Answer, nil
	case final:
		sent.Body, sent.Done = []byte("Not sent: "+sent.Refusal.sentence), true
		return sent.Answer, nil
	case sent.Refusal.sentence != "":
		return sent.Answer, tenants.Refuse(tenants.Unprocessable, "text_refused", "%s", sent.Refusal.sentence)
	}
	return sent.Answer, err
}

// trial answers the test event: it asks the provider whether it knows the account, and sends no
// text, because a test has nobody to send it to.
func (m *sms) trial(ctx context.Context, c tenants.Connection, s Secrets) (Answer, error) {
	address := accountAddress(c) + ".json"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Answer{}, fmt.Errorf("connection %s: %w", c.ID, err)
	}
	req.SetBasicAuth(c.SMS.AccountSID, string(s.Token))
	began := time.Now()
	res, err := m.client.Do(req)
	if err != nil {
		return Answer{Took: time.Since(began)}, err
	}
	defer res.Body.Close()
	a := Answer{Status: res.StatusCode, Took: time.Since(began)}
	switch {
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		return a, tenants.Refuse(tenants.Unprocessable, "text_refused", "%s", textRefusals[20003].sentence)
	case res.StatusCode == http.StatusNotFound:
		return a, tenants.Refuse(tenants.Unprocessable, "text_refused", "%s", textRefusals[20404].sentence)
	case res.StatusCode < 200 || res.StatusCode > 299:
		return a, nil
	}
	a.Body = []byte("The provider knows the account. A test sends no text.")
	return a, nil
}

// Close lets go of idle connections.
func (m *sms) Close() { m.client.CloseIdleConnections() }

// AnswerText takes a text from a person: STOP and START are kept, HELP is answered. It gives the
// text to answer with; empty = none, as the provider answers STOP and START by itself.
func AnswerText(ctx context.Context, scope *store.Scope, c tenants.Connection, from, text string) (string, error) {
	number := tenants.ParsePhoneNumber(from)
	if number == "" { // a short code, or a sender name: nobody we send to
		return "", nil
	}
	switch WordOf(text) {
	case TextStop:
		return "", scope.Texts().Stop(ctx, number, true)
	case TextStart:
		return "", scope.Texts().Stop(ctx, number, false)
	case TextHelp:
		return c.SMS.Help, nil
	}
	return "", nil
}
