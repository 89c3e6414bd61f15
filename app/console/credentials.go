package console

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/health"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// credentialPages serve the Apple credentials.
type credentialPages struct{ *Console }

// credentialName is how people tell credentials apart.
func credentialName(c tenants.Credential) string { return c.Title() }

func credentialKind(c tenants.Credential) string {
	if c.Kind == tenants.P12 {
		return "Certificate (.p12)"
	}
	return "Key (.p8)"
}

// stateOf is how a credential fares with Apple.
func (k *Console) stateOf(c tenants.Credential) badge {
	days, ends := tenants.ExpiryStep(c.NotAfter, k.Now())
	switch {
	case c.State == tenants.CredentialPrevious:
		return badge{views.ToneNeutral, "Kept for rollback"}
	case c.State != tenants.CredentialActive:
		return badge{views.ToneBad, "Refused by Apple"}
	case ends && days == 0:
		return badge{views.ToneBad, "Expired"}
	case c.LastError != "" && c.LastErrorAt.After(c.LastUsedAt):
		return badge{views.ToneWarn, "Last refused: " + c.LastError}
	case ends:
		return badge{views.ToneWarn, "Ends in " + views.Plural(int(c.NotAfter.Sub(k.Now())/(24*time.Hour))+1, "day", "days")}
	case c.LastUsedAt.IsZero():
		return badge{views.ToneNeutral, "Not used yet"}
	}
	return badge{views.ToneGood, "Working"}
}

func (k credentialPages) list(v *page.Visitor) page.List[tenants.Credential] {
	credentials := v.Scope.Credentials()
	return page.List[tenants.Credential]{
		Words: credentialWords, Keeper: v.Keeper(), MayAdd: v.Role.May(mayCredentials), Find: credentials.List, Total: credentials.Total,
		Head: []string{"id", "kind", "bundle_id", "team_id", "key_id", "environment", "state", "last_error",
			"last_error_at", "last_used_at", "expires_at", "created_at"},
		Cells: page.Each(func(x tenants.Credential) []string {
			return []string{string(x.ID), string(x.Kind), x.Bundle, x.Team, x.KeyID, string(x.Environment), string(x.State), x.LastError,
				page.Stamp(x.LastErrorAt), page.Stamp(x.LastUsedAt), page.Stamp(x.NotAfter), page.Stamp(x.CreatedAt)}
		}),
	}
}

func (k credentialPages) credentials(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	all, table, err := k.list(v).Page(ctx, page.QueryOf(c))
	if err != nil {
		return err
	}
	s, err := k.shell(ctx, c, v, at("Apple credentials", views.NavCredentials))
	if err != nil {
		return err
	}
	p := views.CredentialsPage{Shell: s, Table: table, CanEdit: v.Role.May(mayCredentials)}
	every, err := everyCredential(ctx, v)
	if err != nil {
		return err
	}
	for _, cr := range all {
		row, err := k.credentialRow(ctx, v, cr, every)
		if err != nil {
			return err
		}
		p.Credentials = append(p.Credentials, row)
	}
	return web.Page(c, views.Credentials(p), fiber.StatusOK)
}

func credentialEnv(c tenants.Credential) views.Environment {
	if c.Environment == tenants.Auto {
		return views.EnvBoth
	}
	return envOf(c.Environment)
}

func (k credentialPages) credentialsCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.list(v).Send(ctx, c, k.Common, page.QueryOf(c))
}

func (k credentialPages) credentialForm(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	u, err := asSuccessor(ctx, c, v)
	if err != nil {
		return err
	}
	return k.uploadPage(ctx, c, v, u, page.Wrong{Status: fiber.StatusOK})
}

