package health

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"carillon/app/notify"
	"carillon/app/outbound"
	"carillon/tenants"
	"carillon/tenants/store"
)

const (
	// targetTime bounds a send to a target.
	targetTime = 10 * time.Second
	// sendLease is how long another node leaves a send alone that one has taken.
	sendLease = 5 * time.Minute
	// sendsAtOnce bounds the sends of one turn, and sendersMost how many of them run at once.
	sendsAtOnce = 64
	sendersMost = 8
	// tenantSenders is how many of them may be of one tenant: others do not wait for its slow
	// targets.
	tenantSenders = 2
	// targetAnswer is how much of an answer is shown to the tenant, in bytes.
	targetAnswer = 200
)

// TargetsConfig is what Targets are made of. Mail may be nil; the rest is required.
type TargetsConfig struct {
	Store  *store.Store
	Dialer *outbound.Dialer
	Mail   Mailer
	// Sign signs a body as Standard Webhooks.
	Sign func(to http.Header, secrets []tenants.Secret, id string, at time.Time, body []byte) error
	// Link is the page of the alerts.
	Link string
	Now  func() time.Time
	Log  *slog.Logger
}

// Targets send alerts to the tenants' targets: by mail, to a webhook, to a chat.
type Targets struct {
	TargetsConfig
	client *http.Client
}

// NewTargets checks the parts.
func NewTargets(c TargetsConfig) (*Targets, error) {
	if c.Store == nil || c.Dialer == nil || c.Sign == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("health: Targets need Store, Dialer, Sign, Now and Log")
	}
	return &Targets{c, c.Dialer.Client(targetTime)}, nil
}

// Close closes connections that are idle.
func (x *Targets) Close() error {
	x.client.CloseIdleConnections()
	return nil
}

// Check refuses an address that tenants may not reach.
func (x *Targets) Check(address string) error {
	if err := x.Dialer.CheckURL(address, "https"); err != nil {
		return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "Please correct the fields below.", Err: err,
			Fields: []tenants.Field{{Name: "url", Message: err.Error()}}}
	}
	return nil
}

// Send sends what is due, of every tenant, and waits for it. It ends a minute before another node
// may take the same sends: what has not begun by then is due again.
func (x *Targets) Send(ctx context.Context) error {
	sends, err := x.Store.Jobs().ClaimSends(ctx, x.Now(), sendLease, sendsAtOnce)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendLease-time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	slots, errs := make(chan struct{}, sendersMost), make([]error, len(sends))
	owns := map[tenants.TenantID]chan struct{}{}
	for i, s := range sends {
		own := owns[s.Tenant]
		if own == nil {
			own = make(chan struct{}, tenantSenders)
			owns[s.Tenant] = own
		}
		wg.Go(func() {
			own <- struct{}{} // before the slot, so that no tenant holds slots to wait for itself
			defer func() { <-own }()
			slots <- struct{}{}
			defer func() { <-slots }()
			if ctx.Err() != nil {
				return
			}
			if err := x.send(ctx, s); err != nil {
				errs[i] = fmt.Errorf("tenant %s: alert target %s: %w", s.Tenant, s.Target, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// send sends once. What fails here, before the far end, is tried again like what fails there.
func (x *Targets) send(ctx context.Context, s store.AlertSend) error {
	targets := x.Store.For(s.Tenant).By(store.Who{Actor: tenants.System}).AlertTargets()
	good, answer, failed := x.try(ctx, targets, s.Target, s.News)
	if tenants.KindOf(failed) == tenants.Unknown { // removed meanwhile, with its sends
		return nil
	}
	if failed != nil {
		good, answer = false, notPrepared
	}
	var again time.Time
	if pause, more := tenants.TargetPause(s.Tries); !good && more {
		again = x.Now().Add(pause)
	}
	return errors.Join(failed, targets.Settle(context.WithoutCancel(ctx), s, good, answer, again))
}

// Test sends a made-up alert to a target, and says what the far end answered.
func (x *Targets) Test(ctx context.Context, scope *store.Scope, id tenants.AlertTargetID) (good bool, answer string, err error) {
	now := x.Now()
	news := tenants.AlertNews{ID: tenants.NewRandomID(), State: "open", Alert: tenants.AlertOfRule, Title: testTitle, Detail: testDetail,
		At: now, Test: true}
	good, answer, err = x.try(ctx, scope.AlertTargets(), id, news)
	if err != nil {
		return false, "", err
	}
	return good, answer, scope.AlertTargets().Tested(context.WithoutCancel(ctx), id, good, answer)
}

// try sends once. answer is a sentence for the tenant.
func (x *Targets) try(ctx context.Context, targets store.AlertTargets, id tenants.AlertTargetID, news tenants.AlertNews) (good bool,
	answer string, err error) {
	target, address, signing, err := targets.Open(ctx, id)
	if err != nil {
		return false, "", err
	}
	switch target.Kind {
	case tenants.TargetMail:
		return x.mail(ctx, targets, target, news)
	case tenants.TargetWebhook:
		body, err := json.Marshal(map[string]any{"type": newsEvent(news), "timestamp": news.At.UTC(), "data": news})
		if err != nil {
			return false, "", err
		}
		return x.post(ctx, address, body, func(h http.Header) error { return x.Sign(h, []tenants.Secret{signing}, news.ID, x.Now(), body) })
	}
	body, err := json.Marshal(chatOf(news, x.Link))
	if err != nil {
		return false, "", err
	}
	return x.post(ctx, address, body, func(http.Header) error { return nil })
}

func newsEvent(n tenants.AlertNews) tenants.EventKind {
	if n.State == "open" {
		return tenants.EventAlertOpened
	}
	return tenants.EventAlertResolved
}

func (x *Targets) post(ctx context.Context, address string, body []byte, sign func(http.Header) error) (good bool, answer string,
	err error) {
	ctx, cancel := context.WithTimeout(ctx, targetTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return false, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Carillon")
	if err := sign(req.Header); err != nil {
		return false, "", err
	}
	res, err := x.client.Do(req)
	if err != nil {
		return false, notReached(outbound.Cause(err)), nil
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, targetAnswer)) // what came of it is shown
	return res.StatusCode/100 == 2, answerText(res.StatusCode, text), nil
}

// mail sends to each person with one of the roles. It arrives when one mail was taken.
func (x *Targets) mail(ctx context.Context, targets store.AlertTargets, target tenants.AlertTarget, news tenants.AlertNews) (good bool,
	answer string, err error) {
	if x.Mail == nil {
		return false, noMail, nil
	}
	people, err := targets.People(ctx, target.Roles)
	if err != nil {
		return false, "", err
	}
	if len(people) == 0 {
		return false, nobodyToMail, nil
	}
	t, err := x.Store.For(target.Tenant).Tenant(ctx)
	if err != nil {
		return false, "", err
	}
	subject, text := newsMail(news, x.Link)
	taken := 0
	var last error
	for _, to := range people {
		if err := x.Mail.Deliver(ctx, spoken(ctx, x.Store, t, notify.Mail{To: to, Subject: subject, Text: text})); err != nil {
			last = err
			continue
		}
		taken++
	}
	if last != nil {
		x.Log.Error("an alert was not mailed to everybody", "tenant", target.Tenant, "taken", taken, "people", len(people), "err", last)
	}
	return taken > 0, mailedText(taken, len(people)), nil
}

// printable is text without what would spoil a sentence.
func printable(text []byte) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(text), " "))
	return strings.Join(strings.Fields(clean), " ")
}
