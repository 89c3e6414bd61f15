package console

import (
	"time"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

const (
	consentPersonHelp = "Your own reference for the person, as their phone has it."
	evidenceLabel     = "Where it can be found"
	evidenceSample    = "Form 7, signed at the front desk"
	withdrawTitle     = "Withdraw the consent of %s?"
	consentsShown     = 10 // persons on the page of a ring
)

var consentWords = page.Words{
	Name: "Consents", Path: views.PathConsents, CSV: views.PathConsentsCSV, File: "consents", Search: "Person, evidence or who recorded it",
	One: "consent", Many: "consents",
	Empty: views.Empty{Icon: views.IconCheck, Text: "No consent is recorded yet."},
	Add:   views.Button{Text: "Record consent", Href: views.PathConsentAdd, Icon: views.IconPlus, Kind: views.Primary},
	Sorts: page.Newest(page.Sort{Key: "person", Text: "Person, A to Z"}, page.Sort{Key: "-person", Text: "Person, Z to A"},
		page.Sort{Key: "-given", Text: "Given last first"}, page.Sort{Key: "given", Text: "Given first first"}),
	Columns: []page.Column{
		{Key: "given", Text: "Given", File: []string{"given_at"}},
		{Key: "evidence", Text: evidenceLabel, File: []string{"evidence"}},
		{Key: "by", Text: "Recorded by", File: []string{"by"}},
	},
}

// consentsLead says whether consents are asked for.
func consentsLead(r tenants.Rules) string {
	if r.Consent == tenants.ConsentRecorded {
		return "Your rules ask for it: a person without a recorded consent is not called. Nothing is deleted here, only withdrawn."
	}
	return "Your rules do not ask for consents: everybody can be called. What is recorded here is kept as evidence."
}

func consentGoes(r tenants.Rules) []string {
	if r.Consent == tenants.ConsentRecorded {
		return []string{"From now on this person is not called, unless another consent of theirs is on record.",
			"The record stays, as withdrawn."}
	}
	return []string{"The record stays, as withdrawn. Your rules do not ask for consents, so the person can still be called."}
}

func consentText(a tenants.Agreement, zone *time.Location) string {
	given := "Given on " + views.OnDay(a.GivenAt, zone).Text
	if a.WithdrawnAt.IsZero() {
		return given
	}
	return given + ", withdrawn on " + views.OnDay(a.WithdrawnAt, zone).Text
}

// consentRow is the consent that was on record for a person when a ring was placed.
func consentRow(person string, all []tenants.Agreement, r *tenants.Ring, v *page.Visitor) views.Row {
	for _, a := range all {
		if !a.CreatedAt.After(r.CreatedAt) && (a.WithdrawnAt.IsZero() || a.WithdrawnAt.After(r.CreatedAt)) {
			return views.Row{Name: person, Text: joined(": ", consentText(a, v.Zone), a.Evidence), Href: views.ConsentPath(string(a.ID))}
		}
	}
	return views.Row{Name: person, Text: "No consent was on record when the ring was placed."}
}