func (k credentialPages) uploadPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, u health.Upload, w page.Wrong) error {
	s, err := k.shell(ctx, c, v, at("Add a credential", views.NavCredentials, up("Apple credentials", views.PathCredentials)))
	if err != nil {
		return err
	}
	p := views.CredentialAddPage{
		Shell: s, Error: w.Unseen("file", "team_id", "key_id", "bundle_id", "password"), File: w.Fields["file"],
		Team: views.Field{Name: "team_id", Label: "Team id", Value: page.Shown(u.Team, 10), NeededFor: "p8", Mono: true, Max: 10,
			Error: w.Fields["team_id"], Help: teamHelp},
		Key: views.Field{Name: "key_id", Label: "Key id", Value: page.Shown(u.KeyID, 10), NeededFor: "p8", Mono: true, Max: 10,
			Error: w.Fields["key_id"], Help: keyIDHelp},
		Bundle: views.Field{Name: "bundle_id", Label: bundleLabel, Value: page.Shown(u.Bundle, 155), NeededFor: "p8", Mono: true,
			Max: 155, Error: w.Fields["bundle_id"], Placeholder: "com.example.app",
			Help: bundleHelp},
		Password: views.Field{Name: "password", Label: passwordLabel, Type: "password", Optional: true, Autocomplete: "off",
			Error: w.Fields["password"], Help: passwordHelp},
		Environment: page.Choose(string(u.Environment), page.Choice("auto", "Both"), page.Choice("production", "Production"),
			page.Choice("sandbox", "Sandbox")),
	}
	if len(u.File) > 0 && p.File == "" { // the form comes back without it: no page may hold a key
		p.File = fileAgain
	}
	if err := k.replacing(ctx, v, u, &p); err != nil {
		return err
	}
	return web.Page(c, views.CredentialAdd(p), w.Status)
}

// addCredential reads the file and keeps it. A fault comes back with the form, at the field that is
// at fault.
func (k credentialPages) addCredential(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	leave, err := web.ReadUpload(c, v.Holder())
	if err != nil {
		return err
	}
	defer leave()
	u, err := readUpload(c)
	var cred tenants.Credential
	if err == nil {
		cred, err = k.Credentials.Add(ctx, v.Tenant.ID, v.Who, u)
	}
	if w, ok := page.WrongOf(err); ok {
		return k.uploadPage(ctx, c, v, u, w)
	}
	if err != nil {
		return err
	}
	said, err := addedAs(ctx, v, cred)
	if err != nil {
		return err
	}
	return k.Done(c, said, views.CredentialPath(string(cred.ID)))
}

// readUpload reads the multipart form: in memory, at most one file, no file name ever reaches a
// disk.
func readUpload(c *fiber.Ctx) (health.Upload, error) {
	u := health.Upload{Environment: tenants.Auto}
	form, err := c.MultipartForm()
	if err != nil {
		return u, &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: unreadForm, Err: err}
	}
	defer func() { _ = form.RemoveAll() }()
	value := func(name string) string {
		if all := form.Value[name]; len(all) > 0 {
			return strings.Clone(all[0])
		}
		return ""
	}
	u.Team, u.KeyID, u.Bundle, u.Password = value("team_id"), value("key_id"), value("bundle_id"), value("password")
	if e := tenants.Environment(value("environment")); e != "" {
		u.Environment = e
	}
	files := form.File["file"]
	switch {
	case len(files) > 1:
		return u, fileFault(tenants.Invalid, oneFile)
	case len(files) == 0 || files[0].Filename == "": // browsers send an empty part if no file was chosen
		return u, fileFault(tenants.Invalid, noFile)
	case files[0].Size == 0:
		return u, fileFault(tenants.Invalid, emptyFile)
	case files[0].Size > health.MaxCredential:
		return u, fileFault(tenants.TooLarge, largeFile)
	}
	u.Filename = strings.Clone(files[0].Filename)
	u.File, err = contents(files[0], health.MaxCredential+1)
	if err != nil {
		return u, fileFault(tenants.Invalid, unreadFile)
	}
	return u, nil
}

func fileFault(kind tenants.Kind, msg string) error {
	return &tenants.Error{Kind: kind, Msg: msg, Fields: []tenants.Field{{Name: "file", Message: msg}}}
}

func contents(h *multipart.FileHeader, most int64) (b []byte, err error) {
	f, err := h.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, most))
}

