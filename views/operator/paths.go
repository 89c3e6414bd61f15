package operator

import "net/url"

// The addresses of the operator console. It has a listener of its own. Those of the operator's
// account and passkeys are as in the console of tenants: views.PathAccount and below.
const (
	PathSignIn       = "/signin"
	PathSignOut      = "/signout"
	PathTenants      = "/tenants"
	PathTenantsCSV   = "/tenants.csv"
	PathHealth       = "/health"
	PathTeams        = "/health/teams"
	PathTeamsCSV     = "/health/teams.csv"
	PathEnding       = "/health/certificates"
	PathEndingCSV    = "/health/certificates.csv"
	PathEvents       = "/events"
	PathEventsCSV    = "/events.csv"
	PathPartners     = "/partners"
	PathPartnersCSV  = "/partners.csv"
	PathAudit        = "/audit"
	PathAuditCSV     = "/audit.csv"
	PathOperators    = "/operators"
	PathOperatorsCSV = "/operators.csv"
	PathCodes        = "/codes"
	PathMails        = "/mails"
	PathMailsCSV     = "/mails.csv"
)

// WelcomeAskPath gives the challenge of a new operator's passkey.
func WelcomeAskPath(token string) string { return WelcomePath(token) + "/passkey" }

// WelcomePath is where the link of a new operator leads.
func WelcomePath(token string) string { return "/welcome/" + token }

// TenantPath is a tenant's page.
func TenantPath(id string) string { return PathTenants + "/" + id }

// AuditOf is the record of what operators did to a tenant.
func AuditOf(id string) string { return PathAudit + "?target=" + url.QueryEscape(id) }

// SuspendPath asks for the reason of a suspension.
func SuspendPath(id string) string { return TenantPath(id) + "/suspend" }

// ResumePath lets a tenant work again.
func ResumePath(id string) string { return TenantPath(id) + "/resume" }

// PlanPath gives a tenant a plan.
func PlanPath(id string) string { return TenantPath(id) + "/plan" }

// LookPath opens the tenant's console as a guest who may only read.
func LookPath(id string) string { return TenantPath(id) + "/look" }

// EventPath is an event of Stripe.
func EventPath(id string) string { return PathEvents + "/" + url.PathEscape(id) }

// ReplayPath processes an event of Stripe again.
func ReplayPath(id string) string { return EventPath(id) + "/replay" }

// PartnerPath is a partner's page.
func PartnerPath(id string) string { return PathPartners + "/" + id }

// PaidPath records that a partner was paid.
func PaidPath(id string) string { return PartnerPath(id) + "/paid" }

// PayoutsPath is what a partner was paid, as a file.
func PayoutsPath(id string) string { return PartnerPath(id) + "/payouts.csv" }

// ResendPath sends a mail again.
func ResendPath(id string) string { return PathMails + "/" + id + "/resend" }
