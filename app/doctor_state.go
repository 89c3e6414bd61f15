package app

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"carillon/app/billing"
	"carillon/app/bus"
	"carillon/tenants"
	"carillon/tenants/store"
)

const (
	databaseClockMost = 2 * time.Second
	certificateSoon   = 30 * 24 * time.Hour
	monthSoon         = 31 * 24 * time.Hour
	certificatesMost  = 10
	infoMost          = 64 << 10 // bytes of a NATS server's first line
)

// serverOf says what the database is, and compares its clock with ours: nodes agree by its clock on
// which of them lives.
func serverOf(ctx context.Context, s *store.Store) billing.Finding {
	v, err := s.Server(ctx)
	if err != nil {
		return billing.Finding{Text: "the database: " + err.Error()}
	}
	if off := v.Ahead.Round(time.Second / 10); off.Abs() > databaseClockMost {
		return billing.Finding{Text: fmt.Sprintf("the clock of the database is %s off (positive = ahead) from this machine's: rings could "+
			"end early or late; synchronise both, for example with chrony", off)}
	}
	return billing.Finding{OK: true, Text: fmt.Sprintf("the database is %s and has %d MiB; its schema is current", v.Version, v.Size>>20)}
}

// nodesOf names the servers that run on the database, and those that were lost.
func nodesOf(ctx context.Context, s *store.Store) []billing.Finding {
	living, err := s.Nodes().Living(ctx)
	var gone []store.Node
	if err == nil {
		gone, err = s.Nodes().Gone(ctx)
	}
	if err != nil {
		return []billing.Finding{{Text: "the nodes: " + err.Error()}}
	}
	var names, lost []string
	for _, n := range living {
		names = append(names, n.Name+" ("+whatNode(n)+")")
	}
	for _, n := range gone {
		if !n.Seen.IsZero() {
			lost = append(lost, fmt.Sprintf("%s at %s", n.Name, n.Seen.Format(time.RFC3339)))
		}
	}
	out := []billing.Finding{{OK: true, Text: "no server runs on this database now"}}
	if len(names) > 0 {
		out[0].Text = fmt.Sprintf("%d servers run on this database: %s", len(names), strings.Join(names, ", "))
		if len(names) == 1 {
			out[0].Text = "one server runs on this database: " + names[0]
		}
	}
	out = append(out, unlike(living, gone, s.Now())...)
	if len(lost) > 0 {
		out = append(out, billing.Finding{OK: true, Text: "servers that ended without a word in the last day, see their logs: " +
			strings.Join(lost, ", ")})
	}
	return out
}

// monthsOf says until when rings and facts have a table for their month; see store.Months.
func monthsOf(ctx context.Context, s *store.Store, now time.Time) []billing.Finding {
	end, others, err := s.Months().Until(ctx)
	if err != nil {
		return []billing.Finding{{Text: "the tables of the months: " + err.Error()}}
	}
	return months(end, others, now)
}

// months judges that tables are there until end, and that others hold what had none.
func months(end time.Time, others bool, now time.Time) []billing.Finding {
	until := "rings and facts have a table for each month until " + end.UTC().Format(time.DateOnly)
	out := []billing.Finding{{OK: true, Text: until}}
	if end.Before(now.Add(monthSoon)) {
		out[0] = billing.Finding{Text: until + " only: a server makes those of the next three months, so look for \"split tables by " +
			"month\" in its log"}
	}
	if others {
		out = append(out, billing.Finding{Text: "some rings or facts are in rings_others or facts_others, because their month had no " +
			"table: a server moves them once it has made the table; if they stay, the clock of a server was wrong, or they are more " +
			"than 100,000 rings of a month"})
	}
	return out
}

// whatNode is what a node says of itself.
func whatNode(n store.Node) string {
	if n.Step == 0 {
		return "of an earlier version, which says nothing of itself"
	}
	return fmt.Sprintf("build %s, schema %d, clock %s", cmp.Or(n.Program, "not known"), n.Step, clockShown(n.ClockOff))
}

