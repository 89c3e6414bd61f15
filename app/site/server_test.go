package site

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"carillon/app/bus"
	"carillon/app/connections"
	"carillon/app/console"
	"carillon/app/docs"
	"carillon/app/health"
	"carillon/app/outbound"
	"carillon/app/page/pagetest"
	"carillon/app/push"
	"carillon/app/switchboard"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// server is the public pages on a real store, beside the console: people sign in there, and a trial
// leads there.
type server struct {
	*pagetest.Server
	s *Site
}

func open(t testing.TB) *server { return openAt(t, "http://127.0.0.1") }

func openAt(t testing.TB, public string) *server {
	t.Helper()
	return openAs(t, public, func(*server, *Config) {})
}

// openAs serves the pages with a Config that the test has changed.
func openAs(t testing.TB, public string, edit func(*server, *Config)) *server {
	t.Helper()
	h := &server{Server: pagetest.NewServer(t, public)}
	api, err := os.ReadFile("../api/openapi.yaml")
	pagetest.Must(t, err)
	texts, err := docs.New(docs.Config{API: api, Changelog: "# Changelog\n\n## Unreleased\n- New.\n",
		Metrics: "## Metrics\n", BaseURL: h.Common.PublicURL})
	pagetest.Must(t, err)
	c := Config{
		Common: h.Common, Docs: texts, Dev: true, Voice: pagetest.BarredVoice{}, Agent: pagetest.NewSilentAgent, Mail: h.Mails,
		Parts: []Part{{"Database", "Keeps rings.", h.Store.Ready}},
	}
	edit(h, &c)
	h.s, err = New(c)
	pagetest.Must(t, err)
	k := h.console()
	app := web.New(web.Config{ErrorPage: k.ErrorPage, Now: h.Clock.Now})
	h.s.Mount(app)
	k.Mount(app)
	h.Serve(app)
	return h
}

// console is the pages of tenants, on a switchboard that reaches no Apple.
func (h *server) console() *console.Console {
	h.Helper()
	ears, quiet := bus.New(), slog.New(slog.DiscardHandler)
	credentials, err := health.NewCredentials(health.CredentialsConfig{Store: h.Store, Probe: noApple{}, Now: h.Clock.Now})
	pagetest.Must(h, err)
	monitor, err := health.NewMonitor(health.Config{Store: h.Store, Now: h.Clock.Now, Log: quiet})
	pagetest.Must(h, err)
	board, err := switchboard.New(switchboard.Config{
		Store: h.Store, Push: noApple{}, Keys: credentials, Health: monitor, Bus: ears, Now: h.Clock.Now, Log: quiet,
	})
	pagetest.Must(h, err)
	h.Cleanup(func() {
		limit, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		pagetest.Must(h, board.Close(limit))
		pagetest.Must(h, ears.Close())
	})
	targets, err := health.NewTargets(health.TargetsConfig{Store: h.Store, Dialer: outbound.New(nil), Mail: h.Mails,
		Sign: connections.Sign, Now: h.Clock.Now, Log: quiet})
	pagetest.Must(h, err)
	digest, err := health.NewDigest(health.DigestConfig{Store: h.Store, Mail: h.Mails, Words: console.ReasonWords,
		Pages: health.DigestPages{Off: views.DigestOffPath}, Now: h.Clock.Now, Log: quiet})
	pagetest.Must(h, err)
	k, err := console.New(console.Config{AlertTargets: targets, Digest: digest, Common: h.Common, Board: board, Credentials: credentials,
		CheckAgent: func(tenants.Agent) error { return nil }, Connections: noConnections{}, Calendars: noCalendars{},
		CheckConnection: func(tenants.Connection) error { return nil }})
	pagetest.Must(h, err)
	return k
}

// noApple refuses every push.
type noApple struct{}

func (noApple) Push(_ context.Context, _ *push.Key, p push.Push) push.Answer {
	return push.Answer{APNsID: p.APNsID, Status: 403, Reason: "InvalidProviderToken"}
}

func (noApple) Probe(context.Context, *push.Key, string) []push.Verdict { return nil }

// noConnections sends nothing.
type noConnections struct{ console.Connections }

// noCalendars reads nothing.
type noCalendars struct{ console.Calendars }
