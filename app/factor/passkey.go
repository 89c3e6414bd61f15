package factor

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"carillon/tenants"
)

// Passkeys makes what browsers need to register a passkey and to sign in with one, and checks what
// comes back (Web Authentication, https://www.w3.org/TR/webauthn-3/). A passkey is bound to the
// domain of the public address, and the authenticator must have verified its user, by PIN, face or
// finger: so it counts as both steps.
//
// What Register and Ask call a session is kept by the server until the answer comes, and used once.
type Passkeys struct{ lib *webauthn.WebAuthn }

// ErrNoDomain is the error of a public address that is an IP address: browsers make no passkeys
// for it.
var ErrNoDomain = errors.New("factor: passkeys need a public address with a domain name")

// errPasskey is the error of an answer that is not accepted. Its text is for the log.
var errPasskey = errors.New("factor: the passkey was not accepted")

// NewPasskeys makes Passkeys for a public address, such as https://ring.example.
func NewPasskeys(public string) (*Passkeys, error) {
	u, err := url.Parse(public)
	if err != nil || u.Hostname() == "" {
		return nil, fmt.Errorf("factor: %q is not an address", public)
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return nil, ErrNoDomain
	}
	resident := protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired,
		RequireResidentKey: protocol.ResidentKeyRequired(), UserVerification: protocol.VerificationRequired}
	lib, err := webauthn.New(&webauthn.Config{RPID: strings.ToLower(u.Hostname()), RPDisplayName: "Carillon",
		RPOrigins: []string{u.Scheme + "://" + strings.ToLower(u.Host)}, AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection:            resident,
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore}) // some browsers add outputs unasked
	return &Passkeys{lib}, err
}

// Passkey is what is kept of one: its id, as the authenticator names it, and its record as JSON.
type Passkey struct {
	ID     []byte
	Record []byte
}

// Person is who passkeys belong to.
type Person struct {
	ID    tenants.UserID
	Email string
	Name  string
	Keys  []Passkey
}

// holder is a Person as the library wants it.
type holder struct {
	Person
	keys []webauthn.Credential
}

func holderOf(p Person) (holder, error) {
	h := holder{Person: p}
	for _, k := range p.Keys {
		var c webauthn.Credential
		if err := json.Unmarshal(k.Record, &c); err != nil {
			return h, fmt.Errorf("factor: the record of a passkey of %s: %w", p.ID, err)
		}
		h.keys = append(h.keys, c)
	}
	return h, nil
}

// WebAuthnID is the user handle: the person's id, which says nothing about them.
func (h holder) WebAuthnID() []byte { return []byte(h.ID) }

// WebAuthnName is what the browser calls the account.
func (h holder) WebAuthnName() string { return h.Email }

// WebAuthnDisplayName is the person's name.
func (h holder) WebAuthnDisplayName() string { return h.Name }

// WebAuthnCredentials are the person's passkeys.
func (h holder) WebAuthnCredentials() []webauthn.Credential { return h.keys }

// Register begins the registration of one more passkey. options goes to the browser as JSON.
func (p *Passkeys) Register(of Person) (options, session []byte, err error) {
	h, err := holderOf(of)
	if err != nil {
		return nil, nil, err
	}
	o, s, err := p.lib.BeginRegistration(h, webauthn.WithExclusions(webauthn.Credentials(h.keys).CredentialDescriptors()))
	if err != nil {
		return nil, nil, err
	}
	return both(o, s)
}

// Registered checks the browser's answer to Register and gives the new passkey.
func (p *Passkeys) Registered(of Person, session, answer []byte) (Passkey, error) {
	h, err := holderOf(of)
	if err != nil {
		return Passkey{}, err
	}
	var s webauthn.SessionData
	if err := json.Unmarshal(session, &s); err != nil {
		return Passkey{}, fmt.Errorf("factor: a kept session: %w", err)
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return Passkey{}, refusal(err)
	}
	c, err := p.lib.CreateCredential(h, s, parsed)
	if err != nil {
		return Passkey{}, refusal(err)
	}
	return passkeyOf(c)
}

// Ask begins a sign-in, or a proof. It names nobody: the answer says who it is.
func (p *Passkeys) Ask() (options, session []byte, err error) {
	o, s, err := p.lib.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, nil, err
	}
	return both(o, s)
}

// Check checks the browser's answer to Ask. find gives the owner of the passkey with this id; the
// answer must name the same person. It returns the owner and the passkey as it is to be kept. A
// passkey whose counter went back is refused: somebody has a copy.
func (p *Passkeys) Check(session, answer []byte, find func(id []byte) (Person, error)) (Person, Passkey, error) {
	var s webauthn.SessionData
	if err := json.Unmarshal(session, &s); err != nil {
		return Person{}, Passkey{}, fmt.Errorf("factor: a kept session: %w", err)
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return Person{}, Passkey{}, refusal(err)
	}
	var owner Person
	_, c, err := p.lib.ValidatePasskeyLogin(func(id, _ []byte) (webauthn.User, error) {
		var err error
		if owner, err = find(id); err != nil {
			return nil, err
		}
		return holderOf(owner)
	}, s, parsed)
	if err != nil {
		return Person{}, Passkey{}, refusal(err)
	}
	if c.Authenticator.CloneWarning {
		return Person{}, Passkey{}, fmt.Errorf("%w: its counter went back", errPasskey)
	}
	k, err := passkeyOf(c)
	return owner, k, err
}

// Refused reports whether an error says that an answer was not accepted.
func Refused(err error) bool { return errors.Is(err, errPasskey) }

// refusal keeps the library's words for the log.
func refusal(err error) error {
	var e *protocol.Error
	if errors.As(err, &e) {
		return fmt.Errorf("%w: %s %s", errPasskey, e.Details, e.DevInfo)
	}
	return fmt.Errorf("%w: %w", errPasskey, err)
}

func passkeyOf(c *webauthn.Credential) (Passkey, error) {
	record, err := json.Marshal(c)
	return Passkey{ID: c.ID, Record: record}, err
}

func both(options, session any) (o, s []byte, err error) {
	if o, err = json.Marshal(options); err != nil {
		return nil, nil, err
	}
	s, err = json.Marshal(session)
	return o, s, err
}
