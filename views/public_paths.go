package views

// Addresses of the public pages.
const (
	PathHome       = "/"
	PathPricing    = "/pricing"
	PathIndustries = "/industries" // GET; each industry has a page below it
	PathSecurity   = "/security"
	PathDocs       = "/docs"
	PathDocSearch  = "/docs/search" // GET ?q=
	PathStatus     = "/status"
	PathTerms      = "/terms"
	PathPrivacy    = "/privacy"
	PathSitemap    = "/sitemap.xml"
	PathRobots     = "/robots.txt"
	PathOpenAPI    = "/v1/openapi.yaml"
	PathDemo       = "/demo"
	PathDemoICE    = "/demo/ice"    // GET the STUN and TURN servers for a call that is about to be made
	PathDemoAnswer = "/demo/answer" // POST application/sdp: an offer, answered 201 with Location of the call
	PathTrial      = "/trial"       // GET form, POST company, name, email, password, industry, time_zone

	PathAffiliate           = "/affiliate"               // GET what partners earn; POST name, email: a link by mail
	PathPartner             = "/affiliate/dashboard"     // GET the partner dashboard
	PathPartnerCSV          = "/affiliate/dashboard.csv" // GET the ledger as a file
	PathPartnerLedger       = "/affiliate/ledger"        // GET all entries
	PathPartnerCustomers    = "/affiliate/customers"     // GET all customers
	PathPartnerCustomersCSV = "/affiliate/customers.csv"
	PathPartnerPayee        = "/affiliate/payee"   // POST payee, by, account
	PathPartnerSignOut      = "/affiliate/signout" // POST
	PathPartnerLinkQuery    = "via"                // ?via=CODE on any public page is a partner's link too
)

// DownloadPath is a library as a file, such as "swift.zip".
func DownloadPath(file string) string { return PathDocs + "/download/" + file }

// IndustryPath is the page of an industry.
func IndustryPath(slug string) string { return PathIndustries + "/" + slug }

// DemoCallPath is a call of the demo; DELETE hangs it up.
func DemoCallPath(id string) string { return PathDemo + "/calls/" + id }

// TrialPath is where the link of a sign-up leads: GET asks once more, POST starts the trial.
func TrialPath(token string) string { return PathTrial + "/" + token }

// PartnerLinkPath is a partner's link: GET counts that it was followed and leads to the front page.
func PartnerLinkPath(code string) string { return "/r/" + code }

// PartnerEnterPath is where the link in a partner's mail leads: GET asks once more, POST signs in.
func PartnerEnterPath(token string) string { return PathAffiliate + "/links/" + token }

// DocPath is a page of the documentation.
func DocPath(slug string) string {
	if slug == "overview" {
		return PathDocs
	}
	return PathDocs + "/" + slug
}
