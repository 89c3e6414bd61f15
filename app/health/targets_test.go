package health_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/health"
	"carillon/app/notify"
	"carillon/app/outbound"
	"carillon/tenants"
)

// receiver is a far end of alerts.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex // guards the rest
	status int
	bodies []string
	ids    []string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bodies, r.ids = append(r.bodies, string(body)), append(r.ids, q.Header.Get("Signed"))
		w.WriteHeader(r.status)
		_, _ = io.WriteString(w, "no_\x1bservice")
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bodies
}

func (r *receiver) answers(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// letters are mails that were taken.
type letters struct {
	mu  sync.Mutex // guards all
	all []notify.Mail
}

func (l *letters) Deliver(_ context.Context, m notify.Mail) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, m)
	return nil
}

func (l *letters) to(address string) (out []notify.Mail) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.all {
		if m.To == address {
			out = append(out, m)
		}
	}
	return out
}

// person adds a member.
func (w *world) person(name string, role tenants.Role) tenants.User {
	w.t.Helper()
	u := tenants.User{ID: tenants.NewID[tenants.UserID](w.clock.Now()), Email: name + "@example.com", Name: name, Password: "phc",
		Theme: "auto", CreatedAt: w.clock.Now()}
	must(w.t, w.store.Users().Add(w.t.Context(), u))
	must(w.t, w.scope.Members().Add(w.t.Context(), tenants.Member{User: u.ID, Role: role, CreatedAt: w.clock.Now()}))
	return u
}

// TestRulesReachTargets: a rule whose figure passed its threshold raises one alert, which goes to a
// webhook, a chat and people. What failed is tried again with the same id, and a target that fails
// again and again is an alert itself. When the alert is closed, they hear it.
func TestRulesReachTargets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	hook, chat := newReceiver(t), newReceiver(t)
	mails := &letters{}
	targets, err := health.NewTargets(health.TargetsConfig{Store: w.store, Mail: mails, Now: w.clock.Now, Link: "https://c.example/alerts",
		Dialer: outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, outbound.AllowPlain()),
		Log:    slog.New(slog.DiscardHandler),
		Sign: func(to http.Header, secrets []tenants.Secret, id string, _ time.Time, _ []byte) error {
			to.Set("Signed", string(secrets[0])+" "+id)
			return nil
		}})
	must(t, err)
	t.Cleanup(func() { must(t, targets.Close()) })
	var ids []tenants.AlertTargetID
	var secret tenants.Secret
	for kind, address := range map[tenants.TargetKind]string{tenants.TargetWebhook: hook.URL, tenants.TargetChat: chat.URL,
		tenants.TargetMail: ""} {
		x := tenants.AlertTarget{ID: tenants.NewID[tenants.AlertTargetID](w.clock.Now()), Kind: kind, Name: string(kind),
			Roles: []tenants.Role{tenants.Owner}, CreatedAt: w.clock.Now()}
		s, err := w.scope.AlertTargets().Add(ctx, x, address)
		must(t, err)
		if ids = append(ids, x.ID); s != "" {
			secret = s
		}
	}
	owner := w.person("olga", tenants.Owner)
	r := tenants.AlertRule{ID: tenants.NewID[tenants.AlertRuleID](w.clock.Now()), Name: "<!channel> quiet", Metric: "rings", Threshold: 1,
		Window: time.Hour, Targets: ids, Active: true, CreatedAt: w.clock.Now()}
	must(t, w.scope.AlertRules().Add(ctx, r))
	chat.answers(http.StatusNotFound)
	must(t, w.monitor.ReviewRules(ctx))
	must(t, w.monitor.ReviewRules(ctx)) // not due
	must(t, targets.Send(ctx))
	open, err := w.scope.Alerts().List(ctx, false)
	must(t, err)
	if len(open) != 1 || open[0].Kind != tenants.AlertOfRule || !strings.Contains(open[0].Detail, "The figure was 0 in 1 hour.") {
		t.Fatalf("%+v", open)
	}
	var event struct {
		Type string
		Data tenants.AlertNews
	}
	must(t, json.Unmarshal([]byte(hook.got()[0]), &event))
	if event.Type != "alert.opened" || event.Data.Title != r.Name || hook.ids[0] != string(secret)+" "+event.Data.ID {
		t.Errorf("%+v, signed %q", event, hook.ids[0])
	}
	if got := chat.got()[0]; strings.Contains(got, `"text":"Alert: <!`) || !strings.Contains(got, `"type":"plain_text"`) {
		t.Errorf("the chat got %s", got)
	}
	if got := mails.to(owner.Email); len(got) != 1 || !strings.Contains(got[0].Subject, r.Name) {
		t.Errorf("%+v", got)
	}
	must(t, targets.Send(ctx)) // nothing is due before the pause
	w.clock.Pass(time.Minute)
	must(t, targets.Send(ctx))
	if len(hook.got()) != 1 || len(chat.got()) != 2 || chat.got()[0] != chat.got()[1] {
		t.Errorf("%d to the hook, %d to the chat: %v", len(hook.got()), len(chat.got()), chat.got())
	}
	open, err = w.scope.Alerts().List(ctx, false)
	must(t, err)
	if len(open) != 2 || !strings.Contains(open[0].Detail+open[1].Detail, "It answered 404 Not Found: no_ service.") {
		t.Errorf("%+v", open)
	}
	chat.answers(http.StatusOK)
	for _, id := range ids {
		good, answer, err := targets.Test(ctx, w.scope, id)
		if must(t, err); !good {
			t.Errorf("the test did not arrive: %s", answer)
		}
	}
	r.Threshold = 0.5 // changes the rule, whose alert is closed
	must(t, w.scope.AlertRules().Set(ctx, r))
	must(t, targets.Send(ctx))
	if got := hook.got(); !strings.Contains(got[len(got)-1], "alert.resolved") {
		t.Errorf("%v", got)
	}
	open, err = w.scope.Alerts().List(ctx, false)
	must(t, err)
	if len(open) != 0 {
		t.Errorf("%+v is still open", open)
	}
}

