package views

// Addresses of the public pages.
const (
	PathHome       = "/"
	PathPricing    = "/pricing"
	PathIndustries = "/industries" // GET; a page of each lies beneath
	PathSecurity   = "/security"
	PathDocs       = "/docs"
	PathStatus     = "/status"
	PathTerms      = "/terms"
	PathPrivacy    = "/privacy"
	PathSitemap    = "/sitemap.xml"
	PathRobots     = "/robots.txt"
	PathOpenAPI    = "/v1/openapi.yaml"
	PathDemo       = "/demo"
	PathDemoAnswer = "/demo/answer" // POST application/sdp: an offer, answered 201 with Location of the call
	PathTrial      = "/trial"       // GET form, POST company, name, email, password, industry, time_zone
)

// IndustryPath is the page of an industry.
func IndustryPath(slug string) string { return PathIndustries + "/" + slug }

// DemoCallPath is a call of the demo; DELETE hangs it up.
func DemoCallPath(id string) string { return PathDemo + "/calls/" + id }

// TrialPath is where the link of a sign-up leads: GET asks once more, POST starts the trial.
func TrialPath(token string) string { return PathTrial + "/" + token }
