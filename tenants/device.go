package tenants

import (
	"strings"
	"time"
)

// Environment is which of Apple's two push hosts a token belongs to. Auto means not yet learnt.
type Environment string

const (
	Auto       Environment = "auto"
	Sandbox    Environment = "sandbox"    // development builds
	Production Environment = "production" // TestFlight and App Store builds
)

// Other is the other host; auto has none.
func (e Environment) Other() Environment {
	switch e {
	case Production:
		return Sandbox
	case Sandbox:
		return Production
	}
	return e
}

// Platform is what kind of phone a device is.
type Platform string

const (
	IOS     Platform = "ios"
	Browser Platform = "browser" // a page that plays the phone, in dev mode
)

// DeviceState is whether a device is rung.
type DeviceState string

const (
	DeviceActive   DeviceState = "active"
	DeviceDisabled DeviceState = "disabled" // Apple said its token is dead; a new registration revives it
)

// Device is one registered phone: a VoIP token with what the app told about itself.
type Device struct {
	ID             DeviceID
	Tenant         TenantID
	Token          string // lower-case hex; Apple promises no length
	Bundle         string // bundle id of the app, without .voip
	Environment    Environment
	Learnt         Environment // what worked when Environment is auto; empty until then
	Person         string      // the tenant's own user reference; empty = nobody's
	Name           string
	Model          string
	OSVersion      string
	AppVersion     string
	TimeZone       string
	Platform       Platform
	State          DeviceState
	DisabledReason string
	RegisteredAt   time.Time // when the token was last registered; a 410 older than this is ignored
	SeenAt         time.Time // last word from the app
	CreatedAt      time.Time
}

// Host is the environment to push to first: production unless the device is known to be a sandbox one.
func (d Device) Host() Environment {
	if d.Environment == Auto && d.Learnt != "" {
		return d.Learnt
	}
	return d.Environment
}

// Topic is the push topic of the device's app: PushKit demands the bundle id with .voip behind it.
func (d Device) Topic() string { return d.Bundle + ".voip" }

// Clean brings a registration to its stored form: lower-case token, trimmed labels, defaults for what was left out.
func (d Device) Clean() Device {
	d.Token = strings.ToLower(d.Token)
	for _, label := range []*string{&d.Name, &d.Model, &d.OSVersion, &d.AppVersion} {
		*label = TrimLabel(*label)
	}
	if d.Environment == "" {
		d.Environment = Auto
	}
	if d.Platform == "" {
		d.Platform = IOS
	}
	if d.State == "" {
		d.State = DeviceActive
	}
	return d
}

// Check refuses a device whose fields break a rule, naming every wrong one.
func (d Device) Check() error {
	var f faults
	f.add(ValidToken(d.Token), "token", "hexadecimal, 64 to 200 digits, an even number")
	f.add(ValidBundle(d.Bundle), "bundle_id", "a bundle id such as com.example.app, without .voip")
	f.add(d.Environment == Auto || d.Environment == Sandbox || d.Environment == Production, "environment", "auto, sandbox or production")
	f.add(d.Person == "" || ValidReference(d.Person), "person", "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'")
	f.add(ValidText(d.Name, 0, 80), "name", "at most 80 characters, not blank, no control characters")
	f.add(ValidText(d.Model, 0, 80), "model", "at most 80 characters, not blank, no control characters")
	f.add(ValidText(d.OSVersion, 0, 40), "os_version", "at most 40 characters, not blank, no control characters")
	f.add(ValidText(d.AppVersion, 0, 40), "app_version", "at most 40 characters, not blank, no control characters")
	f.add(d.TimeZone == "" || validZone(d.TimeZone), "time_zone", "an IANA time zone such as Europe/Berlin")
	f.add(d.Platform == IOS || d.Platform == Browser, "platform", "ios or browser")
	return f.err("The device has wrong fields.")
}

// ValidToken reports whether s can be a VoIP device token in stored form. Apple promises no length; tokens seen are 64 digits.
func ValidToken(s string) bool {
	if len(s) < 64 || len(s) > 200 || len(s)%2 != 0 {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return true
}

// ValidBundle reports whether s can be an app's bundle id: [A-Za-z0-9.-], at least one dot, at most 155 characters.
func ValidBundle(s string) bool {
	if len(s) < 3 || len(s) > 155 || strings.HasSuffix(s, ".voip") || !strings.Contains(s, ".") ||
		strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".") || strings.Contains(s, "..") {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-') {
			return false
		}
	}
	return true
}

// Pairing is a single-use code that an app trades for its device credential.
type Pairing struct {
	ID        PairingID
	Tenant    TenantID
	Person    string
	By        Actor
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time
	Device    DeviceID // set once used
}

// PairingTTL is how long a pairing code may be used.
const PairingTTL = 10 * time.Minute