// TestTargetsAreGuarded: an address in our own network is refused when it is typed, and when a name
// leads there.
func TestTargetsAreGuarded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	targets, err := health.NewTargets(health.TargetsConfig{Store: w.store, Now: w.clock.Now, Dialer: outbound.New(nil),
		Sign: func(http.Header, []tenants.Secret, string, time.Time, []byte) error { return nil }, Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	for _, address := range []string{"https://127.0.0.1/x", "http://example.com/x", "https://localhost/x", "https://u:p@example.com"} {
		if targets.Check(address) == nil {
			t.Errorf("%s is taken", address)
		}
	}
	x := tenants.AlertTarget{ID: tenants.NewID[tenants.AlertTargetID](w.clock.Now()), Kind: tenants.TargetChat, Name: "inside"}
	_, err = w.scope.AlertTargets().Add(t.Context(), x, "https://127.0.0.1:1/x")
	must(t, err)
	good, answer, err := targets.Test(t.Context(), w.scope, x.ID)
	if must(t, err); good || !strings.Contains(answer, "private or reserved network") {
		t.Errorf("%t %s", good, answer)
	}
}

// TestTargetsShareTheSenders: of one tenant two sends run at once, and one that fails before the
// far end is tried again after the same pause as others.
func TestTargetsShareTheSenders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	var now, most, got atomic.Int32
	var alone atomic.Bool
	meet := make(chan struct{})
	far := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if alone.Load() {
			return
		}
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		select { // waits for a second one
		case meet <- struct{}{}:
		case <-meet:
		}
		now.Add(-1)
		got.Add(1)
	}))
	t.Cleanup(far.Close)
	broken := errors.New("no key")
	targets, err := health.NewTargets(health.TargetsConfig{Store: w.store, Now: w.clock.Now, Log: slog.New(slog.DiscardHandler),
		Dialer: outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, outbound.AllowPlain()),
		Sign:   func(http.Header, []tenants.Secret, string, time.Time, []byte) error { return broken }})
	must(t, err)
	t.Cleanup(func() { must(t, targets.Close()) })
	add := func(kind tenants.TargetKind) tenants.AlertTargetID {
		x := tenants.AlertTarget{ID: tenants.NewID[tenants.AlertTargetID](w.clock.Now()), Kind: kind, Name: string(kind), All: true}
		_, err := w.scope.AlertTargets().Add(ctx, x, far.URL)
		must(t, err)
		return x.ID
	}
	hook := add(tenants.TargetWebhook)
	for range 6 {
		add(tenants.TargetChat)
	}
	must(t, w.scope.AlertRules().Add(ctx, tenants.AlertRule{ID: tenants.NewID[tenants.AlertRuleID](w.clock.Now()), Name: "quiet",
		Metric: "rings", Threshold: 1, Window: time.Hour, Active: true, CreatedAt: w.clock.Now()}))
	must(t, w.monitor.ReviewRules(ctx))
	if err := targets.Send(ctx); !errors.Is(err, broken) {
		t.Errorf("the fault of a send is not returned: %v", err)
	}
	if got.Load() != 6 || most.Load() != 2 {
		t.Errorf("%d sends, %d at once", got.Load(), most.Load())
	}
	x, err := w.scope.AlertTargets().Get(ctx, hook)
	must(t, err)
	if x.Good || !strings.Contains(x.Answer, "could not prepare") {
		t.Errorf("%+v", x)
	}
	broken = nil
	pause, _ := tenants.TargetPause(1)
	w.clock.Pass(pause)
	alone.Store(true)
	must(t, targets.Send(ctx))
	x, err = w.scope.AlertTargets().Get(ctx, hook)
	if must(t, err); !x.Good {
		t.Errorf("not tried again: %+v", x)
	}
}
