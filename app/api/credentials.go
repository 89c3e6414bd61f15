package api

import (
	"context"
	"io"
	"mime"
	"mime/multipart"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"carillon/app/health"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
)

// credential is an Apple credential as programs see it: what the file says, never the secret.
type credential struct {
	ID          string   `json:"id"`
	Kind        string   `json:"kind"`
	Bundle      string   `json:"bundle_id"`
	Environment string   `json:"environment"`
	Team        *string  `json:"team_id"`
	KeyID       *string  `json:"key_id"`
	Topics      []string `json:"topics"`
	Fingerprint string   `json:"fingerprint"`
	NotAfter    *string  `json:"not_after"`
	State       string   `json:"state"`
	Hedging     bool     `json:"hedging"`
	Profile     string   `json:"payload_profile"`
	LastError   *string  `json:"last_error"`
	LastErrorAt *string  `json:"last_error_at"`
	LastUsedAt  *string  `json:"last_used_at"`
	CreatedAt   string   `json:"created_at"`
}

func showCredential(c tenants.Credential) credential {
	topics := c.Topics
	if topics == nil {
		topics = []string{}
	}
	return credential{
		ID: string(c.ID), Kind: string(c.Kind), Bundle: c.Bundle, Environment: string(c.Environment), Team: opt(c.Team),
		KeyID: opt(c.KeyID), Topics: topics, Fingerprint: c.Fingerprint, NotAfter: optStamp(c.NotAfter),
		State: string(c.State), Hedging: !c.NoHedge, Profile: string(c.Profile),
		LastError: opt(c.LastError), LastErrorAt: optStamp(c.LastErrorAt), LastUsedAt: optStamp(c.LastUsedAt),
		CreatedAt: stamp(c.CreatedAt),
	}
}

// PathUpload is the path of the one upload; see web.Config.Uploads.
const PathUpload = "/v1/credentials"

// upload reads the form of POST /v1/credentials: one file and a few fields, each at most once.
// Nothing is written to a disk.
func upload(c *fiber.Ctx) (health.Upload, error) {
	kind, _, err := mime.ParseMediaType(string(c.Request().Header.ContentType()))
	if err != nil || kind != fiber.MIMEMultipartForm {
		return health.Upload{}, tenants.Refuse(tenants.Unsupported, "unsupported", "Send the file as multipart/form-data.")
	}
	form, err := c.MultipartForm()
	if err != nil {
		return health.Upload{}, &tenants.Error{Kind: tenants.Invalid, Code: "malformed_form",
			Msg: "The form cannot be read: it is cut off, or its boundary is not the one that Content-Type names.", Err: err}
	}
	u := health.Upload{Environment: tenants.Auto}
	environment, profile := "", ""
	words := map[string]*string{"bundle_id": &u.Bundle, "team_id": &u.Team, "key_id": &u.KeyID, "password": &u.Password,
		"environment": &environment, "payload_profile": &profile}
	faults := readFields(form.Value, words)
	u.Profile = tenants.PayloadProfile(profile)
	if environment != "" {
		u.Environment = tenants.Environment(environment)
	}
	for name := range form.File {
		if _, known := words[name]; known {
			faults = append(faults, tenants.Field{Name: name, Message: "send it as text, without a file name"})
		} else if name != "file" {
			faults = append(faults, tenants.Field{Name: name, Message: "unknown field"})
		}
	}
	files := form.File["file"]
	switch {
	case len(files) > 1:
		faults = append(faults, tenants.Field{Name: "file", Message: "one file only; send each credential by itself"})
	case len(files) == 0 && len(form.Value["file"]) > 0:
		faults = append(faults, tenants.Field{Name: "file", Message: "send it as a file, with a file name"})
	case len(files) == 0:
		faults = append(faults, tenants.Field{Name: "file", Message: "the .p8 key or .p12 certificate is missing"})
	}
	if err := invalid(faults, "Please correct the fields below."); err != nil {
		return health.Upload{}, err
	}
	u.Filename = baseName(files[0].Filename)
	u.File, err = content(files[0])
	return u, err
}

// readFields sets the form's values, and returns those that are unknown or repeated.
func readFields(values map[string][]string, words map[string]*string) []tenants.Field {
	var faults []tenants.Field
	for name, v := range values {
		to, known := words[name]
		switch {
		case name == "file": // upload refuses it
		case !known:
			faults = append(faults, tenants.Field{Name: name, Message: "unknown field"})
		case len(v) != 1:
			faults = append(faults, tenants.Field{Name: name, Message: "given more than once"})
		case len(v[0]) > 255:
			faults = append(faults, tenants.Field{Name: name, Message: "longer than 255 bytes"})
		case !utf8.ValidString(v[0]):
			faults = append(faults, tenants.Field{Name: name, Message: "not UTF-8"})
		case strings.ContainsRune(v[0], 0):
			faults = append(faults, tenants.Field{Name: name, Message: "it holds a zero byte"})
		default:
			*to = v[0]
		}
	}
	return faults
}

