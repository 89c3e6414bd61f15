package health

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"carillon/app/push"
	"carillon/tenants"
	"carillon/tenants/store"
)

// MaxCredential is the most bytes of an uploaded credential file. Apple's files are under one
// kilobyte (.p8) and under four (.p12).
const MaxCredential = 64 << 10

// CredentialsConfig is what Credentials are made of. Store and Now are required.
type CredentialsConfig struct {
	Store *store.Store
	Probe Prober                              // asks Apple about a credential; nil = probes are refused
	Added func(tenants.Credential, *push.Key) // called for each new credential: dev mode's Apple learns its public key
	Now   func() time.Time
}

// Credentials takes, checks and opens APNs credentials. Its methods may be called from many
// goroutines.
type Credentials struct {
	CredentialsConfig
	limits  tenants.RateLimiter
	opening *opening
	opened  openedKeys
}

// NewCredentials checks the parts.
func NewCredentials(c CredentialsConfig) (*Credentials, error) {
	if c.Store == nil || c.Now == nil {
		return nil, errors.New("health: Credentials need Store and Now")
	}
	s := &Credentials{CredentialsConfig: c, opening: newOpening()}
	s.limits.Nodes = c.Store.NodesNow
	return s, nil
}

// Upload is an APNs credential as a person or program hands it over.
type Upload struct {
	Filename    string // only the key id is read from it
	File        []byte
	Password    string // of a .p12 or of a protected key
	Bundle      string
	Team, KeyID string // of a .p8; an empty KeyID is read from AuthKey_<key id>.p8
	Environment tenants.Environment
	Profile     tenants.PayloadProfile // empty = that of the credential it replaces, else carillon
}

// Add reads the file, seals it and stores it in place of the credential that its app had for the
// same environment; Rollback brings that one back. It refuses what Apple would refuse, with TooMany
// a tenant that uploads too often, and see opening. The returned credential holds what was read
// from the file, without the secret.
func (s *Credentials) Add(ctx context.Context, t tenants.TenantID, by store.Who, u Upload) (tenants.Credential, error) {
	if len(u.File) > MaxCredential {
		return tenants.Credential{}, tenants.Refuse(tenants.TooLarge, "file_too_large",
			"The file is larger than 64 KiB; a .p8 or .p12 file is a few KiB. Upload the file as Apple gave it.")
	}
	if err := s.limits.Admit(s.Now(), "too_many_uploads", uploadRate.For(string(t))); err != nil {
		return tenants.Credential{}, err
	}
	now := s.Now()
	c := tenants.Credential{
		ID: tenants.NewID[tenants.CredentialID](now), Tenant: t, Kind: tenants.P8, Bundle: strings.TrimSpace(u.Bundle),
		Environment: u.Environment, Team: appleID(u.Team), KeyID: appleID(u.KeyID), State: tenants.CredentialActive, CreatedAt: now,
		Profile: u.Profile,
	}
	if c.Environment == "" {
		c.Environment = tenants.Auto
	}
	key, secret, err := s.readUpload(ctx, &c, u)
	if isBusy(err) {
		s.limits.GiveBack(uploadRate.For(string(t)))
	}
	if err != nil {
		return tenants.Credential{}, err
	}
	c.Fingerprint = key.Fingerprint()
	scope := s.Store.For(t).By(by)
	add := scope.Credentials().Replace
	if !c.NotAfter.IsZero() && !now.Before(c.NotAfter) {
		add = scope.Credentials().Add // it has expired and must not replace one that works
	}
	if err := add(ctx, c, secret); err != nil {
		return tenants.Credential{}, err
	}
	if s.Added != nil {
		s.Added(c, key)
	}
	return scope.Credentials().Get(ctx, c.ID) // with the settings of the one it replaces
}

// appleID reads a team or key id as people type it: Apple's have capital letters and no spaces.
func appleID(s string) string { return strings.ToUpper(strings.TrimSpace(s)) }

// Rollback brings the previous credential of an app back; see store.Scope.RollbackCredential.
func (s *Credentials) Rollback(ctx context.Context, t tenants.TenantID, by store.Who, id tenants.CredentialID) (tenants.Credential, error) {
	return s.Store.For(t).By(by).Credentials().Rollback(ctx, id)
}

