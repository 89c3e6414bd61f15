package tenants

import "time"

// Question holds everything that Decide needs to say whether a device may be rung.
type Question struct {
	Tenant     Tenant
	TestKey    bool
	Only       DeviceList // what the key may ring; empty = every device
	Device     Device
	Credential *Credential // the active credential of the device's app; nil = none
	Now        time.Time

	Rules     Rules           // of quiet hours and consent; the zero value refuses nothing
	Zone      *time.Location  // of the tenant, for devices without their own
	Agreed    map[string]bool // persons with a recorded consent, where the rules ask for it
	Emergency bool            // quiet hours do not hold
}

// Decide returns nil if the device may be rung, or a refusal that says why and what to do.
func Decide(q Question) error {
	switch {
	case q.Tenant.State != TenantActive:
		return ErrSuspended
	case !q.Only.Allows(q.Device):
		return Refuse(Forbidden, "device_not_allowed", "This key may not ring the device %s. Add the device, or its person, to the key, "+
			"under API keys.", q.Device.ID)
	case q.Device.State != DeviceActive:
		return Refuse(Forbidden, "device_disabled",
			"Apple says this device's token is dead (%s). Open the app on the phone once, so that it "+
				"registers again.", q.Device.DisabledReason)
	case q.TestKey && q.Device.Host() != Sandbox:
		return Refuse(Forbidden, "test_key", "A test key rings sandbox devices only. Use a live key for this device.")
	case q.Credential == nil:
		where := ""
		if h := q.Device.Host(); h != Auto {
			where = " in the " + string(h) + " environment"
		}
		return Refuse(Forbidden, "credential_missing",
			"There is no Apple credential for the app %s%s. Upload its .p8 key or .p12 certificate "+
				"under Apple credentials.", q.Device.Bundle, where)
	case q.Credential.State == CredentialPrevious:
		return Refuse(Forbidden, "credential_missing",
			"The credential of the app %s was replaced, and its replacement was removed. Restore "+
				"it or upload a new one under Apple credentials.", q.Device.Bundle)
	case q.Credential.State != CredentialActive:
		return Refuse(Forbidden, "credential_disabled", "Apple refuses the credential of the app %s (%s). Replace it under Apple "+
			"credentials.", q.Device.Bundle, q.Credential.LastError)
	case !q.Credential.NotAfter.IsZero() && q.Now.After(q.Credential.NotAfter):
		return Refuse(Forbidden, "credential_expired",
			"The certificate of the app %s expired on %s. Upload a new one, or better a .p8 key, "+
				"under Apple credentials.", q.Device.Bundle, q.Credential.NotAfter.Format(time.DateOnly))
	case q.Rules.Consent == ConsentRecorded && !q.Agreed[q.Device.Person]:
		return NoConsent(q.Device.Person)
	case !q.Emergency:
		if e := q.Quiet(); e != nil {
			return e
		}
	}
	return nil
}

// Quiet is the refusal of a ring to the device in the quiet hours of its person, emergency or not;
// nil outside of them.
func (q Question) Quiet() *Error {
	if q.Rules.Quiet.None() {
		return nil
	}
	return q.Rules.QuietNow(q.Now, q.zone())
}

// zone is where the device's person lives, as far as it is known.
func (q Question) zone() *time.Location {
	if q.Device.TimeZone != "" {
		if zone, err := time.LoadLocation(q.Device.TimeZone); err == nil {
			return zone
		}
	}
	return q.Zone
}

// CallerLabel returns what may leave this server about the caller, in a push or to another system:
// nothing where a name reveals that someone is a patient or client. Nothing else decides this.
func CallerLabel(t Tenant, caller string) string {
	if t.Opaque() {
		return ""
	}
	return caller
}
