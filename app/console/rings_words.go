package console

import (
	"strings"

	"carillon/tenants"
)

func headline(r *tenants.Ring, device string) string {
	switch r.State {
	case tenants.Placed, tenants.Pushed:
		return "Calling " + device + "…"
	case tenants.Ringing:
		return "Ringing " + device + "…"
	case tenants.Answered:
		return "The call was answered."
	case tenants.Ended:
		return "It works. The call was answered."
	case tenants.Declined:
		return "It works. The person declined."
	case tenants.Cancelled:
		return "Stopped before anyone answered."
	}
	if t := titles[r.EndReason]; t != "" {
		return strings.TrimSuffix(t, ".")
	}
	return "The phone did not ring."
}
