package tenants

import (
	"slices"
	"time"
)

// CredentialKind is the form of an APNs credential.
type CredentialKind string

const (
	P8  CredentialKind = "p8"  // a signing key: provider tokens
	P12 CredentialKind = "p12" // a certificate with its key: yearly, one app
)

// CredentialState says whether pushes may use a credential.
type CredentialState string

const (
	CredentialActive   CredentialState = "active"
	CredentialDisabled CredentialState = "disabled" // Apple refused it for good; LastError says why
	CredentialPrevious CredentialState = "previous" // replaced by a newer one, and kept for a rollback
)

// PayloadProfile says which fields the pushes of a credential have, so that an app that exists can
// read them without a change.
type PayloadProfile string

// The profiles. Every one has v, call_id, iat and exp.
const (
	ProfileCarillon PayloadProfile = "carillon"                 // from
	ProfileCallKeep PayloadProfile = "callkeep"                 // uuid, handle, callerName: React Native
	ProfileFlutter  PayloadProfile = "flutter_callkit_incoming" // id, nameCaller, handle, isVideo
)

// PayloadProfiles lists them all.
var PayloadProfiles = []PayloadProfile{ProfileCarillon, ProfileCallKeep, ProfileFlutter}

// Credential is an APNs key or certificate with which a tenant pushes to its app. Its secret is
// sealed in the store and never leaves the server.
type Credential struct {
	ID          CredentialID
	Tenant      TenantID
	Kind        CredentialKind
	Bundle      string
	Environment Environment // which hosts it may be used with; auto = both
	Team        string      // .p8: ten characters
	KeyID       string      // .p8: ten characters
	Topics      []string    // .p12: read out of the certificate
	Fingerprint string      // SHA-256 of the public key's SPKI, hex
	NotAfter    time.Time   // .p12: expiry; zero for a .p8
	State       CredentialState
	NoHedge     bool // never send a push again because a connection to Apple is silent
	Profile     PayloadProfile
	LastError   string // Apple's reason when it last refused this credential
	LastErrorAt time.Time
	LastUsedAt  time.Time
	CreatedAt   time.Time
}

// Title is what people call the credential.
func (c Credential) Title() string {
	if c.Kind == P12 {
		return "Certificate of " + c.Bundle
	}
	return "Key " + c.KeyID
}

// Check refuses a credential whose fields break a rule, naming every wrong one.
func (c Credential) Check() error {
	var f faults
	f.add(ValidBundle(c.Bundle), "bundle_id", "a bundle id such as com.example.app, without .voip")
	f.add(c.Environment == Auto || c.Environment == Sandbox || c.Environment == Production, "environment", "auto, sandbox or production")
	f.add(c.Profile == "" || slices.Contains(PayloadProfiles, c.Profile), "payload_profile", profileHint)
	f.add(c.Kind != P8 || appleID(c.Team), "team_id", "the ten characters of your Apple team id, from the membership page")
	f.add(c.Kind != P8 || appleID(c.KeyID), "key_id", "the ten characters of the key id; the file is named AuthKey_<key id>.p8")
	return f.err()
}

const profileHint = "carillon, callkeep or flutter_callkit_incoming"

// CheckProfile refuses a profile that there is not.
func CheckProfile(p PayloadProfile) error {
	var f faults
	f.add(slices.Contains(PayloadProfiles, p), "payload_profile", profileHint)
	return f.err()
}

// appleID: ten capital letters and digits, as Apple prints team and key ids.
func appleID(s string) bool {
	if len(s) != 10 {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= 'A' && c <= 'Z' || c >= '0' && c <= '9') {
			return false
		}
	}
	return true
}
