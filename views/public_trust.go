package views

// claims are what the program does to protect data. Each claim must be true of the code.
var claims = []struct {
	title string
	rows  []Row
}{
	{"Between tenants", []Row{
		{Name: "Every query has a tenant", Text: "The program can reach a tenant’s rows only through an object that holds the tenant’s " +
			"ID. A test checks every SQL statement and fails if one has no tenant."},
		{Name: "Row-level security on PostgreSQL", Text: "The database itself allows a transaction to read and write only the rows of " +
			"one tenant. This also applies to the owner of the tables."},
		{Name: "Other tenants’ data looks absent", Text: "A request with another tenant’s ID gets 404, like an ID that does not exist. " +
			"A test tries this on every address, with every role."},
		{Name: "Separate connections to Apple", Text: "Each connection to Apple belongs to one team, key, environment and key " +
			"fingerprint. A customer who enters another customer’s IDs cannot use that customer’s connection."},
	}},
	{"In the push", []Row{
		{Name: "Only IDs, times and a label", Text: "The version (v), the ring’s ID (call_id), two times (iat, exp) and, if the " +
			"industry allows it, a caller label (from). If your app uses React Native or Flutter, the push repeats the ID and the label " +
			"as uuid, handle and callerName, or as id, nameCaller and handle with isVideo, because the library reads these names. " +
			"A push never contains anything else."},
		{Name: "IDs only for three industries", Text: "In healthcare, behavioral health and legal, a push never contains the caller " +
			"label. The app reads it after it wakes, with its own credential."},
	}},
	{"At rest", []Row{
		{Name: "Secrets, notes and recordings", Text: "Apple credentials, the secrets of agents and connections, authenticator apps, " +
			"notes and recordings are encrypted with AES-256-GCM. Each has its own data key, which is encrypted with a master key from " +
			"a file. If someone copies an encrypted value to another row or tenant, it cannot be decrypted there."},
		{Name: "API keys, device credentials, links", Text: "They contain 192 random bits, are shown once, and are stored as SHA-256 " +
			"hashes. API keys have a prefix and a checksum, so that scanning tools can find a leaked key."},
		{Name: "Passwords", Text: "Hashed with argon2id (19 MiB). An unknown email address and a wrong password get the same answer " +
			"after the same time. Common passwords, and passwords that contain your email address or company name, are refused."},
		{Name: "Your database", Text: "Rings, people and push tokens are not encrypted in the database. We recommend an encrypted disk."},
	}},
	{"In a browser", []Row{
		{Name: "No third-party content", Text: "All scripts, styles and fonts come from this server. A content security policy blocks " +
			"inline code. There is no analytics and no tag manager."},
		{Name: "Sign-ins", Text: "A cookie with 256 random bits that scripts cannot read. Each sign-in gets a new one. It ends after " +
			"twelve hours without use, or after seven days. When you change your password, your other sign-ins end."},
		{Name: "Other sites", Text: "The server refuses a change if the browser says that the request comes from another site."},
	}},
	{"During a call", []Row{
		{Name: "Encrypted to this server", Text: "The sound between the phone and this server is encrypted with DTLS-SRTP, as in every " +
			"WebRTC call."},
		{Name: "Not recorded without notice", Text: "The server stores no sound, unless an owner of your organisation " +
			"turns recording on. Then each person hears an announcement first, or presses 1 to agree. " +
			"Recordings are encrypted in the database, and each time somebody listens is in the audit log."},
	}},
	{"Records", []Row{
		{Name: "Audit", Text: "Each change by a person or an API key is saved together with its audit entry, in one transaction. One is " +
			"never saved without the other. The entries are a chain of hashes whose end is signed every ten minutes, so that a " +
			"changed or removed entry is found. The database refuses both."},
		{Name: "Partners’ ledger", Text: "Entries can only be added. The database refuses to change or delete them. A partner sees " +
			"amounts and a random ID, but never who the customer is."},
		{Name: "Logs", Text: "Logs contain routes, status codes and IDs. They do not contain tokens, keys, WebRTC session descriptions " +
			"or request bodies."},
	}},
}

// gaps are what the program does not do.
var gaps = []Row{
	{Name: "No certificates", Text: "Carillon has no SOC 2, ISO 27001 or HITRUST certificate, and no external audit."},
	{Name: "The second step is optional", Text: "People can add an authenticator app or a passkey to their password. An organisation " +
		"can require it. At the start it is not required."},
	{Name: "One layer of isolation on SQLite", Text: "Row-level security needs PostgreSQL. On SQLite only the program separates " +
		"tenants. A superuser of the database can read everything."},
	{Name: "Your proxy must provide TLS", Text: "Carillon itself speaks plain HTTP. Your proxy handles TLS. In production, the public " +
		"address must start with https."},
}

// SecurityPage says what the code does, and what it does not.
type SecurityPage struct{ Front Front }

// DemoPage is a call without a sign-up.
type DemoPage struct {
	Front   Front
	Seconds int
	Off     bool   // this server carries no calls
	ICE     string // address of the STUN and TURN servers for a call; empty = there are none
	Closed  bool   // because the operator wants no demo
	Agent   string // name of the agent that the operator chose; empty = the built-in one
}

// who is the agent's name in the middle of a sentence.
func (p DemoPage) who() string {
	if p.Agent == "" {
		return "the built-in agent"
	}
	return "the agent “" + p.Agent + "” of this server’s operator"
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
	Code       Field // of the partner who referred them
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
