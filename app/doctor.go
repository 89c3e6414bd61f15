package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"carillon/app/billing"
	"carillon/app/health"
	"carillon/tenants"
	"carillon/tenants/store"
)

// doctorCmd checks what a server needs: configuration, database, nodes, stored credentials, Apple,
// NATS, voice, Stripe, backups and this machine. It changes nothing.
type doctorCmd struct {
	JSON       bool   `help:"Print one JSON line for each finding."`
	TimeServer string `help:"NTP server to compare the clock with; empty = none." default:"time.apple.com:123"`
	Config
}

// Run prints each finding and fails if one is bad.
func (d *doctorCmd) Run(ctx context.Context, c terminal) error {
	good, err := d.check()
	findings := []billing.Finding{{OK: true, Text: "the configuration has no faults"}}
	if err != nil {
		findings[0] = billing.Finding{Text: "the configuration has faults:\n" + err.Error()}
	}
	if hidden := d.hiddenClients(); hidden != "" {
		findings = append(findings, billing.Finding{Text: hidden})
	}
	good.now = c.now
	findings = append(findings, d.database(ctx, c, good)...)
	findings = append(findings, good.ask(ctx, d.TimeServer)...)
	findings = append(findings, d.machine()...)
	if d.URL == "" {
		findings = append(findings, backupAge(d.Data, c.now()))
	}
	sick := false
	for _, f := range findings {
		mark := "ok  "
		if !f.OK {
			mark, sick = "BAD ", true
		}
		if !d.JSON {
			fmt.Fprintln(c.out, mark, f.Text)
		}
	}
	if d.JSON {
		err := jsonLines(c, findings, func(f billing.Finding) any { return map[string]any{"ok": f.OK, "text": f.Text} })
		if err != nil {
			return err
		}
	}
	if sick {
		return errors.New("at least one check failed; see above")
	}
	return nil
}

// database checks the database, what is sealed in it, and Stripe with it.
func (d *doctorCmd) database(ctx context.Context, c terminal, good checked) []billing.Finding {
	rows := good.store(quiet(c))
	rows.ReadOnly = true
	s, err := store.Open(ctx, rows)
	if err != nil {
		return []billing.Finding{{Text: "the database: " + err.Error()}}
	}
	out := []billing.Finding{serverOf(ctx, s)}
	if d.URL != "" { // a server on SQLite is not listed anywhere
		out = append(out, nodesOf(ctx, s)...)
		out = append(out, monthsOf(ctx, s, c.now())...)
	}
	if err := s.CheckIsolation(ctx); err != nil {
		out = append(out, billing.Finding{Text: "row-level security: " + err.Error()})
	}
	if off, err := s.Limits(ctx); err != nil {
		out = append(out, billing.Finding{Text: "the time-outs of the database: " + err.Error()})
	} else if len(off) > 0 {
		out = append(out, billing.Finding{Text: fmt.Sprintf("no time-out bounds the statements of this role (%s = 0), so one that hangs "+
			"holds others up: through a pool, set them at the role, such as ALTER ROLE carillon SET statement_timeout = '60s'",
			strings.Join(off, ", "))})
	}
	if good.seal != nil {
		out = append(out, openCredentials(ctx, s, c.now)...)
		out = append(out, underOldKeys(ctx, s, good.seal)...)
	}
	if len(good.plans.Plans) > 0 { // a plans file that cannot be read is a fault of its own
		out = append(out, retired(ctx, s, good.plans)...)
	}
	out = append(out, d.money(ctx, c, s)...)
	if err := s.Close(); err != nil {
		out = append(out, billing.Finding{Text: "the database: " + err.Error()})
	}
	return out
}

// openCredentials opens the newest APNs credential of each kind, as a ring does.
func openCredentials(ctx context.Context, s *store.Store, now func() time.Time) (out []billing.Finding) {
	all, err := s.Tenants().Credentials(ctx) // oldest first
	if err != nil {
		return []billing.Finding{{Text: "credentials: " + err.Error()}}
	}
	creds, err := health.NewCredentials(health.CredentialsConfig{Store: s, Now: now})
	if err != nil {
		return []billing.Finding{{Text: "credentials: " + err.Error()}}
	}
	out = certificates(all, now())
	newest := map[tenants.CredentialKind]tenants.Credential{}
	for _, c := range all {
		newest[c.Kind] = c
	}
	for _, kind := range []tenants.CredentialKind{tenants.P8, tenants.P12} {
		c, ok := newest[kind]
		if !ok {
			continue
		}
		if _, err := creds.Key(ctx, c.Tenant, c.ID); err != nil {
			out = append(out, billing.Finding{Text: fmt.Sprintf("the newest .%s credential (%s, tenant %s) does not open: %v; "+
				"set the master key file that belongs to this database, or upload the credential again", kind, c.Bundle, c.Tenant, err)})
			continue
		}
		out = append(out, billing.Finding{OK: true, Text: fmt.Sprintf("the newest .%s credential opens", kind)})
	}
	return out
}

// retired finds tenants whose plan is no longer in the plans file, so that no limits apply to them.
func retired(ctx context.Context, s *store.Store, plans tenants.Plans) (out []billing.Finding) {
	subs, err := s.Tenants().Subscriptions(ctx)
	if err != nil {
		return []billing.Finding{{Text: "subscriptions: " + err.Error()}}
	}
	for _, x := range subs {
		if _, ok := plans.Plan(x.Plan); !ok {
			out = append(out, billing.Finding{Text: fmt.Sprintf("tenant %s has the plan %q, which the plans file "+
				"does not; it has no limits until the file has it again", x.Tenant, x.Plan)})
		}
	}
	return out
}

func (d *doctorCmd) money(ctx context.Context, c terminal, s *store.Store) []billing.Finding {
	if d.Stripe.Key == "" {
		return []billing.Finding{{OK: true,
			Text: "CARILLON_STRIPE_KEY is empty: no money is taken, and `carillon tenant plan` gives plans by hand"}}
	}
	b, err := d.Stripe.open(c, s, d.PublicURL)
	if err != nil {
		return []billing.Finding{{Text: err.Error()}}
	}
	out := b.Doctor(ctx)
	if at, err := s.StripeEvents().LastHeard(ctx); err == nil && !at.IsZero() {
		out = append(out, billing.Finding{OK: true, Text: "Stripe was last heard at " + at.Format(time.RFC3339)})
	}
	return out
}

// askWithin bounds each question to a host outside.
const askWithin = 5 * time.Second

// ask asks, at the same time, Apple's hosts, the STUN and TURN servers and a clock.
func (c checked) ask(ctx context.Context, timeServer string) []billing.Finding {
	var questions []func(context.Context) billing.Finding
	for _, host := range []string{c.APNsProductionURL, c.APNsSandboxURL} {
		questions = append(questions, func(ctx context.Context) billing.Finding { return c.askApple(ctx, host) })
	}
	for _, s := range c.iceServers() {
		for _, url := range s.URLs {
			questions = append(questions, func(ctx context.Context) billing.Finding { return askICEServer(ctx, url, s) })
		}
	}
	for _, address := range c.NATSURL {
		questions = append(questions, func(ctx context.Context) billing.Finding { return c.tryNATS(askNATS(ctx, address), address) })
	}
	if timeServer != "" {
		questions = append(questions, func(ctx context.Context) billing.Finding { return askClock(ctx, timeServer, c.now) })
	}
	findings := make([]billing.Finding, len(questions))
	var wg sync.WaitGroup
	for i, question := range questions {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askWithin)
			defer cancel()
			findings[i] = question(ctx)
		})
	}
	wg.Wait()
	return findings
}
