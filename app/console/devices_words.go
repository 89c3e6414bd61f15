package console

import (
	"carillon/app/page"
	"carillon/app/push"
	"carillon/tenants"
	"carillon/views"
)

var deviceWords = page.Words{
	Name: "Devices", Path: views.PathDevices, CSV: views.PathDevicesCSV, File: "devices", Search: "Name, person, model or id",
	One: "device", Many: "devices",
	Empty: views.Empty{Icon: views.IconDevice, Text: "No phone is paired yet."},
	Add:   views.Button{Text: "Pair a device", Href: views.PathPair, Icon: views.IconQR, Kind: views.Primary},
	Sorts: page.Newest(page.Sort{Key: "name", Text: "Name, A to Z"}, page.Sort{Key: "-name", Text: "Name, Z to A"},
		page.Sort{Key: "-seen", Text: "Last seen first"}, page.Sort{Key: "seen", Text: "Longest unseen first"},
		page.Sort{Key: "person", Text: "Person, A to Z"}, page.Sort{Key: "-person", Text: "Person, Z to A"}),
	Columns: []page.Column{
		{Key: "person", Text: "Person", File: []string{"person"}},
		{Key: "tags", Text: "Tags", File: []string{"tags"}},
		{Key: "model", Text: "Model", File: []string{"model"}},
		{Key: "versions", Text: "Versions of iOS and app", Off: true, File: []string{"os_version", "app_version"}},
		{Key: "app", Text: "App", Off: true, File: []string{"bundle_id"}},
		{Key: "health", Text: "Health", File: []string{"health"}},
		{Key: "environment", Text: "Environment", File: []string{"environment"}},
		{Key: "created", Text: "Added", Off: true, File: []string{"created_at"}},
	},
}

func deviceProblem(d tenants.Device, status tenants.PhoneStatus) *views.Callout {
	switch status.State {
	case tenants.PhoneRemoved:
		r := push.ReactionTo(410, d.DisabledReason)
		return &views.Callout{Tone: views.ToneBad, Title: "This phone cannot be rung: " + orDash(d.DisabledReason), Cause: r.Cause,
			Cure: r.Cure}
	case tenants.PhoneNotSeen:
		return &views.Callout{Tone: views.ToneWarn, Title: "This phone has not been seen for a while", Cause: status.Cause,
			Cure: status.Cure}
	}
	return nil
}

// mergeWords is the question before an older entry is merged into a newer one.
func mergeWords(old, into tenants.Device, v *page.Visitor) (title string, says []string) {
	return "Merge the older entry into " + deviceName(into) + "?", []string{
		"The entry “" + deviceName(old) + "”, last seen " + v.At(old.SeenAt).Text + ", goes. What rings on it stops.",
		"Its rings stay. They lead to " + deviceName(into) + " from now on.",
		"Its tags move over, and so do its name and phone number where the newer entry has none.",
		"API keys that were limited to it are limited to the newer entry. Programs that ring it by its device ID must use the new " +
			"one: " + string(into.ID) + ".",
		"Entries cannot be separated again.",
	}
}

func deviceForm(d tenants.Device, w page.Wrong) views.DeviceForm {
	return views.DeviceForm{
		Name: views.Field{Name: "name", Label: "Name", Value: page.Shown(d.Name, 80), Max: 80, Optional: true, Error: w.Fields["name"]},
		Person: views.Field{Name: "person", Label: "Belongs to", Value: page.Shown(d.Person, 64), Max: 64, Optional: true,
			Error: w.Fields["person"],
			Help:  "Your own ID for this person. A ring to a person reaches all their phones."},
		Number: views.Field{Name: "phone_number", Label: "Phone number", Type: "tel", Value: page.Shown(d.PhoneNumber, 40), Max: 40,
			Optional: true, Error: w.Fields["phone_number"], Placeholder: "+49 1511 2345678",
			Help: "With the country code. Only for a text after a missed ring, if text messages are connected."},
		Environment: page.Choose(string(d.Environment), page.Choice("auto", "Detected automatically"),
			page.Choice("production", "Production"), page.Choice("sandbox", "Sandbox")),
		Tags:  views.Field{Error: w.Fields["tags"]},
		Error: w.Unseen("name", "person", "phone_number", "tags"),
	}
}

func tagsField(value, wrong string) views.Field {
	return views.Field{Name: "tags", Label: "Tags", Value: value, Optional: true, Error: wrong, Placeholder: "reception, north",
		Help: "Separate them with commas. They sort your list of devices."}
}

func personField(value string, w page.Wrong) views.Field {
	return views.Field{Name: "person", Label: "Whose phone", Value: page.Shown(value, 64), Optional: true, Max: 64,
		Error: w.Fields["person"],
		Help: "Your own ID for this person, 1 to 64 characters of A-Z, a-z, 0-9, “.”, “_” and “-”. A ring to a person reaches all their " +
			"phones. Leave it empty for a shared phone."}
}

// What pages and refusals say.
const (
	healthSilent   = "Silent for 7 days"
	deviceStops    = "The phone stops ringing immediately. To use it again, pair it again."
	ringsStay      = "Past rings stay in the list."
	noOtherPhone   = " has no other phone that can ring."
	personRule     = "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'."
	noVirtualPhone = "This organisation has no virtual phone. Those of the examples and of new trials have one."
)

// importedBefore says how many devices of a file were imported before the one that was refused.
func importedBefore(n int) string {
	return views.Plural(n, "device was imported before.", "devices were imported before.")
}
