package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/tenants/store"
)

// affiliateCmd manages partners. The operator pays them outside of Carillon.
type affiliateCmd struct {
	Add     affiliateAddCmd     `cmd:"" help:"Make somebody a partner; prints their link to pass on and a sign-in link."`
	Payouts affiliatePayoutsCmd `cmd:"" help:"List what is payable to partners now, or record that one was paid."`
	Stop    affiliateStopCmd    `cmd:"" help:"End a partner: links count nothing from then on, what was earned stays."`
}

type affiliatePayoutsCmd struct {
	CSV       bool   `name:"csv" help:"As a file for a spreadsheet or a bank."`
	JSON      bool   `help:"Print one JSON line for each partner."`
	MarkPaid  string `help:"Code of a partner who was paid all that is payable; needs --amount and --reference." placeholder:"CODE"`
	Amount    string `help:"What was paid, as listed, such as 109.78; refused when another sum is payable now." placeholder:"SUM"`
	Reference string `help:"Your own name of the payment, such as the bank's; the same one again records nothing." placeholder:"TEXT"`
	PlansFile
	Database
}

// payable is what one partner is owed.
type payable struct {
	tenants.Partner
	cents int64
	lines int
}

// Run lists what is payable, or records a payout.
func (a *affiliatePayoutsCmd) Run(ctx context.Context, c terminal) error {
	if a.MarkPaid == "" && (a.Amount != "" || a.Reference != "") {
		return errors.New("--amount and --reference belong to --mark-paid CODE")
	}
	if a.MarkPaid != "" && (a.CSV || a.JSON) {
		return errors.New("--csv and --json list and --mark-paid records; run them one after the other")
	}
	plans, err := a.read()
	if err != nil {
		return fmt.Errorf("CARILLON_PLANS_FILE: %w", err)
	}
	return a.Database.with(ctx, c, plans, func(s *store.Store) error {
		if a.MarkPaid != "" {
			return a.record(ctx, c, s)
		}
		all, err := payables(ctx, s, c.now())
		if err != nil {
			return err
		}
		if a.JSON {
			return jsonLines(c, all, func(p payable) any {
				return map[string]any{"code": p.Code, "partner": p.Name, "email": p.Email, "payee": p.Payee.Name, "by": p.Payee.By,
					"account": p.Payee.Account, "cents": p.cents, "currency": plans.Currency, "lines": p.lines}
			})
		}
		if a.CSV {
			return payoutsCSV(c, all, plans.Currency)
		}
		return payoutsTable(c, all, plans.Currency)
	})
}

// payables lists the partners who are owed money, stopped ones too: what they earned stays theirs.
func payables(ctx context.Context, s *store.Store, now time.Time) (out []payable, err error) {
	all, err := s.Partners().List(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		lines, err := s.Ledger().Entries(ctx, p.ID)
		if err != nil {
			return nil, err
		}
		if in, cents := tenants.Payable(lines, now); cents > 0 {
			out = append(out, payable{p, cents, len(in)})
		}
	}
	return out, nil
}

func payoutsTable(c terminal, all []payable, currency string) error {
	if len(all) == 0 {
		fmt.Fprintln(c.out, "Nothing is payable now.")
		return nil
	}
	t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CODE\tPARTNER\tMAIL\tPAYEE\tBY\tACCOUNT\tPAYABLE\tLINES")
	var sum int64
	for _, p := range all {
		sum += p.cents
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\n", p.Code, p.Name, p.Email, orNotGiven(p.Payee.Name),
			orNotGiven(string(p.Payee.By)), p.Payee.Account, tenants.FormatCents(p.cents), p.lines)
	}
	fmt.Fprintf(t, "\nTotal %s %s. After paying: carillon affiliate payouts --mark-paid CODE --amount SUM "+
		"--reference TEXT\n", tenants.FormatCents(sum), strings.ToUpper(currency))
	return t.Flush()
}

func orNotGiven(s string) string {
	if s == "" {
		return "not given yet"
	}
	return s
}

// payoutsCSV writes RFC 4180. No text of a partner can begin a spreadsheet formula.
func payoutsCSV(c terminal, all []payable, currency string) error {
	w := page.NewCSV(c.out)
	rows := [][]string{{"code", "partner", "mail", "payee", "by", "account", "amount", "currency", "lines"}}
	for _, p := range all {
		rows = append(rows, []string{p.Code, p.Name, p.Email, p.Payee.Name, string(p.Payee.By), p.Payee.Account,
			tenants.FormatCents(p.cents), currency, strconv.Itoa(p.lines)})
	}
	for _, row := range rows {
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// record stores a payout, once for each reference.
func (a *affiliatePayoutsCmd) record(ctx context.Context, c terminal, s *store.Store) error {
	cents, err := tenants.ParseCents(a.Amount)
	if err != nil {
		return fmt.Errorf("--amount: %w", err)
	}
	a.Reference = strings.TrimSpace(a.Reference)
	if !tenants.ValidText(a.Reference, 1, 100) {
		return errors.New("--reference: 1 to 100 characters, such as the bank's payment number")
	}
	p, err := partnerOf(ctx, s, a.MarkPaid)
	if err != nil {
		return err
	}
	out, repeated, err := s.Ledger().PayOut(ctx, p.ID, cents, a.Reference)
	switch {
	case err != nil:
		return err
	case repeated:
		fmt.Fprintf(c.out, "This payout was already recorded on %s. Nothing was changed.\n", out.CreatedAt.Format(time.DateOnly))
	default:
		fmt.Fprintf(c.out, "Recorded: %s to %s (%s), reference %s.\n", tenants.FormatCents(cents), p.Name, p.Code, a.Reference)
	}
	return nil
}

func partnerOf(ctx context.Context, s *store.Store, typed string) (tenants.Partner, error) {
	code, ok := tenants.ParsePartnerCode(typed)
	if !ok {
		return tenants.Partner{}, fmt.Errorf("%q is not a partner's code; a code is the eight letters in their link", typed)
	}
	p, err := s.Partners().ByCode(ctx, code)
	if tenants.KindOf(err) == tenants.Unknown {
		return p, fmt.Errorf("no partner has the code %s", code)
	}
	return p, err
}

type affiliateStopCmd struct {
	Code string `required:"" help:"The partner's code."`
	Undo bool   `help:"Let the partner run again."`
	Database
}

// Run stops a partner, or starts them again.
func (a *affiliateStopCmd) Run(ctx context.Context, c terminal) error {
	return a.Database.with(ctx, c, tenants.Plans{}, func(s *store.Store) error {
		p, err := partnerOf(ctx, s, a.Code)
		if err != nil {
			return err
		}
		at, word := c.now(), "ended"
		if a.Undo {
			at, word = time.Time{}, "running again"
		}
		if err := s.Partners().Stop(ctx, p.ID, at); err != nil {
			return err
		}
		fmt.Fprintf(c.out, "The partner %s (%s) is %s.\n", p.Name, p.Code, word)
		return nil
	})
}
