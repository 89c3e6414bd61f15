// Package stripetest is a Stripe inside this process: a strict stand-in for api.stripe.com that
// speaks API version 2023-10-16 over HTTP and keeps state. It has customers, products, prices,
// meters, checkout with a payment page, subscriptions, invoices, refunds, disputes, a portal page,
// events signed like Stripe's, and a clock that tests move. It refuses what Stripe would refuse: a
// wrong key or version, unknown parameters, unknown ids.
//
// It knows nothing of Carillon. Start reading at New; catalog.go, checkout.go, subscription.go,
// invoice.go and charge.go hold the state, pages.go the pages.
package stripetest

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Version is the one API version that it speaks.
const Version = "2023-10-16"

// Config configures a Stripe. The zero value is a test-mode account without a webhook.
type Config struct {
	Key  string    // "" = Key
	Now  time.Time // where its clock begins; zero = now
	Tick bool      // the clock runs by itself; otherwise only Advance moves it
	Live bool      // events have livemode true
	// each event is posted to this URL; empty = tests deliver them
	Webhook string
	Secret  string // signs the posted events
}

// Key and Secret are the defaults for tests.
const (
	Key    = "sk_test_carillon"
	Secret = "whsec_carillon_test"
)

// Stripe is one account.
type Stripe struct {
	c      Config
	server *httptest.Server

	telling sync.Mutex // held while posting events; lock before mu

	mu      sync.Mutex // guards the rest
	now     time.Time
	ticked  time.Time // when the clock last ran by itself
	serial  int
	refused []string         // requests that the real one would refuse
	down    bool             // every request is answered 500
	deaf    map[string]bool  // requests of these methods are answered 500
	answers map[string]given // by idempotency key
	// stateless objects: customers, products, prices, meters, refunds, disputes
	objects   map[string]map[string]any
	order     []string // ids of objects, in order of creation
	sessions  []*session
	subs      []*subscription
	invoices  []*invoice
	usage     []usage
	events    []Event
	untold    int // index of the first event not yet posted
	broken    map[string]bool
	taxes     map[string]int64  // percent, by customer
	borrowed  map[string]string // whose card each customer pays with
	codes     map[string]int64  // percent off, by promotion code
	endpoints []map[string]any
	hook      http.Client
}

// Event is a message as it would be posted.
type Event struct {
	ID, Type string
	Body     []byte
}

// given is an answer to a request with an idempotency key.
type given struct{ form, body string }

type usage struct {
	id, customer string
	at           time.Time
	value        int64
}

// New opens the account. Close it at the end.
func New(c Config) (*Stripe, error) {
	if c.Key == "" {
		c.Key = Key
	}
	if c.Secret == "" {
		c.Secret = Secret
	}
	if c.Now.IsZero() {
		c.Now = time.Now()
	}
	s := &Stripe{c: c, now: c.Now.Truncate(time.Second), ticked: time.Now(), answers: map[string]given{},
		deaf: map[string]bool{}, objects: map[string]map[string]any{}, broken: map[string]bool{},
		taxes: map[string]int64{}, borrowed: map[string]string{}, codes: map[string]int64{}, hook: http.Client{Timeout: time.Minute}}
	s.server = httptest.NewServer(http.HandlerFunc(s.serve))
	return s, nil
}

// Close stops serving.
func (s *Stripe) Close() error { s.server.Close(); return nil }

// URL stands for https://api.stripe.com.
func (s *Stripe) URL() string { return s.server.URL }

// Now is the account's clock.
func (s *Stripe) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Hook posts its events to an address from now on.
func (s *Stripe) Hook(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.c.Webhook, s.untold = address, len(s.events)
}

// Down makes it answer every request with 500, or stop doing so.
func (s *Stripe) Down(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// Deaf makes it answer requests of one method with 500, or stop doing so.
func (s *Stripe) Deaf(method string, deaf bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deaf[method] = deaf
}

// Refused lists the requests that broke a rule of Stripe.
func (s *Stripe) Refused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refused)
}

// fault is a refusal in Stripe's format.
type fault struct {
	status     int
	kind, code string
	msg        string
	param      string // the parameter at fault; empty = not said
}

func (f fault) Error() string { return f.msg }

func bad(format string, args ...any) error {
	return fault{status: http.StatusBadRequest, kind: "invalid_request_error", code: "parameter_invalid", msg: fmt.Sprintf(format, args...)}
}

func noSuch(what, id string) error {
	return fault{status: http.StatusNotFound, kind: "invalid_request_error", code: "resource_missing",
		msg: "No such " + what + ": '" + id + "'", param: what}
}

// serve answers one request, then posts the events.
func (s *Stripe) serve(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/v1/") {
		defer s.tell()
		s.page(w, r)
		return
	}
	defer s.pass()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tick()
	if s.down || s.deaf[r.Method] {
		answer(w, http.StatusInternalServerError, map[string]any{"error": map[string]any{"type": "api_error", "message": "down"}})
		return
	}
	body, err := s.answer(r)
	if err == nil {
		answer(w, http.StatusOK, body)
		return
	}
	f, ok := err.(fault)
	if !ok {
		f = fault{status: http.StatusInternalServerError, kind: "api_error", msg: err.Error()}
	}
	s.refused = append(s.refused, r.Method+" "+r.URL.Path+": "+f.msg)
	answer(w, f.status, map[string]any{"error": map[string]any{"type": f.kind, "code": f.code, "message": f.msg, "param": f.param}})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Request-Id", "req_"+hexes(8))
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may have left
}