// clockShown is how far a node's clock is off from the database's.
func clockShown(off time.Duration) string {
	return fmt.Sprintf("%+.1f s", off.Seconds())
}

// unlike finds nodes whose clocks are apart, and those of different versions that have run for
// longer than an upgrade takes.
func unlike(living, gone []store.Node, now time.Time) (out []billing.Finding) {
	u := store.Compare(living, gone)
	if u.ClocksBad() {
		out = append(out, billing.Finding{Text: fmt.Sprintf("the clocks of the servers and the database are %.1f s apart: Apple may "+
			"refuse tokens, and one-time passwords and logs do not fit; synchronise them, for example with chrony", u.Clocks.Seconds())})
	}
	if u.ProgramsBad(now) {
		out = append(out, billing.Finding{Text: fmt.Sprintf("servers of %d versions have run beside each other for %s: bring the "+
			"upgrade to its end, or stop the servers of the other version", u.Programs, now.Sub(u.Since).Round(time.Minute))})
	}
	return out
}

// certificates finds certificates of Apple that end soon: no push leaves with one that has ended.
func certificates(all []tenants.Credential, now time.Time) (out []billing.Finding) {
	for _, c := range all {
		if c.NotAfter.IsZero() || c.State != tenants.CredentialActive || c.NotAfter.Sub(now) > certificateSoon {
			continue
		}
		if len(out) == certificatesMost {
			return append(out, billing.Finding{Text: "more certificates end soon; the operator console lists them"})
		}
		when := "ends on " + c.NotAfter.Format(time.DateOnly)
		if c.NotAfter.Before(now) {
			when = "ended on " + c.NotAfter.Format(time.DateOnly) + ", so Apple takes no push with it"
		}
		out = append(out, billing.Finding{Text: fmt.Sprintf("the certificate for %s of tenant %s %s; make a new one at Apple and upload "+
			"it, or use a .p8 key, which does not end", c.Bundle, c.Tenant, when)})
	}
	if len(out) == 0 {
		out = append(out, billing.Finding{OK: true, Text: "no certificate of Apple ends within 30 days"})
	}
	return out
}

// askNATS connects to a NATS server and reads what it says of itself, which it does before it asks
// who is there.
func askNATS(ctx context.Context, address string) billing.Finding {
	version, err := natsVersion(ctx, address)
	if err != nil {
		return billing.Finding{Text: fmt.Sprintf("NATS at %s does not answer: %v; start it, or correct CARILLON_NATS_URL. Meanwhile rings "+
			"go on, and live pages are some seconds behind", natsHost(address), err)}
	}
	return billing.Finding{OK: true, Text: fmt.Sprintf("NATS at %s answers (version %s)", natsHost(address), version)}
}

// tryNATS connects to a NATS server that answers, with our settings.
func (c Cluster) tryNATS(answers billing.Finding, address string) billing.Finding {
	if !answers.OK {
		return answers
	}
	settings, err := c.nats([]string{address})
	settings.Name, settings.Within = "doctor", 10*time.Second // it answers, so it may take its time
	if err == nil {
		err = bus.Try(settings)
	}
	if err != nil {
		return billing.Finding{Text: fmt.Sprintf("NATS at %s answers and does not take us: %v; correct CARILLON_NATS_URL, "+
			"CARILLON_NATS_CREDS_FILE, CARILLON_NATS_CA_FILE or CARILLON_NATS_CERT_FILE, or the server's own settings",
			natsHost(address), err)}
	}
	return answers
}

// natsHost is an address without its user and password.
func natsHost(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "CARILLON_NATS_URL"
	}
	return u.Host
}

func natsVersion(ctx context.Context, address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", errors.New("its address cannot be read")
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "4222")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return "", err
		}
	}
	line, err := bufio.NewReader(io.LimitReader(conn, infoMost)).ReadString('\n')
	if err != nil {
		return "", err
	}
	text, ok := strings.CutPrefix(line, "INFO ")
	var info struct {
		Version string `json:"version"`
	}
	if !ok || json.Unmarshal([]byte(text), &info) != nil {
		return "", errors.New("it does not speak the protocol of NATS")
	}
	return info.Version, nil
}
