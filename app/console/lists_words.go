package console

import (
	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

// What pages and refusals say.
const (
	sharedViewKept   = "This view is shared. Only who saved it, or somebody who may share views, removes it."
	ownViewGoes      = "It disappears from your menu."
	sharedViewGoes   = "It disappears from everybody’s menu."
	searchRings      = "Search all rings"
	viewsHoldNothing = "What it shows stays as it is."
)

// What can be done to several rows, and what is said of it.
const (
	nothingTicked   = "No row is selected. Go back and select one or more."
	tooManyTicked   = "Select at most 50 rows at once."
	phonesStop      = "These phones stop ringing immediately. To use one again, pair it again."
	ringsNow        = "Each of these phones rings now, as a test ring from you."
	noDeviceFile    = "Choose a file first."
	largeDeviceFile = "The file has more than %s devices or 5 MB, which is the most at once. " +
		"Split it and import the parts one after the other."
	noTag           = "Type a tag of 1 to 40 characters, without commas and semicolons. Go back and try again."
	someRing        = "%d of %d phones ring. %s was refused: %s"
	tagsOnly        = "Tags only sort your list. They do not change how phones ring."
	keysStayRevoked = "A revoked key cannot be restored."
	alertsReopen    = "If the cause of one remains, it opens again."
)

// deviceBulk is what may be done to several devices.
func deviceBulk(v *page.Visitor) *views.Bulk {
	if !v.Role.May(mayDevices) {
		return nil
	}
	b := &views.Bulk{Action: views.PathDevicesBulk, Field: &views.Field{Name: "tag", Label: "Tag", Placeholder: "Tag", Max: 40},
		Acts: []views.Act{{Do: "tag", Text: "Add tag"}, {Do: "untag", Text: "Remove tag"}}}
	if v.Role.May(mayRing) {
		b.Acts = append(b.Acts, views.Act{Do: "ring", Text: "Test ring", Icon: views.IconRing})
	}
	b.Acts = append(b.Acts, views.Act{Do: "remove", Text: "Remove", Icon: views.IconTrash, Danger: true})
	return b
}

// bulkOne is the one thing that may be done to several rows, by those who have the permission.
func bulkOne(v *page.Visitor, needs tenants.Permission, action, do, text string, icon views.Icon) *views.Bulk {
	if !v.Role.May(needs) {
		return nil
	}
	return &views.Bulk{Action: action, Acts: []views.Act{{Do: do, Text: text, Icon: icon, Danger: true}}}
}

func usedKeys(n int) string {
	return views.Plural(n, "key was used before: its program will be refused.", "keys were used before: their programs will be refused.")
}

func taggingWords(devices int, tag string, on bool) (title, button string) {
	if on {
		return "Give " + views.Plural(devices, "device", "devices") + " the tag “" + tag + "”?", "Add tag"
	}
	return "Take the tag “" + tag + "” from " + views.Plural(devices, "device", "devices") + "?", "Remove tag"
}

// stoppedWords say what stopping several rings does: to those that ring, to calls, and to those
// that are over.
func stoppedWords(ringing, calls, over int) []string {
	says := []string{views.Plural(ringing, "phone call stops ringing.", "phone calls stop ringing."),
		views.Plural(calls, "call in progress is hung up.", "calls in progress are hung up.")}
	if over > 0 {
		says = append(says, views.Plural(over, "ring is over already and stays as it is.", "rings are over already and stay as they are."))
	}
	return says
}

func removeViewTitle(view string) string { return "Remove the view “" + view + "”?" }
