package console

import (
	"encoding/csv"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"carillon/app/billing/stripetest"
	"carillon/app/page"
	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/views"
)

// TestFiguresAgree: the same rings of the same days are the same number on the overview, in
// analytics, in every file, in the store's funnel, which /v1 answers with, on the billing page, for
// the operator and in what Stripe bills; and each invoice has the same amount everywhere.
func TestFiguresAgree(t *testing.T) {
	t.Parallel()
	h, s := openMoney(t, stripetest.Secret)
	a := h.full("alpha", "Alpha")
	zone, err := time.LoadLocation("Europe/Berlin") // of the tenant
	pagetest.Must(t, err)
	day := h.Clock.Now().In(zone).AddDate(0, 0, 2) // the rings of the tenant until now are of other days
	wait := time.Date(day.Year(), day.Month(), day.Day(), 12, 0, 0, 0, zone).Sub(h.Clock.Now())
	h.Clock.Pass(wait)
	s.Advance(wait)
	a.trial()
	a.Quick(a.Owner).Post("/billing/checkout", fieldsOf("plan", "starter", "interval", "month")).Want(303)
	pagetest.Must(t, s.Pay(s.Sessions()[0]))
	h.tell(s)
	h.Clock.Pass(time.Hour)
	s.Advance(time.Hour)
	const rings = 7
	for i := range rings {
		seedRing(h, a, h.Clock.Now().Add(-time.Duration(50-i)*time.Minute))
	}
	for n := 1; n > 0; {
		n, err = h.Store.Jobs().Roll(t.Context(), 1000)
		pagetest.Must(t, err)
	}
	pagetest.Must(t, h.k.Billing.Report(t.Context()))

	w := a.Quick(a.Owner)
	sum := func(path string, column string) int {
		t.Helper()
		rows, err := csv.NewReader(strings.NewReader(w.Get(path).Want(200).Body)).ReadAll()
		pagetest.Must(t, err)
		total, at := 0, -1
		for i, name := range rows[0] {
			if name == column {
				at = i
			}
		}
		for _, row := range rows[1:] {
			if at < 0 { // each row is a ring
				total++
				continue
			}
			n, err := strconv.Atoi(row[at])
			pagetest.Must(t, err)
			total += n
		}
		return total
	}
	shown := func(path, before, after string) int {
		t.Helper()
		body := w.Get(path).Want(200).Body
		found := between(body, before, after)
		if len(found) == 0 {
			t.Fatalf("%s lacks %s", path, before)
		}
		n, err := strconv.Atoi(strings.TrimSpace(found[0]))
		pagetest.Must(t, err)
		return n
	}
	date := h.Clock.Now().In(zone).Format(time.DateOnly)
	span := "&from=" + date + "&to=" + date
	midnight := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, zone)
	funnel, err := a.Scope().Analytics().Funnel(t.Context(), midnight, midnight.AddDate(0, 0, 1), "")
	pagetest.Must(t, err)
	figures := map[string]int{
		"the overview":           shown("/overview", `>Rings today</a></div><div class="stat-value">`, "<"),
		"the list":               sum("/rings.csv?period=days"+span, ""),
		"analytics over time":    sum("/analytics.csv?panel=time&range=dates"+span, "rings"),
		"analytics by key":       sum("/analytics.csv?panel=split&split=key&range=dates"+span, "rings"),
		"analytics by weekday":   sum("/analytics.csv?panel=heat&range=dates"+span, "rings"),
		"the file of the usage":  sum("/billing/usage.csv", "rings"),
		"the billing page":       shown("/billing", `<dt>Rings this month</dt><dd>`, " "),
		"the meter of the bills": int(s.Metered(s.Customers()[0])),
	}
	for _, r := range funnel {
		if r.Fact == tenants.FactPlaced || r.Fact == tenants.FactAccepted {
			figures["the funnel: "+string(r.Fact)] = int(r.Rings)
		}
	}
	operated, err := h.Store.Operators().Tenants(t.Context(), h.Clock.Now())
	pagetest.Must(t, err)
	for _, o := range operated {
		if o.Tenant.ID == a.Id {
			figures["the operator's list"] = int(o.Counts.Rings)
		}
	}
	if len(figures) != 11 {
		t.Errorf("%d figures", len(figures))
	}
	for where, n := range figures {
		if n != rings {
			t.Errorf("%s: %d rings, want %d", where, n, rings)
		}
	}
	h.Clock.Pass(15 * 24 * time.Hour) // the trial is over
	s.Advance(15 * 24 * time.Hour)
	h.tell(s)
	invoicesAgree(t, a, "$149")
}

// invoicesAgree: each invoice has the same amount on the billing page, in the list of invoices and
// in its file, and the last is of want; the totals of the list are what its rows add up to.
func invoicesAgree(t *testing.T, a *tenant, want string) {
	t.Helper()
	w := a.Quick(a.Owner)
	amounts := func(path, section string) (out []string) {
		t.Helper()
		_, body, ok := strings.Cut(w.Get(path).Want(200).Body, section)
		if !ok {
			t.Fatalf("%s lacks %s", path, section)
		}
		total := regexp.MustCompile(`<td class="num[^"]*"(?: data-head="Total")?>(\$[\d,.]+)</td>`)
		for _, m := range total.FindAllStringSubmatch(body, -1) {
			out = append(out, m[1])
		}
		return out
	}
	rows, err := csv.NewReader(strings.NewReader(w.Get("/billing/invoices.csv").Want(200).Body)).ReadAll()
	pagetest.Must(t, err)
	var file []string
	cents, paid := 0, 0
	for _, row := range rows[1:] {
		file = append(file, strings.TrimSuffix("$"+row[3], ".00"))
		if row[2] == "Paid" {
			n, err := strconv.Atoi(strings.Replace(row[3], ".", "", 1))
			pagetest.Must(t, err)
			cents += n
			paid++
		}
	}
	if len(file) == 0 || file[0] != want {
		t.Errorf("the file of invoices: %v, want the latest of %s", file, want)
	}
	for _, c := range []struct{ path, section string }{{"/billing", "Invoices, newest first"}, {"/billing/invoices", "<thead>"}} {
		if got := amounts(c.path, c.section); !slices.Equal(got, file) {
			t.Errorf("%s has invoices of %v, and the file %v", c.path, got, file)
		}
	}
	w.Get("/billing/invoices").Has(page.Money(int64(cents), "usd") + ", " + views.Plural(paid, "invoice", "invoices"))
}
