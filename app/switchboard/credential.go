package switchboard

import (
	"context"
	"path"
	"slices"
	"strings"

	"carillon/app/push"
	"carillon/tenants"
)

// MaxCredential is the most bytes of an uploaded credential file; Apple's are under one kilobyte (.p8) and four (.p12).
const MaxCredential = 64 << 10

// Upload is an APNs credential as a person or program hands it over.
type Upload struct {
	Filename    string
	File        []byte
	Password    string // of a .p12
	Bundle      string
	Team, KeyID string // of a .p8; an empty KeyID is read from AuthKey_<key id>.p8
	Environment tenants.Environment
}

// AddCredential reads the file, refuses what Apple would refuse, seals it and stores it in the place of the one that its app had for
// the same environment, which Rollback brings back. The answer holds what was read out of the
// file, never the secret.
func (b *Board) AddCredential(ctx context.Context, c Caller, u Upload) (tenants.Credential, error) {
	if len(u.File) > MaxCredential {
		return tenants.Credential{}, tenants.Refuse(tenants.TooLarge, "file_too_large", "The file is larger than any Apple credential. Choose the .p8 or .p12 file.")
	}
	if err := b.patience(c.Tenant.ID, "uploads", uploadEvery, uploadBurst); err != nil {
		return tenants.Credential{}, err
	}
	now := b.Now()
	cred := tenants.Credential{
		ID: tenants.NewID[tenants.CredentialID](now), Tenant: c.Tenant.ID, Kind: tenants.P8, Bundle: u.Bundle,
		Environment: u.Environment, Team: u.Team, KeyID: u.KeyID, State: tenants.CredentialActive, CreatedAt: now,
	}
	if cred.Environment == "" {
		cred.Environment = tenants.Auto
	}
	key, secret, err := read(&cred, u)
	if err != nil {
		return tenants.Credential{}, err
	}
	cred.Fingerprint = key.Fingerprint()
	add := b.scope(c).ReplaceCredential
	if !cred.NotAfter.IsZero() && !now.Before(cred.NotAfter) {
		add = b.scope(c).AddCredential // it is over already, and takes nobody's place
	}
	if err := add(ctx, cred, secret); err != nil {
		return tenants.Credential{}, err
	}
	if b.Opened != nil {
		b.Opened(cred, key)
	}
	return cred, nil
}

// read opens the file and fills in what it says.
func read(c *tenants.Credential, u Upload) (*push.Key, []byte, error) {
	if strings.EqualFold(path.Ext(u.Filename), ".p12") || strings.EqualFold(path.Ext(u.Filename), ".pfx") {
		return readP12(c, u)
	}
	if c.KeyID == "" {
		c.KeyID = push.SuggestKeyID(u.Filename)
	}
	if err := c.Check(); err != nil {
		return nil, nil, err
	}
	key, err := push.OpenP8(c.Team, c.KeyID, u.File)
	return key, u.File, err
}

func readP12(c *tenants.Credential, u Upload) (*push.Key, []byte, error) {
	key, cert, err := push.OpenP12(u.File, u.Password)
	if err != nil {
		return nil, nil, err
	}
	c.Kind, c.Team, c.KeyID = tenants.P12, "", ""
	c.Topics, c.NotAfter = cert.Topics, cert.NotAfter
	if c.Bundle == "" {
		c.Bundle = cert.Bundle
	}
	if err := c.Check(); err != nil {
		return nil, nil, err
	}
	if !slices.Contains(c.Topics, c.Bundle+".voip") {
		return nil, nil, &tenants.Error{Kind: tenants.Invalid, Code: "topic_missing", Msg: "This certificate may not ring the app " + c.Bundle + ".",
			Fields: []tenants.Field{{Name: "bundle_id", Message: "the certificate is for " + strings.Join(c.Topics, ", ") + "; make a VoIP Services certificate for this app, or better a .p8 key"}}}
	}
	// The password goes with the file: both are sealed, and the next start opens them again.
	return key, packP12(u.Password, u.File), nil
}

// packP12 is the stored form of a certificate: the password, a zero byte, the file.
func packP12(password string, file []byte) []byte {
	return append(append([]byte(password), 0), file...)
}

// openKey opens a stored credential.
func openKey(c tenants.Credential, secret []byte) (*push.Key, error) {
	if c.Kind == tenants.P8 {
		return push.OpenP8(c.Team, c.KeyID, secret)
	}
	password, file, _ := strings.Cut(string(secret), "\x00")
	key, _, err := push.OpenP12([]byte(file), password)
	return key, err
}

// Open opens a stored credential; dev mode teaches its Apple the public key.
func (b *Board) Open(ctx context.Context, t tenants.TenantID, id tenants.CredentialID) (*push.Key, error) {
	return b.keys.open(ctx, b.Store.For(t), id)
}
