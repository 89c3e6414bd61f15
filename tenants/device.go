package tenants

import (
	"cmp"
	"strings"
	"time"
)

// Environment says which of Apple's two push hosts a token belongs to. Auto means not known yet.
type Environment string

const (
	Auto       Environment = "auto"
	Sandbox    Environment = "sandbox"    // development builds
	Production Environment = "production" // TestFlight and App Store builds
)

// Other returns the other of the two environments; Auto returns itself.
func (e Environment) Other() Environment {
	switch e {
	case Production:
		return Sandbox
	case Sandbox:
		return Production
	}
	return e
}

// Platform is the kind of a phone.
type Platform string

const (
	IOS     Platform = "ios"
	Browser Platform = "browser" // a page that plays the phone, in dev mode
)

// DeviceState says whether a device can be rung.
type DeviceState string

const (
	DeviceActive   DeviceState = "active"
	DeviceDisabled DeviceState = "disabled" // Apple said its token is dead; a new registration revives it
)

// Device is one registered phone: a VoIP token and what the app said about itself.
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
	PhoneNumber    string // E.164, for texts about missed rings; empty = none
	PhoneID        string // what the app keeps on the phone to say that it is the same one; never read back
	Platform       Platform
	State          DeviceState
	DisabledReason string
	RegisteredAt   time.Time // when the token was last registered; a 410 older than this is ignored
	SeenAt         time.Time // the last report from the app
	CreatedAt      time.Time
}

// Title is what people call the device: its name, else the person, else the model.
func (d Device) Title() string {
	for _, s := range []string{d.Name, d.Person, d.Model} {
		if strings.TrimSpace(s) != "" {
			return s
		}
	}
	return "Device without a name"
}

// Host returns the environment of the device as far as it is known: what the app said, else what
// worked, else Auto.
func (d Device) Host() Environment {
	if d.Environment == Auto && d.Learnt != "" {
		return d.Learnt
	}
	return d.Environment
}

// Topic returns the push topic of the device's app. PushKit requires the bundle id followed by
// .voip.
func (d Device) Topic() string { return d.Bundle + ".voip" }

// Clean returns the registration in its stored form: lower-case token, trimmed labels, defaults for
// empty fields.
func (d Device) Clean() Device {
	d.Token = strings.ToLower(d.Token)
	for _, label := range []*string{&d.Name, &d.Model, &d.OSVersion, &d.AppVersion} {
		*label = TrimLabel(*label)
	}
	d.PhoneNumber = cmp.Or(ParsePhoneNumber(d.PhoneNumber), strings.TrimSpace(d.PhoneNumber))
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
	token, ok := ParseDeviceToken(d.Token)
	f.add(ok && token == d.Token, "token", "hexadecimal, 64 to 200 digits, an even number")
	f.add(ValidBundle(d.Bundle), "bundle_id", "a bundle id such as com.example.app, without .voip")
	f.add(d.Environment == Auto || d.Environment == Sandbox || d.Environment == Production, "environment", "auto, sandbox or production")
	f.add(d.Person == "" || ValidReference(d.Person), "person", "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'")
	f.add(ValidText(d.Name, 0, 80), "name", "at most 80 characters, not blank, no control characters")
	f.add(ValidText(d.Model, 0, 80), "model", "at most 80 characters, not blank, no control characters")
	f.add(ValidText(d.OSVersion, 0, 40), "os_version", "at most 40 characters, not blank, no control characters")
	f.add(ValidText(d.AppVersion, 0, 40), "app_version", "at most 40 characters, not blank, no control characters")
	f.add(d.TimeZone == "" || validZone(d.TimeZone), "time_zone", "an IANA time zone such as Europe/Berlin")
	f.add(d.PhoneNumber == "" || ParsePhoneNumber(d.PhoneNumber) == d.PhoneNumber, "phone_number",
		"a number with its country code, such as +4915112345678")
	f.add(d.PhoneID == "" || len(d.PhoneID) >= 16 && ValidReference(d.PhoneID), "phone_id",
		"16 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', such as a UUID that your app made")
	f.add(d.Platform == IOS || d.Platform == Browser, "platform", "ios or browser")
	return f.err()
}

// ParseDeviceToken returns a VoIP device token in the form it is stored and pushed with:
// hexadecimal in lower case. ok is false for anything else. Apple promises no length; tokens seen
// have 64 digits.
func ParseDeviceToken(s string) (token string, ok bool) {
	if len(s) < 64 || len(s) > 200 || len(s)%2 != 0 {
		return "", false
	}
	for i := range len(s) {
		if !hexDigit(s[i]) {
			return "", false
		}
	}
	return strings.ToLower(s), true
}

// ValidBundle reports whether s can be an app's bundle id: [A-Za-z0-9.-], at least one dot, at most
// 155 characters.
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
