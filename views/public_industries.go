package views

// IndustryText is an industry as its public page tells it.
type IndustryText struct {
	Slug, Name string
	Opaque     bool   // pushes carry ids only
	Short      string // for the list
	Title      string
	Lead       string
	Steps      []Row  // how one ring works, in order
	Caller     string // on the lock screen
	Asked      string // caller in the request; with opaque ids it never leaves this server
	App        string
	Reference  string
	Person     string // whom the request rings
	TTL        int    // seconds that the request lets the phone ring
	Asks       []Row  // questions of customers in this industry
}

const (
	opaquePolicy = "A notification contains only the ring’s ID and two times. The caller’s name stays on this server. " +
		"The app wakes, signs in with its own credential and reads the name. This is a rule for the industry: " +
		"no request and no setting can put a name into the push."
	labelledPolicy = "A notification may contain a caller label of at most 64 characters, so the lock screen can show who is calling. " +
		"Without a label, only IDs are sent."
)

// policy says what a push contains.
func (i IndustryText) policy() string {
	if i.Opaque {
		return opaquePolicy
	}
	return labelledPolicy
}

// label is the industry's payload policy in a few words.
func (i IndustryText) label() string {
	if i.Opaque {
		return "IDs only"
	}
	return "Can show the caller"
}

// push is the body that Apple receives.
func (i IndustryText) push() string {
	body := `{
  "v": 1,
  "call_id": "019ab2f4-6c1e-7d3a-9f24-1b7f0c9de210",
  "iat": 1795510200,
  "exp": ` + Plain(1795510200+i.TTL)
	if !i.Opaque {
		body += `,
  "from": "` + i.Caller + `"`
	}
	return body + "\n}"
}

// request is the API request of a customer in this industry.
func (i IndustryText) request() string {
	return `POST /v1/rings
{
  "to": {"person": "` + i.Person + `"},
  "caller": "` + i.Asked + `",
  "reference": "` + i.Reference + `",
  "ttl_s": ` + Plain(i.TTL) + `
}`
}
