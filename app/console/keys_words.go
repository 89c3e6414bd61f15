package console

import (
	"strconv"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

var keyWords = page.Words{
	Name: "API keys", Path: views.PathKeys, CSV: views.PathKeysCSV, File: "api-keys", Search: "Name or last four characters",
	One: "key", Many: "keys",
	Empty: views.Empty{Icon: views.IconKey, Text: "No API keys yet."},
	Add:   views.Button{Text: "Create API key", Href: views.PathKeyAdd, Icon: views.IconPlus, Kind: views.Primary},
	Sorts: page.Newest(page.Sort{Key: "name", Text: "Name, A to Z"}, page.Sort{Key: "-name", Text: "Name, Z to A"},
		page.Sort{Key: "-used", Text: "Last used first"}, page.Sort{Key: "used", Text: "Longest unused first"},
		page.Sort{Key: "-expires", Text: "Latest expiry first"}, page.Sort{Key: "expires", Text: "Earliest expiry first"}),
	Columns: []page.Column{
		{Key: "kind", Text: "Kind"},
		{Key: "permissions", Text: "Permissions", File: []string{"scopes", "rings_per_second", "addresses", "devices", "people"}},
		{Key: "expires", Text: "Expires", File: []string{"expires_at"}},
		{Key: "used", Text: "Last used", File: []string{"last_used_at", "last_address", "last_client"}},
	},
}

// requestWords are those of the requests of a key; Path and CSV are added.
var requestWords = page.Words{
	Name: "Latest requests", File: "key-requests", Search: "Route, status, address or request ID", One: "request", Many: "requests",
	Empty: views.Empty{Icon: views.IconKey, Text: "No requests yet."},
	Sorts: []page.Sort{{Key: "-at", Text: "Latest first"}, {Key: "at", Text: "Oldest first"},
		{Key: "-status", Text: "Highest status first"},
		{Key: "status", Text: "Lowest status first"}, {Key: "-took", Text: "Slowest first"}, {Key: "took", Text: "Fastest first"}},
}

// rateHelp says what the key's limit means beside the tenant's.
func (k keyPages) rateHelp() string {
	if k.PerSecond <= 0 {
		return "Leave empty for no limit. Above the limit, requests are answered with “wait” (429)."
	}
	return "Leave empty to use the limit of your organisation: " + strconv.FormatFloat(k.PerSecond, 'g', -1, 64) +
		" a second, with short bursts of twice that. A limit for this key stops one program from using all of it."
}

func revocationOf(key tenants.Key, v *page.Visitor) views.Confirm {
	says := "It has not been used yet. Programs that use it will be refused."
	if !key.LastUsedAt.IsZero() {
		says = "It was last used on " + v.At(key.LastUsedAt).Text +
			". The program that uses it will be refused and cannot call phones until " +
			"it has a new key."
	}
	return views.Confirm{
		ID: "revoke-" + string(key.ID), Title: "Revoke " + key.Name + "?", TypeName: key.Name,
		Button: "Revoke key", Consequence: []string{says, "A revoked key cannot be restored."},
		Action: views.KeyRevokePath(string(key.ID)), Back: views.KeyPath(string(key.ID)),
	}
}

// What pages and refusals say.
const (
	createKeyTitle     = "Create an API key"
	keyNameHelp        = "Name of the program"
	keyRefused         = "The key was not created."
	newKeyTitle        = "Your new API key"
	newKeyNote         = "Copy it into your program now. We cannot show it again."
	revokeTitle        = "Revoke an API key"
	editKeyTitle       = "Edit an API key"
	endedKey           = "This key has ended and cannot be changed. Create a new one."
	expiresHelp        = "Owners, administrators and you get an email 14 and 3 days before."
	lastDayHelp        = "Only for “On a date”: the last day on which the key works, in the time zone of your organisation."
	networksHelp       = "Leave empty to take the key from everywhere. Otherwise one IP address or range on each line."
	onlyDevicesHelp    = "Leave empty to ring every device. Otherwise one device ID, or the reference of a person, on each line."
	replacedTitle      = "This key was rotated. Its successor works already."
	replacedCure       = "Give the new key to the program. Revoke this one to stop it earlier."
	replacedEndedTitle = "This key was rotated and has stopped."
	endedKeyTitle      = "This key has ended."
	endedKeyCure       = "Requests with it are refused (401). Create a new key for the program."
	removedDevice      = "a device that was removed"
	rotateBeyond       = "Your role cannot give the permission %s, which this key has. Ask an owner or an administrator to rotate it."
	usedNever          = "The old key has not been used yet."
	overlapLabel       = "The old key works for"
	overlapHelp        = "Until then both keys work."
	noOverlap          = "Choose how long the old key works."
	openNewKey         = "Open the new key"
	testKind           = "Test: sandbox phones only, free"
)

func bothWork(until string) string { return "Both keys work until " + until + "." }

func usedLast(at string) string { return "The old key was last used on " + at + "." }

// shareOfScopes is how many of all permissions a key has.
func shareOfScopes(n, all int) string {
	if n == all {
		return "All " + views.Plural(all, "permission", "permissions")
	}
	return views.Count(n) + " of " + views.Plural(all, "permission", "permissions")
}
