package console

import (
	"carillon/app/notify"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

func resetMail(to, link string) notify.Mail {
	return notify.Mail{To: to, Subject: "Choose a new Carillon password", Text: "Hello,\n\n" +
		"Someone, probably you, asked for a new password for this email address. Open this link to choose one:\n\n" + link +
		"\n\nThe link works once, within 30 minutes. If it was not you, you can ignore this email. Nothing was changed.\n"}
}

func removalOfApp() views.Confirm {
	return views.Confirm{ID: "app-remove", Title: "Remove your authenticator app?", Button: "Remove app", Action: views.PathAppRemove,
		Back: views.PathAccount, Consequence: []string{"Without another second step, a password alone then opens your account.",
			"You are signed out in all other browsers."}}
}

func removalOfPasskey(p store.Passkey) views.Confirm {
	return views.Confirm{ID: "passkey-remove", Title: "Remove the passkey “" + p.Name + "”?", Button: "Remove passkey",
		Action: views.PasskeyRemovePath(string(p.ID)), Back: views.PathAccount,
		Consequence: []string{"It no longer signs in here. Delete it in your browser or password manager too.",
			"You are signed out in all other browsers."}}
}

func newCodes() views.Confirm {
	return views.Confirm{ID: "recovery", Title: "Make new recovery codes?", Button: "Make new codes", Action: views.PathRecovery,
		Back: views.PathAccount, Consequence: []string{"Your older codes stop working immediately."}}
}

func newEmailMail(to, name, link string) notify.Mail {
	return notify.Mail{To: to, Subject: "Confirm your new address for Carillon", Text: "Hello " + name + ",\n\n" +
		"You asked to sign in to Carillon with this email address. Open this link to confirm it:\n\n" + link +
		"\n\nThe link works once, within 24 hours. If it was not you, you can ignore this email. Nothing was changed.\n"}
}

func askedEmailMail(u tenants.User, to string) notify.Mail {
	return notify.Mail{To: u.Email, Subject: "Somebody asked to change the email address of your Carillon account", Text: "Hello " +
		u.Name + ",\n\n" +
		"Somebody who is signed in to your account asked to change its email address to " + to +
		". Nothing has changed yet: the link that confirms it went to the new address.\n\n" +
		"If it was not you, sign in now, choose “Sign out everywhere else” on your account page and change your password. The link " +
		"then no longer works.\n"}
}

func oldEmailMail(was tenants.User, to string) notify.Mail {
	return notify.Mail{To: was.Email, Subject: "Your Carillon email address was changed", Text: "Hello " + was.Name + ",\n\n" +
		"Your account no longer signs in with this address. The new address is " + to + ".\n\n" +
		"If it was not you, write to an owner of your organisation now. They can remove the account.\n"}
}

// payloadOf says what the tenant's pushes carry.
func payloadOf(t tenants.Tenant) views.Callout {
	if t.Opaque() {
		return views.Callout{Tone: views.ToneGood, Title: "IDs only, no names",
			Cause: "Your notifications never contain a name or label, because a caller’s name can reveal " +
				"that someone is a patient or a client. " +
				"The lock screen shows your app’s name until the app has read who is calling."}
	}
	return views.Callout{Tone: views.ToneInfo, Title: "IDs and a caller label",
		Cause: "Your notifications can contain a caller label of at most 64 characters, from the ring or its agent, " +
			"so the phone can show it immediately. Never put a reason or a case in it: it appears on the lock screen."}
}

// errorCures say what to do about a refusal, by status.
var errorCures = map[int]string{
	400: "Go back, check what you entered, and try again.",
	401: "Sign in again.",
	402: "Look under Billing.",
	403: "Ask an owner of your organisation.",
	404: "Go to the overview.",
	405: "Go to the overview.",
	409: "Reload the page to see the current state.",
	410: "Ask for a new one.",
	413: "Choose a smaller file.",
	429: "Wait a moment and try again.",
	503: "Try again in a minute.",
}

// wrongSignIn is said of an unknown address and of a wrong password alike.
const wrongSignIn = "The email or password is wrong. Try again, or choose “Forgot password?”."

// What pages and refusals say.
const (
	accountTitle         = "Your account"
	appTitle             = "Set up an authenticator app"
	appRemoveTitle       = "Remove your app"
	passkeyTitle         = "Add a passkey"
	passkeyRemoveTitle   = "Remove a passkey"
	passkeyNameHelp      = "So that you know it again, such as the name of the device."
	wrongPasskeyName     = "Give the passkey a name of 1 to 60 characters."
	passkeyLate          = "This took too long, or was sent twice. Try again."
	passkeyRefused       = "This passkey was not accepted. Try again, or sign in with your password."
	passkeyNotMade       = "The browser made no passkey that we can accept. Try again, or try another device."
	passkeysNeedDomain   = "Passkeys need a server with a domain name. Its operator sets one with CARILLON_PUBLIC_URL."
	recoveryTitle        = "Recovery codes"
	ownStepFirst         = "Set up your own second step first: go to Your account, Two-step sign-in."
	wrongCode            = "This code is wrong, too old, or was used already. Wait for the next one and try again."
	wrongFirstCode       = "This is not the code that the app shows now. Check that the time of your phone is right, and try again."
	confirmMeTitle       = "Confirm that it is you"
	noWayIn              = "Each of your organisations signs in through its own provider. Choose “Sign in with your organisation”."
	wrongName            = "The name does not match. Type it exactly as shown above."
	wrongName80          = "1 to 80 characters, no control characters."
	noMailHere           = "This server sends no email, so a new address cannot be confirmed. Ask its operator."
	sameEmail            = "This is your address already. Enter another one."
	wrongEmail           = "Enter an email address, such as ana@example.com."
	brokenLink           = "This link is not complete. Ask for a new one."
	suspendedBecause     = "The operator of this server has suspended this account. The reason: %s"
	suspendedAccount     = "This account is suspended. Its owner can ask the operator of this server why."
	lacksPermission      = "Your role (%s) does not include: %s."
	otherSession         = "This page was opened under another sign-in or for another organisation. Reload it."
	ringTimeLabel        = "How long a phone rings"
	ringTimeHelp         = "5 to 60 seconds. A single ring can use a different time."
	wrongCurrentPassword = "The current password is wrong. Try again."
	unknownCure          = "Try again in a minute. If it happens again, send this request ID to the operator of this server."
	frontPageCure        = "Go to the front page."
	frontPageText        = "Go to the front page"
	suspendedCure        = "Switch to another of your organisations, or sign out."
	memberOfNone         = "You are not a member of any organisation. Ask an owner for a new invitation."
)
