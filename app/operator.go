package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"carillon/app/language"
	"carillon/tenants"
	"carillon/tenants/store"
	paths "carillon/views/operator"
)

// operatorCmd manages the people who run the server.
type operatorCmd struct {
	Add      operatorAddCmd      `cmd:"" help:"Add an operator; prints a link with which they choose a password and a second step."`
	List     operatorListCmd     `cmd:"" help:"List the operators."`
	Passkeys operatorPasskeysCmd `cmd:"" help:"List an operator's passkeys, or remove one that was lost."`
	Reset    operatorResetCmd    `cmd:"" help:"Take an operator's password, app and passkeys away; prints a new link."`
	Disable  operatorDisableCmd  `cmd:"" help:"Sign an operator out everywhere and refuse further sign-ins."`
	Enable   operatorEnableCmd   `cmd:"" help:"Let a disabled operator sign in again."`
}

// OperatorConsole is where the operator console listens, and the address that operators use.
type OperatorConsole struct {
	OperatorAddr string `help:"Own address of the operator console, which must not be public; empty = none." env:"CARILLON_OPERATOR_ADDR"`
	OperatorURL  string `name:"operator-url" help:"The address that operators use, such as https://ops.example.com; empty = http:// and the address to listen on." env:"CARILLON_OPERATOR_URL"`
}

// check reports what is wrong with the address that operators use.
func (o OperatorConsole) check() error {
	switch {
	case o.OperatorURL == "":
		return nil
	case o.OperatorAddr == "":
		return errors.New("is set, but CARILLON_OPERATOR_ADDR is not; set the address to listen on too")
	}
	return publicURL(o.OperatorURL)
}

// base is the address that operators use, without a slash at its end.
func (o OperatorConsole) base() (string, error) {
	if err := o.check(); err != nil {
		return "", misused{fmt.Errorf("CARILLON_OPERATOR_URL: %w", err)}
	}
	if o.OperatorURL != "" {
		return strings.TrimRight(o.OperatorURL, "/"), nil
	}
	if o.OperatorAddr == "" {
		return "", misused{errors.New("CARILLON_OPERATOR_ADDR is empty, so no server serves the operator console; set it for the server " +
			"and for this command, such as 127.0.0.1:8090")}
	}
	if err := addr(o.OperatorAddr); err != nil {
		return "", misused{fmt.Errorf("CARILLON_OPERATOR_ADDR: %w", err)}
	}
	if strings.HasPrefix(o.OperatorAddr, ":") {
		return "http://127.0.0.1" + o.OperatorAddr, nil
	}
	return "http://" + o.OperatorAddr, nil
}

// link makes a link for an operator, and what to print of it.
func (o OperatorConsole) link(now time.Time) (l store.OperatorLink, address string, err error) {
	base, err := o.base()
	token := tenants.NewSecret(tenants.OperatorPrefix)
	return store.OperatorLink{Hash: token.Hash(), ExpiresAt: now.Add(tenants.OperatorLinkTTL)}, base + paths.WelcomePath(string(token)), err
}

// printLink prints a link once.
func printLink(c terminal, asJSON bool, email, address string) error {
	if asJSON {
		return json.NewEncoder(c.out).Encode(map[string]string{"email": email, "link": address})
	}
	fmt.Fprintf(c.out, "Link  %s\n      give it to %s; it works once, for 24 hours\n", address, email)
	return nil
}

type operatorAddCmd struct {
	Email string `required:"" help:"Mail address; they sign in with it."`
	Name  string `required:"" help:"Name as the audit logs show it."`
	JSON  bool   `help:"Print one JSON line."`
	OperatorConsole
	Database
}

// Help gives an example.
func (a *operatorAddCmd) Help() string {
	return "An operator sees all tenants, and can suspend them and change their plans. Each sign-in needs a password and a code of an " +
		"authenticator app, or a passkey; they are chosen with the link.\n\n" +
		`carillon operator add --name "Ana Ruiz" --email ana@example.com`
}