// route is one endpoint of the API: the parameters it knows and what it does.
type route struct {
	method, path string // {} stands for an id
	knows        []string
	do           func(id string, f url.Values) (any, error)
}

func (s *Stripe) routes() []route {
	return slices.Concat(s.catalogRoutes(), s.checkoutRoutes(), s.subscriptionRoutes(), s.invoiceRoutes(), s.chargeRoutes(), []route{
		{"GET", "/v1/events", []string{"limit", "starting_after", "types[]", "created[gte]", "type"}, s.listEvents},
		{"GET", "/v1/events/{}", nil, s.oneEvent},
		{"GET", "/v1/webhook_endpoints", []string{"limit", "starting_after"}, func(string, url.Values) (any, error) {
			return list(s.endpoints, "/v1/webhook_endpoints"), nil
		}},
	})
}

var index = regexp.MustCompile(`\[\d+\]`)

// answer checks the request as Stripe does and runs it. Called with mu held.
func (s *Stripe) answer(r *http.Request) (any, error) {
	if r.Header.Get("Authorization") != "Bearer "+s.c.Key {
		return nil, fault{status: http.StatusUnauthorized, kind: "invalid_request_error", msg: "Invalid API Key provided"}
	}
	if v := r.Header.Get("Stripe-Version"); v != Version {
		return nil, bad("version %q", v)
	}
	if err := form(r); err != nil {
		return nil, bad("form: %v", err)
	}
	for _, x := range s.routes() {
		before, after, one := strings.Cut(x.path, "{}")
		id := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, before), after)
		if r.Method != x.method || one && (!strings.HasPrefix(r.URL.Path, before) ||
			!strings.HasSuffix(r.URL.Path, after) || id == "" || strings.Contains(id, "/")) ||
			!one && r.URL.Path != x.path {
			continue
		}
		for k := range r.Form {
			if plain := index.ReplaceAllString(k, "[]"); !knows(x.knows, plain) {
				return nil, bad("Received unknown parameter: %s", k)
			}
		}
		return s.once(r, func() (any, error) { return x.do(id, r.Form) })
	}
	return nil, fault{status: http.StatusNotFound, kind: "invalid_request_error",
		msg: "Unrecognized request URL (" + r.Method + ": " + r.URL.Path + ")"}
}

// form reads the parameters. stripe-go sends those of a DELETE in its body, which Stripe accepts
// and net/http ignores.
func form(r *http.Request) error {
	if r.Method == http.MethodDelete {
		r.Method = http.MethodPut
		defer func() { r.Method = http.MethodDelete }()
	}
	return r.ParseForm()
}

func knows(all []string, k string) bool {
	for _, x := range all {
		if x == k || strings.HasSuffix(x, "[*]") && strings.HasPrefix(k, strings.TrimSuffix(x, "*]")) {
			return true
		}
	}
	return k == "expand[]"
}

// once answers a repeated idempotency key with the first answer.
func (s *Stripe) once(r *http.Request, do func() (any, error)) (any, error) {
	key := r.Header.Get("Idempotency-Key")
	if r.Method != http.MethodPost || key == "" {
		return do()
	}
	if old, ok := s.answers[key]; ok {
		if old.form != r.Form.Encode() {
			return nil, fault{status: http.StatusBadRequest, kind: "idempotency_error",
				msg: "Keys for idempotent requests can only be used with the same parameters they were first used with."}
		}
		return json.RawMessage(old.body), nil
	}
	out, err := do()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(out)
	s.answers[key] = given{r.Form.Encode(), string(text)}
	return out, err
}

// id returns a new id; ids sort in order of creation.
func (s *Stripe) id(prefix string) string {
	s.serial++
	return fmt.Sprintf("%s_%08d%s", prefix, s.serial, hexes(6))
}

func hexes(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

func list[T any](all []T, path string) map[string]any {
	if all == nil {
		all = []T{}
	}
	return map[string]any{"object": "list", "data": all, "has_more": false, "url": path}
}

// pageOf returns one page of a list: at most limit (10) objects after starting_after.
func pageOf(all []map[string]any, path string, f url.Values) (any, error) {
	if id := f.Get("starting_after"); id != "" {
		at := slices.IndexFunc(all, func(o map[string]any) bool { return o["id"] == id })
		if at < 0 {
			return nil, bad("No such object: '%s'", id)
		}
		all = all[at+1:]
	}
	most := int64(10)
	if f.Has("limit") {
		var err error
		if most, err = number(f, "limit"); err != nil || most < 1 || most > 100 {
			return nil, bad("Invalid limit: 1 to 100")
		}
	}
	more := int64(len(all)) > most
	if more {
		all = all[:most]
	}
	page := list(all, path)
	page["has_more"] = more
	return page, nil
}

// newestFirst is the order of Stripe's lists.
func newestFirst[T any](all []T) []T {
	out := slices.Clone(all)
	slices.Reverse(out)
	return out
}

func number(f url.Values, k string) (int64, error) {
	n, err := strconv.ParseInt(f.Get(k), 10, 64)
	if err != nil {
		return 0, bad("Invalid integer: %s", k)
	}
	return n, nil
}

// meta reads metadata.
func meta(f url.Values, name string) map[string]string {
	out := map[string]string{}
	for k, v := range f {
		if rest, ok := strings.CutPrefix(k, name+"["); ok && strings.HasSuffix(rest, "]") {
			out[strings.TrimSuffix(rest, "]")] = v[0]
		}
	}
	return out
}

// Forgive clears the list of refused requests, after a test that expected them.
func (s *Stripe) Forgive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = nil
}
