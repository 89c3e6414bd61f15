package console

import (
	"carillon/app/notify"
	"carillon/app/page"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

var peopleWords = page.Words{
	Name: "People", Path: views.PathPeople, CSV: views.PathPeopleCSV, File: "people", Search: "Name or email",
	One: "person", Many: "people",
	Empty: views.Empty{Icon: views.IconPeople, Text: "No other people yet."},
	Add:   views.Button{Text: "Invite person", Href: views.PathPersonAdd, Icon: views.IconPersonAdd, Kind: views.Primary},
	Sorts: page.Newest(page.Sort{Key: "name", Text: "Name, A to Z"}, page.Sort{Key: "-name", Text: "Name, Z to A"},
		page.Sort{Key: "role", Text: "Role, A to Z"}, page.Sort{Key: "-role", Text: "Role, Z to A"}),
}

// mayRank refuses what ranks does not allow.
func mayRank(v *page.Visitor, r tenants.Role) error {
	if ranks(v, r) {
		return nil
	}
	v.Missing = tenants.OwnersWrite
	return tenants.Refuse(tenants.Forbidden, "owners_only", "Only an owner can add or remove owners. Ask an owner.")
}

// roleFor say in one line what each role is for.
var roleFor = map[tenants.Role]string{
	tenants.Owner: "Full access, manages owners", tenants.Admin: "Full access except owners",
	tenants.Developer: "Calls, devices, agents, connections and keys",
	tenants.Analyst:   "Reads rings, figures and the audit log; sets alert rules",
	tenants.Billing:   "Plan, usage and invoices only", tenants.Viewer: "Read only",
}

func roleRows() []views.Row {
	return mapped(tenants.Roles, func(r tenants.Role) views.Row { return views.Row{Name: r.Name(), Text: roleFor[r]} })
}

func removalOfPerson(m tenants.Member) views.Confirm {
	return views.Confirm{
		ID: "remove-" + string(m.User), Title: "Remove " + m.Name + "?",
		Button: "Remove person", Action: views.PersonRemovePath(string(m.User)), Back: views.PathPeople,
		Consequence: []string{"They are signed out immediately and lose access.", "Their past actions stay in the audit log."},
	}
}

func takingBack(i store.Invitation) views.Confirm {
	return views.Confirm{
		ID: "remove-" + invitationID(i), Title: "Cancel the invitation for " + i.Email + "?", Button: "Cancel invitation",
		Action: views.PersonRemovePath(invitationID(i)), Back: views.PathPeople,
		Consequence: []string{"The link stops working immediately."},
	}
}

func invitationMail(i store.Invitation, v *page.Visitor, link string) notify.Mail {
	word := i.Role.Name()
	return notify.Mail{To: i.Email, Subject: "Invitation to " + v.Tenant.Name + " on Carillon", Text: "Hello,\n\n" + v.User.Name +
		" invites you to " + v.Tenant.Name + " on Carillon. Your role will be: " + word +
		".\n\nOpen this link to join:\n\n" + link +
		"\n\nThe link works once, within seven days. If you do not know why you got this email, you can ignore it.\n"}
}

// What pages and refusals say.
const (
	rolesTitle       = "What each role may do"
	roleAbove        = "The role “%s” may do more than yours, so you cannot look at the console with it."
	mailBusy         = "We cannot send email right now. Try again in a few minutes."
	noSuchRole       = "This role does not exist. Choose one of the list."
	wrongPassword    = "The password is wrong. Try again."
	unusablePassword = "This password cannot be used. If you have an account with this address, enter its password."
	invitationGone   = "This invitation was used, cancelled or replaced, or it has expired. Ask for a new one."
	invitationNote   = "Send this link to the person. The first person to open it joins your organisation. It works once, within seven " +
		"days, and is not shown again. Older links no longer work."
)
