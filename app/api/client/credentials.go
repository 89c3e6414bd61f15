package client

import (
	"context"
	"iter"
)

// Credentials keeps the Apple keys and certificates of a tenant.
type Credentials struct{ calls *Calls }

// CredentialFile is a .p8 key or a .p12 certificate with what Carillon has to know about it.
type CredentialFile struct {
	Name string // such as AuthKey_ABCDE12345.p8, which gives the key ID
	File []byte

	BundleID    string
	Environment Environment
	TeamID      string // of a .p8
	KeyID       string // of a .p8; may be empty if Name has it
	Password    string // of a .p12

	PayloadProfile PayloadProfile // empty = carillon
}

// Add uploads a credential. The answer is what was read from the file, never the secret.
func (c *Credentials) Add(ctx context.Context, f CredentialFile) (Credential, error) {
	body, kind, err := form(map[string]string{
		"bundle_id": f.BundleID, "environment": string(f.Environment), "team_id": f.TeamID, "key_id": f.KeyID, "password": f.Password,
		"payload_profile": string(f.PayloadProfile),
	}, f.Name, f.File)
	if err != nil {
		return Credential{}, err
	}
	return read[Credential](c.calls.AddCredentialWithBody(ctx, kind, body))
}

// Get reads a credential.
func (c *Credentials) Get(ctx context.Context, id string) (Credential, error) {
	return read[Credential](c.calls.ShowCredential(ctx, id))
}

// List reads one page of credentials.
func (c *Credentials) List(ctx context.Context, p ListCredentialsParams) (Page[Credential], error) {
	return read[Page[Credential]](c.calls.ListCredentials(ctx, &p))
}

// All iterates over the credentials of every page.
func (c *Credentials) All(ctx context.Context, p ListCredentialsParams) iter.Seq2[Credential, error] {
	return all(func(after *string) (Page[Credential], error) {
		if after != nil {
			p.After = after
		}
		return c.List(ctx, p)
	})
}

// Change sets the fields that are not nil.
func (c *Credentials) Change(ctx context.Context, id string, change ChangeCredentialJSONRequestBody) (Credential, error) {
	return read[Credential](c.calls.ChangeCredential(ctx, id, change))
}

// Test sends a push to a token that no phone has, and explains Apple's answers.
func (c *Credentials) Test(ctx context.Context, id string) (Probe, error) {
	return read[Probe](c.calls.ProbeCredential(ctx, id))
}

// RollBack changes places between a credential and the previous one.
func (c *Credentials) RollBack(ctx context.Context, id string) (Credential, error) {
	return read[Credential](c.calls.RollBackCredential(ctx, id))
}

// Remove removes a credential.
func (c *Credentials) Remove(ctx context.Context, id string) error {
	return done(c.calls.RemoveCredential(ctx, id))
}
