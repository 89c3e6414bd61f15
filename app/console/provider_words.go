package console

import "carillon/views"

func removalOfProvider() views.Confirm {
	return views.Confirm{ID: "remove-provider", Title: "Remove the provider?", Button: "Remove provider", Action: views.PathProviderOff,
		Back: views.PathProvider, Consequence: []string{"Everybody who signed in through it is signed out immediately.",
			"People without a password need “Forgot password?” to sign in again."}}
}

// What pages and refusals say.
const (
	providerTitle       = "Sign-in"
	removeProviderTitle = "Remove the provider"
	keepSecret          = "Leave empty to keep the secret that is stored."
	issuerHelp          = "The address of your provider, such as https://login.example.com"
	firstRoleLabel      = "Role at the first sign-in"
	onlyProviderLabel   = "Only through this provider"
	providerUnsaved     = "The provider was not saved."
	providerDomainsHelp = "Of the addresses that it signs in, such as example.com. You prove each with a DNS record."
	domainVerified      = "Verified"
	domainWaits         = "Not verified: admits nobody new"
	domainLost          = "No longer verified, because its record is gone: admits nobody new"
	domainNoRecord      = "No such record was found at %s. DNS needs up to an hour to show a new record. Then check again."
	domainNoAnswer      = "The DNS of %s did not answer. Try again in a few minutes."
	manyChecks          = "Too many checks. Wait a minute and try again."
	manyStarts          = "Too many people of this organisation are signing in. Wait a moment and try again."
	noProviderOfDomain  = "No organisation signs in with addresses of this domain. Sign in with your password."
	otherFlow           = "This sign-in was not begun in this browser, or it took too long. Begin again."
	providerSaidNo      = "The provider did not sign you in. Try again, or ask an administrator of your organisation."
	otherProvider       = "The answer came from another provider than the one that was asked."
	throughProvider     = "You signed in through your organisation’s provider. To change your account, sign in with your password."
)
