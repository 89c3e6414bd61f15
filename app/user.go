package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// userCmd manages people who sign in to the console.
type userCmd struct {
	Reset   userResetCmd   `cmd:"" help:"Print a link that sets a new password, once, and remove second steps."`
	Disable userDisableCmd `cmd:"" help:"Sign a person out everywhere and refuse further sign-ins."`
	Enable  userEnableCmd  `cmd:"" help:"Let a disabled person sign in again."`
}

// person is the flag that names a person.
type person struct {
	Email string `required:"" help:"Mail address of the person."`
	Database
}

// with calls do with the person.
func (p *person) with(ctx context.Context, c terminal, do func(*store.Store, tenants.User) error) error {
	email, ok := tenants.ParseEmail(p.Email)
	if !ok {
		return misused{fmt.Errorf("--email: %q is not an email address, such as ana@example.com", p.Email)}
	}
	return p.Database.with(ctx, c, tenants.Plans{}, func(s *store.Store) error {
		u, err := s.Users().ByEmail(ctx, email)
		if tenants.KindOf(err) == tenants.Unknown {
			return fmt.Errorf("--email: nobody has an account with %s; people get one by an invitation", email)
		}
		if err != nil {
			return err
		}
		return do(s, u)
	})
}

// commandLine is who the audit log names for what a verb changes.
var commandLine = store.Who{Actor: tenants.Actor{Kind: tenants.ActorSystem, Name: "command line"}}

type userResetCmd struct {
	person
	PublicURL string `help:"The https:// address that people use." default:"http://127.0.0.1:8080" env:"CARILLON_PUBLIC_URL"`
	JSON      bool   `help:"Print one JSON line."`
}

// Help says when the command is needed.
func (r *userResetCmd) Help() string {
	return "Where the server sends mail, people reset their password themselves: “Forgot password?” on the sign-in page. This is for " +
		"servers without mail, and for a person whose mail is lost. Make sure that you speak with this person. The link also proves " +
		"the address: it ends every sign-in of the account.\n\n" +
		"It also helps a person whose phone is lost: it removes their second steps (authenticator app, passkeys and recovery codes) " +
		"at once and signs them out. They set up new ones on their account page.\n\n" +
		"carillon user reset --email ada@example.com"
}

// Run keeps a link and prints it.
func (r *userResetCmd) Run(ctx context.Context, c terminal) error {
	if err := publicURL(r.PublicURL); err != nil {
		return misused{fmt.Errorf("CARILLON_PUBLIC_URL: %w", err)}
	}
	return r.with(ctx, c, func(s *store.Store, u tenants.User) error {
		if !u.DisabledAt.IsZero() {
			return errors.New("this person is disabled; run carillon user enable first")
		}
		token, now := tenants.NewSecret(tenants.ResetPrefix), c.now()
		err := s.Users().AddReset(ctx, store.Reset{Hash: token.Hash(), Email: u.Email, CreatedAt: now,
			ExpiresAt: now.Add(tenants.ResetTTLOperator)})
		if err != nil {
			return err
		}
		if u.TwoSteps {
			if err := s.Factors().Clear(ctx, commandLine, u.ID); err != nil {
				return err
			}
		}
		link := strings.TrimSuffix(r.PublicURL, "/") + views.ResetPath(string(token))
		if r.JSON {
			return json.NewEncoder(c.out).Encode(map[string]string{"email": u.Email, "link": link})
		}
		fmt.Fprintf(c.out, "Link  %s\n      give it to %s; it works once, for 24 hours\n", link, u.Name)
		if u.TwoSteps {
			fmt.Fprintln(c.out, "      their second steps are removed, and they are signed out")
		}
		return nil
	})
}

type userDisableCmd struct{ person }

// Run disables the person. Their memberships stay.
func (d *userDisableCmd) Run(ctx context.Context, c terminal) error {
	return d.with(ctx, c, func(s *store.Store, u tenants.User) error {
		if u.DisabledAt.IsZero() {
			u.DisabledAt = c.now()
		}
		if err := s.Users().Set(ctx, u); err != nil {
			return err
		}
		fmt.Fprintf(c.out, "%s is signed out and cannot sign in.\n", u.Email)
		return nil
	})
}

type userEnableCmd struct{ person }

// Run lets the person sign in again.
func (e *userEnableCmd) Run(ctx context.Context, c terminal) error {
	return e.with(ctx, c, func(s *store.Store, u tenants.User) error {
		u.DisabledAt = time.Time{}
		if err := s.Users().Set(ctx, u); err != nil {
			return err
		}
		fmt.Fprintf(c.out, "%s can sign in.\n", u.Email)
		return nil
	})
}
