package store

import (
	"context"
	"time"

	"carillon/tenants"
)

var pending = tenants.Refuse(tenants.Unavailable, "pending", "not yet")

type Due struct {
	Tenant tenants.TenantID
	Ring   tenants.RingID
}
type Membership struct {
	Tenant tenants.Tenant
	Role   tenants.Role
}
type SignIn struct {
	Hash                         tenants.Hash
	User                         tenants.UserID
	Tenant                       tenants.TenantID
	CreatedAt, IdleAt, ExpiresAt time.Time
	IP, UserAgent                string
}
type Invitation struct {
	Hash      tenants.Hash
	Tenant    tenants.TenantID
	Email     string
	Role      tenants.Role
	By        tenants.Actor
	CreatedAt time.Time
	ExpiresAt time.Time
}
type Target struct {
	Device     tenants.Device
	Credential *tenants.Credential
}
type Idempotency struct {
	Key  string
	Body [32]byte
}
type RingQuery struct {
	State    tenants.State
	Device   tenants.DeviceID
	Person   string
	Agent    tenants.AgentID
	Search   string
	From, To time.Time
	After    string
	Limit    int
}
type DeviceQuery struct {
	Person, Bundle string
	State          tenants.DeviceState
	Search         string
	After          string
	Limit          int
}
type AuditQuery struct {
	Search, Action string
	From, To       time.Time
	After          string
	Limit          int
}
type FunnelRow struct {
	Group   string
	Fact    tenants.FactKind
	N       int64
	Buckets map[int]int64
}

func (s *Store) TenantOfKey(ctx context.Context, h tenants.Hash) (tenants.Tenant, tenants.Key, error) {
	return tenants.Tenant{}, tenants.Key{}, pending
}
func (s *Store) TenantOfDevice(ctx context.Context, h tenants.Hash) (tenants.Tenant, tenants.Device, error) {
	return tenants.Tenant{}, tenants.Device{}, pending
}
func (s *Store) TenantOfPairing(ctx context.Context, h tenants.Hash, now time.Time) (tenants.Tenant, tenants.Pairing, error) {
	return tenants.Tenant{}, tenants.Pairing{}, pending
}
func (s *Store) AddTenant(ctx context.Context, who Who, t tenants.Tenant) error { return pending }
func (s *Store) Tenants(ctx context.Context) ([]tenants.Tenant, error)          { return nil, pending }
func (s *Store) Due(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]Due, error) {
	return nil, pending
}
func (s *Store) Roll(ctx context.Context, limit int) (rolled int, err error) { return 0, pending }
func (s *Store) Forget(ctx context.Context, now time.Time) error             { return pending }
func (s *Store) Credentials(ctx context.Context) ([]tenants.Credential, error) {
	return nil, pending
}
func (s *Store) AddUser(ctx context.Context, u tenants.User) error { return pending }
func (s *Store) User(ctx context.Context, id tenants.UserID) (tenants.User, error) {
	return tenants.User{}, pending
}
func (s *Store) UserByEmail(ctx context.Context, email string) (tenants.User, error) {
	return tenants.User{}, pending
}
func (s *Store) SetPassword(ctx context.Context, id tenants.UserID, phc string, except ...tenants.Hash) error {
	return pending
}
func (s *Store) SetUser(ctx context.Context, u tenants.User) error { return pending }
func (s *Store) Memberships(ctx context.Context, user tenants.UserID) ([]Membership, error) {
	return nil, pending
}
func (s *Store) AddSignIn(ctx context.Context, in SignIn) error { return pending }
func (s *Store) SignInOf(ctx context.Context, h tenants.Hash, now time.Time) (SignIn, tenants.User, error) {
	return SignIn{}, tenants.User{}, pending
}
func (s *Store) TouchSignIn(ctx context.Context, h tenants.Hash, idleAt time.Time) error {
	return pending
}
func (s *Store) SwitchSignIn(ctx context.Context, h tenants.Hash, t tenants.TenantID) error {
	return pending
}
func (s *Store) EndSignIn(ctx context.Context, h tenants.Hash) error { return pending }
func (s *Store) EndSignIns(ctx context.Context, user tenants.UserID, except tenants.Hash) error {
	return pending
}
func (s *Store) SignIns(ctx context.Context, user tenants.UserID) ([]SignIn, error) {
	return nil, pending
}
func (s *Store) InvitationOf(ctx context.Context, h tenants.Hash, now time.Time) (Invitation, error) {
	return Invitation{}, pending
}
func (s *Store) TakeInvitation(ctx context.Context, h tenants.Hash, user tenants.User, now time.Time) (tenants.Member, error) {
	return tenants.Member{}, pending
}

