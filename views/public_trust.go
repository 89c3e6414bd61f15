package views

// claims are what the code does to keep a secret, each with where it is done. Nothing stands here
// that no code does.
var claims = []struct {
	title string
	rows  []Row
}{
	{"Between tenants", []Row{
		{Name: "Every query has a tenant", Text: "The program can reach a tenant’s rows only through an object that holds the tenant’s ID. A test checks every SQL statement and fails if one has no tenant."},
		{Name: "Row-level security on PostgreSQL", Text: "The database itself allows a transaction to read and write only the rows of one tenant. This also applies to the owner of the tables."},
		{Name: "Other tenants’ data looks absent", Text: "A request with another tenant’s ID gets 404, like an ID that does not exist. A test tries this on every address, with every role."},
		{Name: "Credentials apart", Text: "Connections to Apple, their tokens and their health are kept apart by team, key, environment and the key’s own fingerprint: a customer who enters another customer’s IDs cannot use that customer’s connection."},
	}},
	{"In the push", []Row{
		{Name: "Five fields at most", Text: "Version, ring id, two times and, where the industry allows it, a caller label. Nothing else is ever put into a push."},
		{Name: "Opaque by rule", Text: "Healthcare, behavioral health and legal never carry the label. The app reads it after waking, with its own credential."},
	}},
	{"At rest", []Row{
		{Name: "Apple credentials", Text: "Sealed with AES-256-GCM, each under its own data key, which is sealed under a master key from a file. A sealed blob copied to another row or tenant does not open."},
		{Name: "API keys, device credentials, links", Text: "Shown once and stored as SHA-256 hashes of 192 random bits. Our keys carry a prefix and a checksum, so that scanners find a leaked one."},
		{Name: "Passwords", Text: "argon2id with 19 MiB. An unknown address costs the same time as a wrong password and gets the same answer. A password that holds the address or the company’s name, or that is made of what is guessed first, is refused."},
		{Name: "Your database", Text: "Rings, people and push tokens are not encrypted in the database. Encrypt its disk."},
	}},
	{"In a browser", []Row{
		{Name: "Nothing from elsewhere", Text: "Every script, style and font comes from this server, and the content policy refuses inline code. No analytics, no tag manager."},
		{Name: "Sign-ins", Text: "256 random bits in a cookie that scripts cannot read, replaced at each sign-in, over after twelve idle hours or seven days. A changed password ends the other ones."},
		{Name: "Other sites", Text: "A request that changes something is refused if the browser says it came from another site."},
	}},
	{"On the line", []Row{
		{Name: "Encrypted to this server", Text: "Sound travels as DTLS-SRTP, as in every WebRTC call, between the phone and this server."},
		{Name: "Not decoded, not recorded", Text: "The gateway forwards Opus packets. It has no codec to decode them and stores none."},
	}},
	{"On the record", []Row{
		{Name: "Audit", Text: "A change by a person or a key writes its audit row in the same transaction: either both are there or neither."},
		{Name: "Partners’ ledger", Text: "Lines are added and never changed: the database itself refuses an update or a deletion. A partner sees sums and an opaque id, never a customer."},
		{Name: "Logs", Text: "Routes, statuses and ids. No tokens, no keys, no session descriptions, no payloads."},
	}},
}

// gaps are what the code does not do, said by us first.
var gaps = []Row{
	{Name: "No certificates", Text: "No SOC 2, no ISO 27001, no HITRUST. There was no external audit."},
	{Name: "No second factor yet", Text: "People sign in with a password alone."},
	{Name: "No chain of hashes yet", Text: "Anyone who can write to the database can change the audit log."},
	{Name: "One layer of isolation on SQLite", Text: "Row-level security needs PostgreSQL. On SQLite only the program separates tenants. A superuser of the database can read everything."},
	{Name: "TLS is the proxy’s", Text: "Carillon uses plain HTTP behind your proxy, which handles TLS. In production, the public address must be https."},
}

// SecurityPage says what the code does, and what it does not.
type SecurityPage struct{ Front Front }

// docParts are the sections of the public documentation, by anchor.
func docParts(p DevelopersPage) []struct{ id, title string } {
	if p.Public {
		return docSections[1:]
	}
	return docSections
}

// DocsPage is the documentation for people without an account.
type DocsPage struct {
	Front Front
	Base  string // address of this server
}

// public are example values in place of a tenant's.
func (p DocsPage) public() DevelopersPage {
	return DevelopersPage{BaseURL: p.Base, Bundle: "com.example.app", Device: "DEVICE_ID", KeyShown: "crl_test_…", Public: true}
}

// DemoPage is a call without a sign-up.
type DemoPage struct {
	Front   Front
	Seconds int
	Off     bool   // this server carries no calls
	ICE     string // address of the STUN and TURN servers for a call; empty = there are none
	Closed  bool   // because the operator wants no demo
	Agent   string // name of the agent that the operator chose; empty = the built-in one
}

// who speaks, in the middle of a sentence.
func (p DemoPage) who() string {
	if p.Agent == "" {
		return "the built-in agent"
	}
	return "the agent “" + p.Agent + "”, which the operator of this server chose and which speaks with the built-in agent’s voice,"
}

// TrialPage asks who would like to try.
type TrialPage struct {
	Front      Front
	Days       string // "14 days"
	Off        bool   // no mail leaves this server: nobody can sign up
	Error      string
	Company    Field
	Name       Field
	Email      Field
	Password   Field
	Industries Pick
	Zone       Field
	Code       Field // of the partner who brought them
}

// TrialSentPage says the same to everybody who signed up.
type TrialSentPage struct {
	Front Front
	Email string
	Link  string // dev mode: what the mail holds
}

// TrialConfirmPage is where the link in the mail leads.
type TrialConfirmPage struct {
	Front   Front
	Gone    bool
	Company string
	Email   string
	Action  string
	Days    string
	Ask     bool // not the browser that signed up: the password is asked for
	Error   string
}