// baseName is the file's name without the path that a client may send, cut to the length of a file
// name.
func baseName(name string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	if len(name) > 255 || !tenants.ValidText(name, 0, 255) {
		return ""
	}
	return name
}

func content(h *multipart.FileHeader) ([]byte, error) {
	if h.Size > web.MaxBody {
		return nil, tenants.Refuse(tenants.TooLarge, "too_large",
			"The file is larger than 64 KiB; a .p8 or .p12 file is a few KiB. Upload the file as Apple gave it.")
	}
	f, err := h.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// credentialAPI keeps a tenant's keys and certificates for Apple.
type credentialAPI struct{ *API }

func (a credentialAPI) credentialRoutes() []Route {
	return []Route{
		{Method: "POST", Path: PathUpload, Needs: tenants.CredentialsWrite, key: a.addCredential},
		{Method: "GET", Path: "/v1/credentials", Needs: tenants.CredentialsRead, key: a.listCredentials},
		{Method: "GET", Path: "/v1/credentials/:id", Needs: tenants.CredentialsRead, key: a.showCredential},
		{Method: "PATCH", Path: "/v1/credentials/:id", Needs: tenants.CredentialsWrite, key: a.changeCredential},
		{Method: "DELETE", Path: "/v1/credentials/:id", Needs: tenants.CredentialsWrite, key: a.removeCredential},
		{Method: "POST", Path: "/v1/credentials/:id/probe", Needs: tenants.CredentialsWrite, key: a.probeCredential},
		{Method: "POST", Path: "/v1/credentials/:id/rollback", Needs: tenants.CredentialsWrite, key: a.rollBackCredential},
	}
}

// addCredential: POST /v1/credentials.
func (a credentialAPI) addCredential(ctx context.Context, c *fiber.Ctx, k caller) error {
	leave, err := web.ReadUpload(c, k.reader.Holder)
	if err != nil {
		return err
	}
	defer leave()
	u, err := upload(c)
	if err != nil {
		return err
	}
	stored, err := a.Credentials.Add(ctx, k.Tenant.ID, k.Who, u)
	if err != nil {
		return err
	}
	c.Response().Header.Set(fiber.HeaderLocation, "/v1/credentials/"+string(stored.ID))
	return reply(c, fiber.StatusCreated, showCredential(stored))
}

// page reads the query parameters of simple lists.
func page(c *fiber.Ctx) (store.Page, error) {
	f := filter{c: c}
	q := store.Page{Search: f.text("q"), After: f.cursor(), Limit: f.limit()}
	return q, f.err()
}

// listCredentials: GET /v1/credentials.
func (a credentialAPI) listCredentials(ctx context.Context, c *fiber.Ctx, k caller) error {
	q, err := page(c)
	if err != nil {
		return err
	}
	rows, next, err := k.scope.Credentials().List(ctx, q)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, listOf(rows, next, showCredential))
}

// showCredential: GET /v1/credentials/{id}.
func (a credentialAPI) showCredential(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.CredentialID](c, "credential")
	if err != nil {
		return err
	}
	found, err := k.scope.Credentials().Get(ctx, id)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, showCredential(found))
}

// credentialChange is the body of PATCH /v1/credentials/{id}: omitted fields stay.
type credentialChange struct {
	Hedging *bool                   `json:"hedging"`
	Profile *tenants.PayloadProfile `json:"payload_profile"`
}

// changeCredential: PATCH /v1/credentials/{id}.
func (a credentialAPI) changeCredential(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.CredentialID](c, "credential")
	if err != nil {
		return err
	}
	var body credentialChange
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	if body.Profile != nil { // before anything is changed
		if err := tenants.CheckProfile(*body.Profile); err != nil {
			return err
		}
	}
	if body.Hedging != nil {
		if err := k.scope.Credentials().SetHedging(ctx, id, *body.Hedging); err != nil {
			return err
		}
	}
	if body.Profile != nil {
		if err := k.scope.Credentials().SetProfile(ctx, id, *body.Profile); err != nil {
			return err
		}
	}
	found, err := k.scope.Credentials().Get(ctx, id)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, showCredential(found))
}

// removeCredential: DELETE /v1/credentials/{id}.
func (a credentialAPI) removeCredential(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.CredentialID](c, "credential")
	if err != nil {
		return err
	}
	if err := k.scope.Credentials().Remove(ctx, id); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}