// readUpload opens the file and fills in what it says. Its content decides what it is, not its
// name.
func (s *Credentials) readUpload(ctx context.Context, c *tenants.Credential, u Upload) (*push.Key, []byte, error) {
	file, err := push.ReadFile(u.File)
	if err != nil {
		return nil, nil, withFieldFaults(err, *c)
	}
	if file.IsCertificate() {
		if file.IsCostly() {
			leave, err := s.opening.enter(ctx, c.Tenant)
			if err != nil {
				return nil, nil, err
			}
			defer leave()
		}
		return readCertificate(c, u)
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

// withFieldFaults adds the other wrong fields to the refusal of a file, so that a person corrects
// all of them at once. Whether the file needs a team id is not known then.
func withFieldFaults(refused error, c tenants.Credential) error {
	var file, fields *tenants.Error
	if c.Team == "" && c.KeyID == "" {
		c.Kind = tenants.P12
	}
	if !errors.As(refused, &file) || file.Kind != tenants.Invalid || !errors.As(c.Check(), &fields) {
		return refused
	}
	both := *fields
	both.Fields = append(slices.Clone(file.Fields), fields.Fields...)
	return &both
}

func readCertificate(c *tenants.Credential, u Upload) (*push.Key, []byte, error) {
	key, cert, err := push.OpenCertificate(u.File, u.Password)
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
		return nil, nil, &tenants.Error{Kind: tenants.Invalid, Code: "topic_missing",
			Msg: "This certificate may not ring the app " + c.Bundle + ".",
			Fields: []tenants.Field{{Name: "bundle_id", Message: "the certificate is for " + strings.Join(c.Topics, ", ") +
				"; leave this field empty for that app, or make a VoIP Services certificate for the app named here"}}}
	}
	opened, err := key.PEM()
	if err != nil {
		return nil, nil, err
	}
	if len(opened) > MaxCredential { // it has a long chain
		return key, packP12(u.Password, u.File), nil
	}
	return key, packP12("", opened), nil
}

// packP12 returns the stored form of a certificate: the password, a zero byte, the file. Most are
// stored opened, as PEM without a password, so that no ring waits for the hashing of one. Those of
// older versions are stored as they were uploaded.
func packP12(password string, file []byte) []byte {
	return append(append([]byte(password), 0), file...)
}

// openStored opens a stored credential.
func openStored(c tenants.Credential, secret []byte) (*push.Key, error) {
	if c.Kind == tenants.P8 {
		return push.OpenP8(c.Team, c.KeyID, secret)
	}
	password, file, _ := strings.Cut(string(secret), "\x00")
	key, _, err := push.OpenCertificate([]byte(file), password)
	return key, err
}

// openedKeys caches opened credentials. A credential's file never changes under its id, so an entry
// stays true; a full cache drops one entry at random. The zero value is ready.
type openedKeys struct {
	mu   sync.Mutex // guards byID
	byID map[tenants.CredentialID]*push.Key
}

// Key returns the opened credential with which pushes are signed.
func (s *Credentials) Key(ctx context.Context, t tenants.TenantID, id tenants.CredentialID) (*push.Key, error) {
	if key, ok := s.opened.get(id); ok {
		return key, nil
	}
	c, secret, err := s.Store.For(t).Credentials().Open(ctx, id)
	if err != nil {
		return nil, err
	}
	key, err := openStored(c, secret)
	if err != nil {
		return nil, err
	}
	s.opened.put(id, key)
	return key, nil
}

func (o *openedKeys) get(id tenants.CredentialID) (*push.Key, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key, ok := o.byID[id]
	return key, ok
}

func (o *openedKeys) put(id tenants.CredentialID, key *push.Key) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.byID == nil {
		o.byID = map[tenants.CredentialID]*push.Key{}
	}
	for old := range o.byID {
		if len(o.byID) < mostRemembered {
			break
		}
		delete(o.byID, old)
	}
	o.byID[id] = key
}
