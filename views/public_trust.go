package views

// claims are what the code does to keep a secret, each with where it is done. Nothing stands here that no code does.
var claims = []struct {
	title string
	rows  []Row
}{
	{"Between tenants", []Row{
		{Name: "One way to a row", Text: "Rows of a tenant are reached through a scope that carries the tenant, and in no other way. A test reads every statement that the suite runs and fails on one that names a tenant’s table without its tenant."},
		{Name: "A second wall on PostgreSQL", Text: "Row-level security in the database shows and takes only rows of the tenant that a transaction was opened for, and binds the tables’ owner too."},
		{Name: "Foreign means absent", Text: "Another tenant’s id is answered 404, exactly as an id that does not exist. A test goes to every address, with every role, with another tenant’s real ids."},
		{Name: "Credentials apart", Text: "Connections to Apple, their tokens and their health are kept apart by team, key, environment and the key’s own fingerprint: who types another’s ids does not reach another’s connection."},
	}},
	{"In the push", []Row{
		{Name: "Five fields at most", Text: "Version, ring id, two times and, where the industry allows it, a caller label. Nothing else is ever put into a push."},
		{Name: "Opaque by rule", Text: "Healthcare, behavioral health and legal never carry the label. The app reads it after waking, with its own credential."},
	}},
	{"At rest", []Row{
		{Name: "Apple credentials", Text: "Sealed with AES-256-GCM, each under its own data key, which is sealed under a master key from a file. A sealed blob copied to another row or tenant does not open."},
		{Name: "API keys, device credentials, links", Text: "Shown once and stored as SHA-256 hashes of 192 random bits. Our keys carry a prefix and a checksum, so that scanners find a leaked one."},
		{Name: "Passwords", Text: "argon2id with 19 MiB. An unknown address costs the same time as a wrong password and gets the same answer. A password that holds the address or the company’s name, or that is made of what is guessed first, is refused."},
		{Name: "Your database", Text: "Rings, people and push tokens lie in your database as they are. Encrypt the disk under it."},
	}},
	{"In a browser", []Row{
		{Name: "Nothing from elsewhere", Text: "Every script, style and font comes from this server, and the content policy refuses inline code. No analytics, no tag manager."},
		{Name: "Sign-ins", Text: "256 random bits in a cookie that scripts cannot read, replaced at each sign-in, over after twelve idle hours or seven days. A changed password ends the other ones."},
		{Name: "Other sites", Text: "Whatever changes something is refused when the browser says that another site sent it. A page that reads writes nothing."},
	}},
	{"On the line", []Row{
		{Name: "Encrypted to this server", Text: "Sound travels as DTLS-SRTP, as in every WebRTC call, between the phone and this server."},
		{Name: "Not decoded, not recorded", Text: "The part that carries calls hands Opus packets on and holds no codec to decode them with. It writes none down."},
	}},
	{"On the record", []Row{
		{Name: "Audit", Text: "A change by a person or a key writes its audit row in the same transaction: either both are there or neither."},
		{Name: "Partners’ ledger", Text: "Lines are added and never changed: the database itself refuses an update or a deletion. A partner sees sums and an opaque id, never a customer."},
		{Name: "Logs", Text: "Routes, statuses and ids. No tokens, no keys, no session descriptions, no payloads."},
	}},
}

// gaps are what the code does not do, said by us first.
var gaps = []Row{
	{Name: "No certificates", Text: "No SOC 2, no ISO 27001, no HITRUST. Nobody outside has audited this."},
	{Name: "No second factor yet", Text: "People sign in with a password alone."},
	{Name: "No chain of hashes yet", Text: "Whoever can write to the database can change the audit log."},
	{Name: "One wall on SQLite", Text: "The second wall, row-level security, is PostgreSQL’s. On SQLite the wall between tenants stands in the program alone; and no wall holds against a superuser of the database."},
	{Name: "TLS is the proxy’s", Text: "Carillon speaks plain HTTP to the proxy before it. Production refuses a public address that is not https."},
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

// DocsPage is the documentation for whoever has no account.
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
	Closed  bool   // because whoever runs it wants no demo
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
