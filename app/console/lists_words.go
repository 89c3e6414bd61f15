package console

// What pages and refusals say.
const (
	sharedViewKept   = "This view is shared. Only who saved it, or somebody who may share views, removes it."
	ownViewGoes      = "It disappears from your menu."
	sharedViewGoes   = "It disappears from everybody’s menu."
	viewsHoldNothing = "What it shows stays as it is."
)
