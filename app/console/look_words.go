package console

import (
	"fmt"

	"carillon/app/page"
)

const (
	guestsRead = "Operators can only read here. The organisation's own people make changes."
	wrongHours = "Choose 1, 24 or 72 hours."
	guestSays  = "You look at this console as the operator %s, until %s UTC. You can change nothing, and each page is in the audit log."
)

// guestShown is the banner of an operator who looks; empty for everybody else.
func guestShown(v *page.Visitor) string {
	if v.Guest == nil {
		return ""
	}
	return fmt.Sprintf(guestSays, v.Guest.Operator.Name, v.Guest.ExpiresAt.UTC().Format("15:04"))
}
