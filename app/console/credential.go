package console

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/health"
	"carillon/app/page"
	"carillon/app/push"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// mostCredentials bounds the credentials of a tenant that are looked at together.
const mostCredentials = 200

func everyCredential(ctx context.Context, v *page.Visitor) ([]tenants.Credential, error) {
	all, _, err := v.Scope.Credentials().List(ctx, store.Page{Limit: mostCredentials})
	return all, err
}

// working reports whether phones are called with the credential.
func (k credentialPages) working(c tenants.Credential) bool {
	return c.State == tenants.CredentialActive && (c.NotAfter.IsZero() || k.Now().Before(c.NotAfter))
}

// alike are the credentials of the same app and environment as c in a state, newest first, without
// c.
func alike(c tenants.Credential, all []tenants.Credential, state tenants.CredentialState) (out []tenants.Credential) {
	for _, o := range all {
		if o.ID != c.ID && o.Bundle == c.Bundle && o.Environment == c.Environment && o.State == state {
			out = append(out, o)
		}
	}
	return out
}

// keptUntil is how long a previous credential is kept.
func keptUntil(c tenants.Credential, v *page.Visitor) string {
	if c.NotAfter.IsZero() {
		return "until you remove it"
	}
	return "until it ends on " + c.NotAfter.In(v.Zone).Format("2 Jan 2006")
}

// ending is the warning about a credential's end: how many phones stop ringing with it; empty while
// it has time.
func (k credentialPages) ending(ctx context.Context, v *page.Visitor, c tenants.Credential, all []tenants.Credential) (warning string,
	silent int, err error) {
	days, due := tenants.ExpiryStep(c.NotAfter, k.Now())
	if !due || c.State != tenants.CredentialActive {
		return "", 0, nil
	}
	reach, err := v.Scope.Devices().CountByEnvironment(ctx, c.Bundle)
	if err != nil {
		return "", 0, err
	}
	silent = tenants.DevicesLeftSilent(c, all, reach)
	return tenants.ExpiryWarning(c, days, silent), silent, nil
}

// credentialRow is a credential in the list: its state, and what goes silent at its end.
func (k credentialPages) credentialRow(ctx context.Context, v *page.Visitor, c tenants.Credential,
	all []tenants.Credential) (views.CredentialRow, error) {
	h := k.stateOf(c)
	row := views.CredentialRow{
		ID: string(c.ID), Name: credentialName(c), Kind: credentialKind(c), Bundle: c.Bundle, Team: orDash(c.Team),
		Environment: credentialEnv(c), Tone: h.tone, State: h.text, Error: c.LastError, Used: v.At(c.LastUsedAt),
		Kept: c.State == tenants.CredentialPrevious,
	}
	if row.Kept {
		row.Error = keptUntil(c, v)
		return row, nil
	}
	warning, silent, err := k.ending(ctx, v, c, all)
	if warning != "" && silent > 0 {
		row.Error = "and " + views.Plural(silent, "phone stops ringing", "phones stop ringing")
	}
	return row, err
}

// checkCredential asks Apple now, and shows what it said. Nothing of that is kept but that it was
// asked.
func (k credentialPages) checkCredential(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	id, err := web.ID[tenants.CredentialID](c, "credential")
	if err != nil {
		return err
	}
	p, err := k.Credentials.Probe(ctx, v.Tenant.ID, v.Who, id)
	if err != nil {
		return err
	}
	cr, err := v.Scope.Credentials().Get(ctx, id)
	if err != nil {
		return err
	}
	return k.credentialPage(ctx, c, v, cr, k.probeOf(p, v))
}