// Run adds the operator.
func (a *operatorAddCmd) Run(ctx context.Context, c terminal) error {
	email, ok := tenants.ParseEmail(a.Email)
	if !ok {
		return misused{fmt.Errorf("--email: %q is not an email address, such as ana@example.com", a.Email)}
	}
	a.Name = language.Composed(strings.TrimSpace(a.Name))
	if !tenants.ValidText(a.Name, 1, 80) {
		return misused{errors.New("--name: 1 to 80 characters, no control characters")}
	}
	l, address, err := a.link(c.now())
	if err != nil {
		return err
	}
	return a.Database.with(ctx, c, tenants.Plans{}, func(s *store.Store) error {
		o := tenants.Operator{ID: tenants.NewID[tenants.OperatorID](c.now()), Email: email, Name: a.Name, CreatedAt: c.now()}
		if err := s.Operators().Add(ctx, commandLine, o, l); err != nil {
			return err
		}
		return printLink(c, a.JSON, email, address)
	})
}

// oneOperator is the flag that names an operator.
type oneOperator struct {
	Email string `required:"" help:"Mail address of the operator."`
	Database
}

// with calls do with the operator.
func (p *oneOperator) with(ctx context.Context, c terminal, do func(*store.Store, tenants.Operator) error) error {
	email, ok := tenants.ParseEmail(p.Email)
	if !ok {
		return misused{fmt.Errorf("--email: %q is not an email address, such as ana@example.com", p.Email)}
	}
	return p.Database.with(ctx, c, tenants.Plans{}, func(s *store.Store) error {
		o, err := s.Operators().ByEmail(ctx, email)
		if tenants.KindOf(err) == tenants.Unknown {
			return fmt.Errorf("--email: no operator has the address %s; carillon operator list shows all", email)
		}
		if err != nil {
			return err
		}
		return do(s, o)
	})
}

type operatorResetCmd struct {
	oneOperator
	OperatorConsole
	JSON bool `help:"Print one JSON line."`
}

// Help says when the command is needed.
func (r *operatorResetCmd) Help() string {
	return "For an operator who has lost the password, the phone or all passkeys. Make sure that you speak with this person. Their " +
		"sign-ins end at once. For one lost passkey of several, run carillon operator passkeys.\n\n" +
		"carillon operator reset --email ana@example.com"
}

// Run resets the operator and prints a link.
func (r *operatorResetCmd) Run(ctx context.Context, c terminal) error {
	l, address, err := r.link(c.now())
	if err != nil {
		return err
	}
	return r.with(ctx, c, func(s *store.Store, o tenants.Operator) error {
		if !o.DisabledAt.IsZero() {
			return errors.New("this operator is disabled; run carillon operator enable first")
		}
		if err := s.Operators().Reset(ctx, commandLine, o.ID, l); err != nil {
			return err
		}
		return printLink(c, r.JSON, o.Email, address)
	})
}

type operatorDisableCmd struct{ oneOperator }

// Run disables the operator. Their entries in the audit logs stay.
func (d *operatorDisableCmd) Run(ctx context.Context, c terminal) error {
	return d.with(ctx, c, func(s *store.Store, o tenants.Operator) error {
		if err := s.Operators().Disable(ctx, commandLine, o.ID, c.now()); err != nil {
			return err
		}
		fmt.Fprintf(c.out, "%s is signed out and cannot sign in.\n", o.Email)
		return nil
	})
}

type operatorEnableCmd struct{ oneOperator }

// Run lets the operator sign in again.
func (e *operatorEnableCmd) Run(ctx context.Context, c terminal) error {
	return e.with(ctx, c, func(s *store.Store, o tenants.Operator) error {
		if err := s.Operators().Disable(ctx, commandLine, o.ID, time.Time{}); err != nil {
			return err
		}
		fmt.Fprintf(c.out, "%s can sign in.\n", o.Email)
		return nil
	})
}