func oneCredential(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (tenants.Credential, error) {
	id, err := web.ID[tenants.CredentialID](c, "credential")
	if err != nil {
		return tenants.Credential{}, err
	}
	return v.Scope.Credentials().Get(ctx, id)
}

func (k credentialPages) credential(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	cr, err := oneCredential(ctx, c, v)
	if err != nil {
		return err
	}
	return k.credentialPage(ctx, c, v, cr, nil)
}

// credentialPage shows a credential, and what Apple said if it was just asked.
func (k credentialPages) credentialPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, cr tenants.Credential,
	said *views.Probe) error {
	through, alone, err := k.reach(ctx, v, cr)
	if err != nil {
		return err
	}
	h := k.stateOf(cr)
	p := views.CredentialPage{
		ID: string(cr.ID), Tone: h.tone, State: h.text, Facts: credentialFacts(cr, v), Devices: reachRows(through), Probe: said,
		CanEdit: v.Role.May(mayCredentials), NoHedge: cr.NoHedge, Profile: profilePick(cr.Profile),
		Kept: cr.State == tenants.CredentialPrevious, Remove: removalOfCredential(cr, alone),
	}
	if p.Problem, err = k.credentialProblem(ctx, v, cr, h); p.Problem != nil && !v.Role.May(mayCredentials) {
		p.Problem.Action = views.Button{} // it replaces the key
	}
	if err != nil {
		return err
	}
	if p.Back, _, err = k.wayBack(ctx, v, cr); err != nil {
		return err
	}
	if p.Shell, err = k.shell(ctx, c, v, named(credentialName(cr), views.NavCredentials,
		up("Apple credentials", views.PathCredentials))); err != nil {
		return err
	}
	return web.Page(c, views.Credential(p), fiber.StatusOK)
}

// credentialProblem is what is wrong with a credential, or soon will be; nil when nothing is.
func (k credentialPages) credentialProblem(ctx context.Context, v *page.Visitor, c tenants.Credential, h badge) (*views.Callout, error) {
	switch {
	case c.State == tenants.CredentialPrevious:
		return &views.Callout{Tone: views.ToneInfo, Title: "Kept for rollback " + keptUntil(c, v),
			Cause: replacedCause}, nil
	case h.tone == views.ToneGood || h.tone == views.ToneNeutral:
		return nil, nil
	case c.LastError != "" && c.LastErrorAt.After(c.LastUsedAt) && k.working(c):
		return refusalOf(c, h.tone), nil
	}
	all, err := everyCredential(ctx, v)
	if err != nil {
		return nil, err
	}
	warning, _, err := k.ending(ctx, v, c, all)
	if warning == "" || err != nil {
		return refusalOf(c, h.tone), err
	}
	return &views.Callout{Tone: h.tone, Title: h.text, Cause: warning,
		Action: views.Button{Text: "Replace key", Href: views.CredentialReplacePath(string(c.ID)), Kind: views.Primary,
			Icon: views.IconUpload}}, nil
}

// reach counts the phones that may be called with a credential, by environment, and how many of
// them no other one covers.
func (k credentialPages) reach(ctx context.Context, v *page.Visitor, c tenants.Credential) (through map[tenants.Environment]int, alone int,
	err error) {
	devices, err := v.Scope.Devices().CountByEnvironment(ctx, c.Bundle)
	if err != nil {
		return nil, 0, err
	}
	all, err := everyCredential(ctx, v)
	if err != nil {
		return nil, 0, err
	}
	through = map[tenants.Environment]int{}
	if c.State == tenants.CredentialPrevious {
		return through, 0, nil // nobody rings through it
	}
	for env, n := range devices {
		if !c.Covers(env) {
			continue
		}
		through[env] = n
		other := false
		for _, o := range all {
			other = other || o.ID != c.ID && o.Bundle == c.Bundle && k.working(o) && o.Covers(env)
		}
		if !other && k.working(c) {
			alone += n
		}
	}
	return through, alone, nil
}

func reachRows(through map[tenants.Environment]int) []views.Row {
	var rows []views.Row
	for _, e := range []struct {
		env  tenants.Environment
		name string
	}{{tenants.Production, "Production"}, {tenants.Sandbox, "Sandbox"}, {tenants.Auto, "Not known yet"}} {
		if n := through[e.env]; n > 0 {
			rows = append(rows, views.Row{Name: e.name, Text: views.Plural(n, "phone", "phones")})
		}
	}
	return rows
}

// removal asks about the credential that the path names.
func (k credentialPages) removal(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	cr, err := oneCredential(ctx, c, v)
	if err != nil {
		return confirmation{}, err
	}
	_, alone, err := k.reach(ctx, v, cr)
	return confirmation{
		ask:   removalOfCredential(cr, alone),
		title: "Remove a credential", nav: views.NavCredentials, up: up("Apple credentials", views.PathCredentials),
		do:   func(ctx context.Context) error { return v.Scope.Credentials().Remove(ctx, cr.ID) },
		said: page.FlashRemoved, next: views.PathCredentials,
	}, err
}
