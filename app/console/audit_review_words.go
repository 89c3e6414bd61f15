package console

import (
	"encoding/base64"
	"strconv"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// evidenceReadme tells how to verify a file of evidence.
const evidenceReadme = `Audit evidence from Carillon

rows.jsonl      the entries, each with its hash and the salts of its values, and signed heads
public-key.txt  the key that signed them
manifest.json   what this file is about, and the SHA-256 of each file
manifest.sig    Ed25519 signature (base64) over "carillon audit evidence", a zero byte and manifest.json

To verify the entries, with any carillon program and without a server:

    carillon audit verify --file rows.jsonl --key "$(cat public-key.txt)"

The public key in this file proves nothing by itself. Compare it with the one that your organisation
wrote down earlier, or that the audit page of the server shows. The documentation page "Audit log"
says how each hash is made, so that another program can verify the entries too.
`

func freshRows(f store.AuditSince) []views.Row {
	since := "the first entry"
	if f.After > 0 {
		since = "entry " + views.Count(int(f.After))
	}
	return []views.Row{
		{Name: "New entries", Text: views.Count(int(f.Entries)) + " since " + since + ", calls left out"},
		{Name: "By people", Text: views.Count(int(f.ByPeople))},
		{Name: "By programs and phones", Text: views.Count(int(f.ByPrograms))},
		{Name: "By Carillon and its operator", Text: views.Count(int(f.Entries - f.ByPeople - f.ByPrograms))},
		{Name: "Refused attempts", Text: views.Count(int(f.Refused))},
	}
}

func chainRows(f store.AuditSince, key store.AuditKey) []views.Row {
	return []views.Row{
		{Name: "Newest entry", Text: views.Count(int(f.Last))},
		{Name: "Signed until entry", Text: views.Count(int(f.Signed))},
		{Name: "Public key", Text: base64.StdEncoding.EncodeToString(key.Public), Mono: true, Copy: true},
	}
}

// dueReview says whether a review is due. Where the data of patients is, one is due every week.
func (k auditPages) dueReview(v *page.Visitor, signed []tenants.Audit) views.Callout {
	if v.Tenant.Rules().Payload != tenants.PayloadOpaque {
		return views.Callout{Tone: views.ToneNeutral,
			Title: "Read what is new, and sign off that you did. Reviews are optional in your industry."}
	}
	if len(signed) > 0 && k.Now().Sub(signed[0].At) < reviewEvery {
		return views.Callout{Tone: views.ToneGood, Title: "Reviewed within the last 7 days. In your industry a review is due every week."}
	}
	return views.Callout{Tone: views.ToneWarn, Title: "A review is due. In your industry the audit log is reviewed every week."}
}

// chainState says what the last verification came to, or how far the one that runs is.
func (k auditPages) chainState(v *page.Visitor, verified []tenants.Audit) (views.Callout, bool) {
	if done, all, running := k.verifier.progress(v.Tenant.ID); running {
		return views.Callout{Tone: views.ToneNeutral, Title: "Verifying: " + views.Count(int(done)) + " of " + views.Count(int(all)) +
			" entries."}, true
	}
	if len(verified) == 0 {
		return views.Callout{Tone: views.ToneNeutral, Title: "The audit log has not been verified yet."}, false
	}
	a := verified[0]
	tone := views.ToneGood
	if a.Refused {
		tone = views.ToneBad
	}
	return views.Callout{Tone: tone, Title: a.Detail + " Verified by " + a.Actor.Name + ", " + v.At(a.At).Text + "."}, false
}

func countOf(digits string) string {
	n, _ := strconv.Atoi(digits)
	return views.Count(n)
}

// verdictWords say what a verification came to.
func verdictWords(d tenants.AuditVerdict) string {
	if d.Fault != nil {
		return d.Fault.Why
	}
	return views.Count(int(d.Rows)) + " entries are whole; signed up to entry " + views.Count(int(d.SignedTo)) + "."
}

// What pages and refusals say.
const (
	reviewNoteHelp    = "It becomes an entry of the audit log, with your name."
	wrongEvidenceDays = "Give two days, the first one not after the second, as in 2026-11-24."
	noEvidence        = "There are no entries in these days. Choose others."
	notVerified       = "The audit log could not be verified now, so there is no new verdict. Try again in a minute."
	verifierBusy      = "Many organisations verify their audit logs now. Try again in a minute."
)