func (s *Scope) Tenant(ctx context.Context) (tenants.Tenant, error) {
	return tenants.Tenant{}, pending
}
func (s *Scope) SetTenant(ctx context.Context, t tenants.Tenant) error { return pending }
func (s *Scope) Targets(ctx context.Context, to tenants.To) ([]Target, error) {
	return nil, pending
}
func (s *Scope) AddRing(ctx context.Context, r *tenants.Ring, i Idempotency, due time.Time) (earlier *tenants.Ring, err error) {
	return nil, pending
}
func (s *Scope) ChangeRing(ctx context.Context, id tenants.RingID, hint *tenants.Ring, due time.Time, change func(*tenants.Ring) ([]tenants.Fact, error)) (*tenants.Ring, []tenants.Fact, error) {
	return nil, nil, pending
}
func (s *Scope) SetDue(ctx context.Context, id tenants.RingID, due time.Time) error { return pending }
func (s *Scope) Ring(ctx context.Context, id tenants.RingID) (*tenants.Ring, error) {
	return nil, pending
}
func (s *Scope) Rings(ctx context.Context, q RingQuery) (rings []*tenants.Ring, next string, err error) {
	return nil, "", pending
}
func (s *Scope) Facts(ctx context.Context, id tenants.RingID, after int64) ([]tenants.Fact, error) {
	return nil, pending
}
func (s *Scope) Devices(ctx context.Context, q DeviceQuery) ([]tenants.Device, string, error) {
	return nil, "", pending
}
func (s *Scope) Device(ctx context.Context, id tenants.DeviceID) (tenants.Device, error) {
	return tenants.Device{}, pending
}
func (s *Scope) CountDevices(ctx context.Context) (int, error) { return 0, pending }
func (s *Scope) AddDevice(ctx context.Context, d tenants.Device, credential tenants.Hash) (stored tenants.Device, known bool, err error) {
	return tenants.Device{}, false, pending
}
func (s *Scope) SetDevice(ctx context.Context, d tenants.Device) error       { return pending }
func (s *Scope) RemoveDevice(ctx context.Context, id tenants.DeviceID) error { return pending }
func (s *Scope) SetToken(ctx context.Context, id tenants.DeviceID, token string, env tenants.Environment, appVersion, osVersion string) error {
	return pending
}
func (s *Scope) LearnEnvironment(ctx context.Context, id tenants.DeviceID, env tenants.Environment) error {
	return pending
}
func (s *Scope) DisableDevice(ctx context.Context, id tenants.DeviceID, reason string, asOf time.Time) (bool, error) {
	return false, pending
}
func (s *Scope) AddPairing(ctx context.Context, p tenants.Pairing, h tenants.Hash) error {
	return pending
}
func (s *Scope) TakePairing(ctx context.Context, id tenants.PairingID, d tenants.Device, credential tenants.Hash, now time.Time) (tenants.Device, error) {
	return tenants.Device{}, pending
}
func (s *Scope) Pairing(ctx context.Context, id tenants.PairingID) (tenants.Pairing, error) {
	return tenants.Pairing{}, pending
}
func (s *Scope) AddCredential(ctx context.Context, c tenants.Credential, secret []byte) error {
	return pending
}
func (s *Scope) Credentials(ctx context.Context, q Page) ([]tenants.Credential, string, error) {
	return nil, "", pending
}
func (s *Scope) Credential(ctx context.Context, id tenants.CredentialID) (tenants.Credential, error) {
	return tenants.Credential{}, pending
}
func (s *Scope) OpenCredential(ctx context.Context, id tenants.CredentialID) (tenants.Credential, []byte, error) {
	return tenants.Credential{}, nil, pending
}
func (s *Scope) RemoveCredential(ctx context.Context, id tenants.CredentialID) error { return pending }
func (s *Scope) CredentialTrouble(ctx context.Context, id tenants.CredentialID, reason string, disable bool, at time.Time) error {
	return pending
}
func (s *Scope) CredentialUsed(ctx context.Context, id tenants.CredentialID, at time.Time) error {
	return pending
}
func (s *Scope) AddAgent(ctx context.Context, a tenants.Agent) error       { return pending }
func (s *Scope) SetAgent(ctx context.Context, a tenants.Agent) error       { return pending }
func (s *Scope) RemoveAgent(ctx context.Context, id tenants.AgentID) error { return pending }
func (s *Scope) Agent(ctx context.Context, id tenants.AgentID) (tenants.Agent, error) {
	return tenants.Agent{}, pending
}
func (s *Scope) Agents(ctx context.Context, q Page) ([]tenants.Agent, string, error) {
	return nil, "", pending
}
func (s *Scope) AddKey(ctx context.Context, k tenants.Key, h tenants.Hash) error { return pending }
func (s *Scope) RevokeKey(ctx context.Context, id tenants.KeyID) error           { return pending }
func (s *Scope) Key(ctx context.Context, id tenants.KeyID) (tenants.Key, error) {
	return tenants.Key{}, pending
}
func (s *Scope) Keys(ctx context.Context, q Page) ([]tenants.Key, string, error) {
	return nil, "", pending
}
func (s *Scope) Members(ctx context.Context, q Page) ([]tenants.Member, string, error) {
	return nil, "", pending
}
func (s *Scope) Member(ctx context.Context, user tenants.UserID) (tenants.Member, error) {
	return tenants.Member{}, pending
}
func (s *Scope) AddMember(ctx context.Context, m tenants.Member) error { return pending }
func (s *Scope) SetRole(ctx context.Context, user tenants.UserID, r tenants.Role) error {
	return pending
}
func (s *Scope) RemoveMember(ctx context.Context, user tenants.UserID) error { return pending }
func (s *Scope) AddInvitation(ctx context.Context, i Invitation) error       { return pending }
func (s *Scope) Invitations(ctx context.Context) ([]Invitation, error)       { return nil, pending }
func (s *Scope) RevokeInvitation(ctx context.Context, email string) error    { return pending }
func (s *Scope) Audits(ctx context.Context, q AuditQuery) ([]tenants.Audit, string, error) {
	return nil, "", pending
}
func (s *Scope) Note(ctx context.Context, action, target, detail string) error { return pending }
func (s *Scope) Tallies(ctx context.Context, from, to time.Time) ([]tenants.Tally, error) {
	return nil, pending
}
func (s *Scope) Funnel(ctx context.Context, from, to time.Time, by string) ([]FunnelRow, error) {
	return nil, pending
}
