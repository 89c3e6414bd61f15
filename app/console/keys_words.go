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
		page.Sort{Key: "-used", Text: "Last used first"}, page.Sort{Key: "used", Text: "Longest unused first"}),
	Columns: []page.Column{
		{Key: "kind", Text: "Kind"},
		{Key: "permissions", Text: "Permissions", File: []string{"scopes", "rings_per_second"}},
		{Key: "used", Text: "Last used", File: []string{"last_used_at"}},
	},
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
		Action: views.KeyRevokePath(string(key.ID)), Back: views.PathKeys,
	}
}

// What pages and refusals say.
const (
	createKeyTitle = "Create an API key"
	keyNameHelp    = "Name of the program"
	keyRefused     = "The key was not created."
	newKeyTitle    = "Your new API key"
	newKeyNote     = "Copy it into your program now. We cannot show it again."
	revokeTitle    = "Revoke an API key"
)
