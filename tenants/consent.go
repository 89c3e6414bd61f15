package tenants

import "time"

// Agreement is a person's recorded consent to be called.
type Agreement struct {
	ID          ConsentID
	Tenant      TenantID
	Person      string
	Kind        AgreementKind
	GivenAt     time.Time
	By          Actor  // who recorded it
	Evidence    string // where it can be found: a form's number, a sentence
	WithdrawnAt time.Time
	CreatedAt   time.Time
}

// AgreementKind is what a person agreed to.
type AgreementKind string

// AgreedCalls is the consent to be called, which the rule Consent asks for.
const AgreedCalls AgreementKind = "calls"

// Check refuses a consent whose fields break a rule, naming every wrong one.
func (a Agreement) Check(now time.Time) error {
	var f faults
	f.add(ValidReference(a.Person), "person", "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'")
	f.add(a.Kind == AgreedCalls, "kind", "calls")
	f.add(!a.GivenAt.IsZero() && !a.GivenAt.After(now.Add(time.Minute)), "given_at", "a time that is not in the future")
	f.add(ValidText(a.Evidence, 1, 500), "evidence", "1 to 500 characters that say where the consent can be found")
	return f.err()
}

// NoConsent is the refusal of a ring to a person without a recorded consent.
func NoConsent(person string) *Error {
	if person == "" {
		return Refuse(Forbidden, "consent_missing",
			"This phone belongs to no person, and only persons with a recorded consent may be rung. "+
				"Name its person under Devices, and record the consent under Consents.")
	}
	return Refuse(Forbidden, "consent_missing", "No consent of %s to be called is recorded. Record it under Consents, then ring again.",
		person)
}

// QuietNow is the refusal of a ring in quiet hours; nil outside of them. zone is that of the
// person.
func (r Rules) QuietNow(now time.Time, zone *time.Location) *Error {
	if !r.Quiet.Hold(now.In(zone)) {
		return nil
	}
	return Refuse(Forbidden, "quiet_hours", "Quiet hours until %s (%s). Ring again then, or in an emergency with a key that has the "+
		"scope rings:emergency.", sayTime(now, r.Quiet.Until(now, zone), zone), zone)
}

// Until returns the end of the quiet hours that hold at a moment.
func (q QuietHours) Until(at time.Time, zone *time.Location) time.Time {
	s := Schedule{Zone: zone.String()}
	for day := range s.Weekly {
		if q.Days.Has(time.Weekday(day)) {
			s.Weekly[day] = []Span{{q.From, q.To}}
		}
	}
	until, ok := s.Until(at)
	if !ok {
		return at
	}
	return until
}
