package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

type operatorListCmd struct {
	JSON bool `help:"Print one JSON line for each operator."`
	Database
}

// Run lists the operators.
func (l *operatorListCmd) Run(ctx context.Context, c terminal) error {
	return l.Database.with(ctx, c, tenants.Plans{}, func(s *store.Store) error {
		all, err := s.Operators().List(ctx)
		if err != nil {
			return err
		}
		if l.JSON {
			return jsonLines(c, all, operatorLine)
		}
		if len(all) == 0 {
			fmt.Fprintln(c.out, "There is no operator. Add one with: carillon operator add")
			return nil
		}
		t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "NAME\tMAIL\tSTATE\tSECOND STEP\tLAST SIGN-IN")
		for _, o := range all {
			seen := "never"
			if !o.SeenAt.IsZero() {
				seen = o.SeenAt.Format(time.DateTime)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", o.Name, o.Email, operatorState(o), secondStep(o), seen)
		}
		return t.Flush()
	})
}

func operatorState(o tenants.Operator) string {
	switch {
	case !o.DisabledAt.IsZero():
		return "disabled"
	case !o.Ready:
		return "link not used yet"
	}
	return "active"
}

func operatorLine(o tenants.Operator) any {
	return map[string]any{"email": o.Email, "name": o.Name, "state": operatorState(o), "second_step": secondStep(o),
		"last_sign_in_at": momentOf(o.SeenAt)}
}

// secondStep says what an operator has beside the password.
func secondStep(o tenants.Operator) string {
	var all []string
	if o.App {
		all = append(all, "app")
	}
	if o.Passkeys > 0 {
		all = append(all, views.Plural(o.Passkeys, "passkey", "passkeys"))
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, ", ")
}

type operatorPasskeysCmd struct {
	oneOperator
	Remove string `help:"Id of the passkey to remove." xor:"do"`
	JSON   bool   `help:"Print one JSON line for each passkey." xor:"do"`
}

// Help says when the command is needed.
func (p *operatorPasskeysCmd) Help() string {
	return "A passkey that is removed signs in no more, and the operator's sign-ins end. The only second step is not removed: run " +
		"carillon operator reset then.\n\ncarillon operator passkeys --email ana@example.com"
}

// Run lists the passkeys, or removes one.
func (p *operatorPasskeysCmd) Run(ctx context.Context, c terminal) error {
	return p.with(ctx, c, func(s *store.Store, o tenants.Operator) error {
		if p.Remove != "" {
			return p.remove(ctx, c, s, o)
		}
		keys, err := s.Operators().Passkeys(ctx, o.ID)
		if err != nil {
			return err
		}
		if p.JSON {
			return jsonLines(c, keys, passkeyLine)
		}
		if len(keys) == 0 {
			fmt.Fprintf(c.out, "%s has no passkeys.\n", o.Email)
			return nil
		}
		t := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "ID\tNAME\tADDED\tLAST USED")
		for _, k := range keys {
			used := "never"
			if !k.UsedAt.IsZero() {
				used = k.UsedAt.Format(time.DateTime)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", k.ID, k.Name, k.CreatedAt.Format(time.DateTime), used)
		}
		return t.Flush()
	})
}

func passkeyLine(k store.Passkey) any {
	return map[string]any{"id": k.ID, "name": k.Name, "created_at": momentOf(k.CreatedAt), "last_used_at": momentOf(k.UsedAt)}
}

func (p *operatorPasskeysCmd) remove(ctx context.Context, c terminal, s *store.Store, o tenants.Operator) error {
	err := s.Operators().RemovePasskey(ctx, commandLine, o.ID, tenants.PasskeyID(p.Remove), tenants.Hash{})
	switch tenants.KindOf(err) {
	case tenants.Unknown:
		return fmt.Errorf("--remove: %s has no passkey %s; carillon operator passkeys --email %s lists them", o.Email, p.Remove, o.Email)
	case tenants.Conflict:
		return errors.New("this passkey is the operator's only second step; run carillon operator reset, which gives a new link")
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "The passkey is removed, and %s is signed out everywhere.\n", o.Email)
	return nil
}
