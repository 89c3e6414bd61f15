package console

import (
	"net/url"
	"time"

	"carillon/app/notify"
	"carillon/app/page"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

const (
	exportNoRoom    = "The disk of this server has too little room for an export. Its operator can make room."
	exportElsewhere = "Another server of this installation has the file, and does not run now. Try again later, or ask for a new export."
	exportGone      = "The file of this export is no longer there. Ask for a new export."
	exportFailed    = "The file could not be written. Ask for the export again. If it fails again, the operator of this server finds the " +
		"cause in its log."
	eraseWho  = "Email address, or reference of a person whose phone rings"
	exportOff = "This server keeps no exports: it has no data folder."
)

func exportWords(e tenants.Export, v *page.Visitor) (views.Callout, []views.Row) {
	asked := views.Row{Name: "Asked for", When: v.At(e.AskedAt)}
	switch e.State {
	case tenants.ExportWaiting:
		return views.Callout{Tone: views.ToneInfo, Title: "Waiting", Cause: "The export begins in a moment."}, []views.Row{asked}
	case tenants.ExportRunning:
		return views.Callout{Tone: views.ToneInfo, Title: "Writing the file",
				Cause: "You can leave this page. We write to you when it is ready."},
			[]views.Row{asked, {Name: "Rows so far", Text: views.Count(int(e.Rows))}, {Name: "Now", Text: e.At, Mono: true}}
	case tenants.ExportReady:
		return views.Callout{Tone: views.ToneGood, Title: "Ready", Cause: "The file is sealed on this server until you download it."},
			[]views.Row{asked, {Name: "Rows", Text: views.Count(int(e.Rows))}, {Name: "Size", Text: sizeShown(e.Size)},
				{Name: "Removed", When: v.At(e.ExpiresAt)}}
	}
	return views.Callout{Tone: views.ToneBad, Title: "There is no file", Cause: e.Why}, []views.Row{asked}
}

// sizeShown is a number of bytes for people.
func sizeShown(n int64) string {
	switch {
	case n >= 1<<30:
		return views.Count(int(n>>30)) + " GiB"
	case n >= 1<<20:
		return views.Count(int(n>>20)) + " MiB"
	}
	return views.Count(int(n>>10)+1) + " KiB"
}

// totalShown is a count, which may be cut off.
func totalShown(t store.Total) string {
	if t.More {
		return "more than " + views.Count(int(t.N))
	}
	return views.Count(int(t.N))
}

func exportRemoval() views.Confirm {
	return views.Confirm{ID: "export-remove", Title: "Remove the export?", Button: "Remove export", Action: views.PathDataExportOff,
		Back: views.PathData, Consequence: []string{"The file is deleted. Your data stays as it is."}}
}

func exportMail(u tenants.User, t tenants.Tenant, link string) notify.Mail {
	return notify.Mail{To: u.Email, Subject: "The export of " + t.Name + " is ready", Text: "Hello " + u.Name + ",\n\n" +
		"The file with everything that is stored about " + t.Name + " is ready. Download it here:\n\n" + link +
		"\n\nYou will be asked to confirm that it is you. The file is removed after seven days.\n"}
}

func eraseMember(who string) views.Confirm {
	return views.Confirm{ID: "erase", Title: "Erase " + who + "?", TypeName: who, Button: "Erase person", Back: views.PathData,
		Action: views.PathDataErase + "?who=" + url.QueryEscape(who), Consequence: []string{
			"They are removed from this organisation and signed out at once.",
			"Their name, address and network addresses are removed from rings, keys and the audit log. The audit chain still verifies.",
			"Their account is deleted if it is in no other organisation.", backupsKeep, cannotUndo}}
}

func erasePerson(who string) views.Confirm {
	return views.Confirm{ID: "erase", Title: "Erase " + who + "?", TypeName: who, Button: "Erase person", Back: views.PathData,
		Action: views.PathDataErase + "?who=" + url.QueryEscape(who), Consequence: []string{
			"Their phones, consents, notes, recordings and texts are deleted. Their phones stop ringing at once.",
			"Their reference is removed from rings, groups and the audit log. Rings stay as numbers. The audit chain still verifies.",
			"The lists of API keys that name them stay: without its list a key could ring everybody.", backupsKeep, cannotUndo}}
}

const (
	backupsKeep = "Backups that were made before can hold them until the operator of this server removes those backups."
	cannotUndo  = "This cannot be undone."
)

// graceDays is how long a deletion can be undone.
const graceDays = int(tenants.DeletionGrace / (24 * time.Hour))

func deleteTenant(t tenants.Tenant) views.Confirm {
	return views.Confirm{ID: "delete", Title: "Delete " + t.Name + "?", TypeName: t.Name, Button: "Delete organisation",
		Action: views.PathDataDelete, Back: views.PathData, Consequence: []string{
			"Everybody is locked out and no phone rings from now on.",
			"After " + views.Plural(graceDays, "day", "days") + " everything is deleted, and the subscription ends at once. " +
				"Until then an owner can undo it.",
			"An ID, the date, a count and the signed end of the audit log remain.",
			"Export everything first if you need it later.", backupsKeep}}
}

func keepTenant(v *page.Visitor) views.Confirm {
	return views.Confirm{ID: "keep", Title: "Keep " + v.Tenant.Name + "?", Button: "Keep organisation", Action: views.PathDataKeep,
		Back: views.PathDataKeep, Consequence: []string{"It will be deleted on " + v.At(v.Tenant.DeleteAt).Text + ".",
			"If you keep it, everybody can sign in and phones ring again."}}
}
