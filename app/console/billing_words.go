package console

import (
	"carillon/tenants"
	"carillon/views"
)

// tight warns of a plan that is smaller than what is used.
func tight(e tenants.Entitlement, plan tenants.Plan) (out []views.Callout) {
	for _, x := range []struct {
		used, most int64
		what       string
	}{{e.Usage.Devices, plan.Devices, "devices"}, {e.Usage.People, plan.People, "people"},
		{e.Usage.Rings, plan.Rings, "rings this month"}} {
		if x.most > 0 && x.used > x.most {
			out = append(out, views.Callout{Tone: views.ToneWarn, Title: "You have more " + x.what + " than " + plan.Name + " includes.",
				Cause: views.Count(int(x.used)) + " now, " + views.Count(int(x.most)) +
					" then. Nothing is removed, but you cannot add more."})
		}
	}
	return out
}
