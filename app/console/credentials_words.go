package console

import (
	"strings"

	"carillon/app/health"
	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

func (k credentialPages) probeOf(p health.Probed, v *page.Visitor) *views.Probe {
	out := &views.Probe{Tone: views.ToneGood, Summary: p.Summary, When: v.At(k.Now())}
	failed := 0
	for _, x := range p.Verdicts {
		h := views.ProbeHost{Environment: envOf(tenants.Environment(x.Environment)), Tone: views.ToneGood, Word: "Accepted",
			Reason: x.Reason,
			Cause:  x.Cause, Cure: x.Cure}
		switch {
		case x.OK: // its BadDeviceToken is the answer that was hoped for, and would only puzzle
			h.Reason = ""
		case x.Status == 0:
			h.Tone, h.Word = views.ToneWarn, "No answer"
			failed++
		default:
			h.Tone, h.Word = views.ToneBad, "Refused"
			failed++
		}
		out.Hosts = append(out.Hosts, h)
	}
	switch {
	case !p.OK:
		out.Tone = views.ToneBad
	case failed > 0 && !strings.HasPrefix(p.Summary, "Apple takes this credential: "):
		out.Tone = views.ToneWarn
	}
	return out
}

var credentialWords = page.Words{
	Name: "Apple credentials", Path: views.PathCredentials, CSV: views.PathCredCSV, File: "credentials",
	Search: "App, key id or team", One: "credential", Many: "credentials",
	Empty: views.Empty{Icon: views.IconCredential, Text: "Apple requires a key to send call notifications."},
	Add:   views.Button{Text: "Add a credential", Href: views.PathCredAdd, Icon: views.IconUpload, Kind: views.Primary},
	Sorts: page.Newest(page.Sort{Key: "app", Text: "App, A to Z"}, page.Sort{Key: "-app", Text: "App, Z to A"},
		page.Sort{Key: "state", Text: "Active first"}, page.Sort{Key: "-state", Text: "Out of use first"},
		page.Sort{Key: "-used", Text: "Last used first"}, page.Sort{Key: "used", Text: "Longest unused first"},
		page.Sort{Key: "environment", Text: "By environment"}, page.Sort{Key: "-environment", Text: "By environment, reversed"}),
	Columns: []page.Column{
		{Key: "app", Text: "App", File: []string{"bundle_id", "team_id"}},
		{Key: "environment", Text: "Environment", File: []string{"environment"}},
		{Key: "state", Text: "State", File: []string{"state", "last_error", "last_error_at"}},
		{Key: "used", Text: "Apple last accepted it", File: []string{"last_used_at"}},
	},
}

func credentialFacts(c tenants.Credential, v *page.Visitor) []views.Row {
	rows := []views.Row{{Name: "Kind", Text: credentialKind(c)}, {Name: "Bundle id", Text: c.Bundle, Copy: true}}
	if c.Kind == tenants.P8 {
		rows = append(rows, views.Row{Name: "Team id", Text: c.Team, Copy: true}, views.Row{Name: "Key id", Text: c.KeyID, Copy: true})
	} else {
		rows = append(rows, views.Row{Name: "Topics", Text: strings.Join(c.Topics, ", ")}, views.Row{Name: "Ends", When: v.At(c.NotAfter)})
	}
	rows = append(rows, views.Row{Name: "Environment", Text: map[tenants.Environment]string{tenants.Auto: "Production and sandbox",
		tenants.Production: "Production", tenants.Sandbox: "Sandbox"}[c.Environment]},
		views.Row{Name: "Public key (SHA-256)", Text: page.Clip(c.Fingerprint, 16), Mono: true},
		views.Row{Name: "Added", When: v.At(c.CreatedAt)}, views.Row{Name: "Apple last accepted it", When: v.At(c.LastUsedAt)})
	if c.LastError != "" {
		rows = append(rows, views.Row{Name: "Apple last refused it", When: v.At(c.LastErrorAt)},
			views.Row{Name: "Apple’s reason", Text: c.LastError, Mono: true})
	}
	return rows
}

func removalOfCredential(c tenants.Credential, alone int) views.Confirm {
	name := c.KeyID
	if c.Kind == tenants.P12 {
		name = c.Bundle
	}
	says := "No phone stops ringing. Other credentials reach them, or no phone uses this one."
	if alone > 0 {
		says = views.Plural(alone, "phone stops", "phones stop") + " ringing, because no other credential reaches the app " + c.Bundle + "."
	}
	return views.Confirm{
		ID: "remove-credential", Title: "Remove " + credentialName(c) + "?", TypeName: name, Button: "Remove credential",
		Consequence: []string{says, "The file is deleted and cannot be restored."},
		Action:      views.CredentialRemovePath(string(c.ID)), Back: views.CredentialPath(string(c.ID)),
	}
}

// What pages and refusals say.
const (
	keptForBack       = " is in use now and will be kept, so you can switch back."
	keyExpired        = "It has expired. Apple will refuse every push."
	lastRefused       = "When it was last used, Apple refused it: "
	nothingToGoBackTo = "There is no previous credential of this app and environment to go back to."
	formPartMissing   = "Part of the form is missing. Reload the page and try again."
	ringOn            = " ringing. The new file is used as soon as it is added."
	rollBackCure      = "If phones stop ringing, choose “Roll back” on the page of the new one. "
	keptForThis       = " is kept for this."
	teamHelp          = "Ten letters and digits."
	keyIDHelp         = "Filled in from the file name if it is AuthKey_….p8."
	bundleLabel       = "Bundle id of the app"
	passwordLabel     = "Password of the certificate"
	passwordHelp      = "Only if the .p12 file has one."
	fileAgain         = "Choose the file again. It is a secret, so this page does not keep it."
	oneFile           = "Choose one file. Add each key or certificate separately."
	noFile            = "Choose the .p8 or .p12 file."
	emptyFile         = "The file is empty. Choose the .p8 or .p12 file."
	largeFile         = "The file is larger than 64 KB. Apple’s files are much smaller. Choose the .p8 or .p12 file."
	unreadFile        = "The file could not be read. Choose it again."
	noSoundFile       = "Choose one Ogg Opus file."
	replacedCause     = "Another credential took its place. No phone is called with this one, and it can be brought back at once."
	bundleHelp        = "Without .voip. For a certificate it is read from the file."
	unreadForm        = "The form could not be read. Choose the file and send it again."
)

// profileNames say which apps read the fields of a push.
var profileNames = map[tenants.PayloadProfile]string{
	tenants.ProfileCarillon: "Carillon: CarillonKit or your own code",
	tenants.ProfileCallKeep: "React Native: react-native-callkeep",
	tenants.ProfileFlutter:  "Flutter: flutter_callkit_incoming",
}

const profileHelp = "Choose the library that your app uses to show calls. " +
	"Carillon then sends the fields that it reads, from the next ring on."