// wayBack is the question before going back to the previous credential; nil when there is none.
// From the page of a previous one the way leads to that one, from the page of the one in use to the
// newest previous.
func (k credentialPages) wayBack(ctx context.Context, v *page.Visitor,
	c tenants.Credential) (ask *views.Confirm, chosen tenants.Credential, err error) {
	all, err := everyCredential(ctx, v)
	if err != nil {
		return nil, chosen, err
	}
	chosen = c
	if c.State != tenants.CredentialPrevious {
		previous := alike(c, all, tenants.CredentialPrevious)
		if len(previous) == 0 {
			return nil, chosen, nil
		}
		chosen = previous[0]
	}
	reach, err := v.Scope.Devices().CountByEnvironment(ctx, chosen.Bundle)
	if err != nil {
		return nil, chosen, err
	}
	phones := 0
	for env, n := range reach {
		if chosen.Covers(env) {
			phones += n
		}
	}
	says := []string{views.Plural(phones, "phone", "phones") + " of " + chosen.Bundle + " " + verb(phones, "is",
		"are") + " called with " + credentialName(chosen) + " from now on."}
	for _, a := range alike(chosen, all, tenants.CredentialActive) {
		says = append(says, credentialName(a)+keptForBack)
	}
	switch {
	case !k.Now().Before(chosen.NotAfter) && !chosen.NotAfter.IsZero():
		says = append(says, keyExpired)
	case chosen.LastError != "" && chosen.LastErrorAt.After(chosen.LastUsedAt):
		says = append(says, lastRefused+chosen.LastError+".")
	case !chosen.NotAfter.IsZero():
		says = append(says, "It ends on "+chosen.NotAfter.In(v.Zone).Format("2 Jan 2006")+".")
	}
	return &views.Confirm{
		ID: "roll-back", Title: "Go back to " + credentialName(chosen) + "?", Button: "Roll back", Consequence: says,
		Action: views.CredentialRollbackPath(string(c.ID)), Back: views.CredentialPath(string(c.ID)),
	}, chosen, nil
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// rollback asks about going back from the credential that the path names to the one before it.
func (k credentialPages) rollback(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	cr, err := oneCredential(ctx, c, v)
	if err != nil {
		return confirmation{}, err
	}
	ask, chosen, err := k.wayBack(ctx, v, cr)
	if err != nil {
		return confirmation{}, err
	}
	if ask == nil {
		return confirmation{}, tenants.Refuse(tenants.Conflict, "no_previous",
			nothingToGoBackTo)
	}
	return confirmation{
		ask: *ask, title: "Roll back", nav: views.NavCredentials, up: up("Apple credentials", views.PathCredentials),
		do: func(ctx context.Context) error {
			_, err := k.Credentials.Rollback(ctx, v.Tenant.ID, v.Who, cr.ID)
			return err
		},
		said: page.FlashRolledBack, next: views.CredentialPath(string(chosen.ID)),
	}, nil
}

// setHedging says whether pushes with the credential are sent again while a connection to Apple is
// silent.
func (k credentialPages) setHedging(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	id, err := web.ID[tenants.CredentialID](c, "credential")
	if err != nil {
		return err
	}
	on := page.FormOf(c).Text("hedging")
	if on != "on" && on != "off" {
		return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: formPartMissing}
	}
	if err := v.Scope.Credentials().SetHedging(ctx, id, on == "on"); err != nil {
		return err
	}
	return k.Done(c, page.FlashHedging, views.CredentialPath(string(id)))
}

// setProfile says which fields the credential's pushes have.
func (k credentialPages) setProfile(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	id, err := web.ID[tenants.CredentialID](c, "credential")
	if err != nil {
		return err
	}
	if err := v.Scope.Credentials().SetProfile(ctx, id, tenants.PayloadProfile(page.FormOf(c).Text("profile"))); err != nil {
		return err
	}
	return k.Done(c, page.FlashProfile, views.CredentialPath(string(id)))
}

// profilePick are the ways to name the fields of a push, in words.
func profilePick(now tenants.PayloadProfile) views.Pick {
	pick := views.Pick{Name: "profile", Label: "Your app uses",
		Help: profileHelp}
	for _, p := range tenants.PayloadProfiles {
		pick.Choices = append(pick.Choices, views.Choice{Value: string(p), Text: profileNames[p], Selected: p == now})
	}
	return pick
}

// replacing fills in what the form for a new credential says of those that are here: all that work,
// and whose place it takes.
func (k credentialPages) replacing(ctx context.Context, v *page.Visitor, u health.Upload, p *views.CredentialAddPage) error {
	all, err := everyCredential(ctx, v)
	if err != nil {
		return err
	}
	for _, c := range all {
		if !k.working(c) {
			continue
		}
		p.Present = append(p.Present, views.CredentialRow{ID: string(c.ID), Name: credentialName(c), Bundle: c.Bundle,
			Environment: credentialEnv(c)})
		if p.Replaces != nil || c.Bundle != u.Bundle || c.Environment != u.Environment {
			continue
		}
		through, _, err := k.reach(ctx, v, c)
		if err != nil {
			return err
		}
		phones := 0
		for _, n := range through {
			phones += n
		}
		p.Replaces = &views.Callout{Tone: views.ToneInfo, Title: "This replaces " + credentialName(c),
			Cause: views.Plural(phones, "phone is called", "phones are called") + " with it. " + verb(phones, "It keeps",
				"They keep") + ringOn,
			Cure: rollBackCure + credentialName(c) + keptForThis}
	}
	return nil
}

// asSuccessor is what the form begins with when a credential is to be replaced.
func asSuccessor(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (health.Upload, error) {
	u := health.Upload{Environment: tenants.Auto}
	id, ok := tenants.ParseID[tenants.CredentialID](web.Query(c, "replaces"))
	if !ok {
		return u, nil
	}
	old, err := v.Scope.Credentials().Get(ctx, id)
	if err != nil {
		return u, err
	}
	u.Bundle, u.Environment, u.Team = old.Bundle, old.Environment, old.Team
	return u, nil
}

// addedAs is what is said after an upload: whether it took somebody's place.
func addedAs(ctx context.Context, v *page.Visitor, c tenants.Credential) (page.Flash, error) {
	all, err := everyCredential(ctx, v)
	if err != nil || len(alike(c, all, tenants.CredentialPrevious)) == 0 {
		return page.FlashAdded, err
	}
	return page.FlashReplaced, nil
}

// refusalOf is Apple's last complaint, with its cure.
func refusalOf(c tenants.Credential, tone views.Tone) *views.Callout {
	r := push.ReactionTo(403, c.LastError)
	return &views.Callout{Tone: tone, Title: "Apple’s reason: " + c.LastError, Cause: r.Cause, Cure: r.Cure,
		Action: views.Button{Text: "Replace key", Href: views.CredentialReplacePath(string(c.ID)), Kind: views.Quiet,
			Icon: views.IconUpload}}
}
