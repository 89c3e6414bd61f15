package console

import (
	"carillon/app/notify"
	"carillon/app/page"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

const (
	exportNoRoom    = "The disk of this server has too little room for an export. Its operator can make room."
	exportElsewhere = "Another server of this installation has the file. Try again, or ask its operator to lead you to the right server."
	exportFailed    = "The file could not be written. Ask for the export again. If it fails again, the operator of this server finds the " +
		"cause in its log."
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
		"The file with everything that is stored of " + t.Name + " is ready. Download it here:\n\n" + link +
		"\n\nYou will be asked to confirm that it is you. The file is removed after seven days.\n"}
}
