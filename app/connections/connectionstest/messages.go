package connectionstest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"testing"
	"unicode/utf8"
)

// The account of Messages.
const (
	AccountSID = "AC0123456789abcdef0123456789abcdef"
	AuthToken  = "a-token-of-the-account"
)

// Text is a text that Messages took.
type Text struct{ To, From, Service, Body string }

// Messages is a Messages API like Twilio's that refuses what Twilio refuses.
type Messages struct {
	*httptest.Server

	mu      sync.Mutex // guards the rest
	texts   []Text
	refuse  map[string]int // error codes by number
	failing int            // HTTP status of every answer; 0 = none
	drop    bool           // take the text and close the connection without an answer
}

// NewMessages starts one over TLS; it ends with the test.
func NewMessages(t testing.TB) *Messages {
	t.Helper()
	m := &Messages{refuse: map[string]int{}}
	m.Server = httptest.NewTLSServer(http.HandlerFunc(m.serve))
	t.Cleanup(m.Close)
	return m
}

// Refuse answers each text to a number with an error code.
func (m *Messages) Refuse(number string, code int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse[number] = code
}

// Fail answers everything with an HTTP status; 0 works again.
func (m *Messages) Fail(status int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failing = status
}

// Drop takes texts and closes the connection instead of answering.
func (m *Messages) Drop(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop = on
}

// Texts are the ones taken, in order.
func (m *Messages) Texts() []Text {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.texts)
}

var (
	number  = regexp.MustCompile(`^\+[1-9]\d{7,14}$`)
	sender  = regexp.MustCompile(`^(\+[1-9]\d{7,14}|[A-Za-z0-9 ]{1,11})$`)
	service = regexp.MustCompile(`^MG[0-9a-f]{32}$`)
	fields  = []string{"To", "From", "MessagingServiceSid", "Body"}
)

func (m *Messages) serve(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failing != 0 {
		fault(w, m.failing, 0, "failing")
		return
	}
	user, password, ok := r.BasicAuth()
	switch {
	case !ok || user != AccountSID || password != AuthToken:
		fault(w, http.StatusUnauthorized, 20003, "Authenticate")
	case r.Method == http.MethodGet && r.URL.Path == "/2010-04-01/Accounts/"+AccountSID+".json":
		_ = json.NewEncoder(w).Encode(map[string]any{"sid": AccountSID, "status": "active"})
	case r.Method != http.MethodPost || r.URL.Path != "/2010-04-01/Accounts/"+AccountSID+"/Messages.json":
		fault(w, http.StatusNotFound, 20404, "The requested resource was not found")
	case r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.ParseForm() != nil:
		fault(w, http.StatusBadRequest, 20001, "not a form")
	default:
		m.take(w, r.PostForm)
	}
}

func (m *Messages) take(w http.ResponseWriter, form url.Values) {
	t := Text{form.Get("To"), form.Get("From"), form.Get("MessagingServiceSid"), form.Get("Body")}
	for name, values := range form {
		if !slices.Contains(fields, name) || len(values) != 1 {
			fault(w, http.StatusBadRequest, 20001, "the field "+name)
			return
		}
	}
	switch code := m.refuse[t.To]; {
	case !number.MatchString(t.To):
		fault(w, http.StatusBadRequest, 21211, "Invalid 'To' Phone Number")
	case t.From == "" && t.Service == "":
		fault(w, http.StatusBadRequest, 21603, "A 'From' phone number is required")
	case t.From != "" && !sender.MatchString(t.From) || t.Service != "" && !service.MatchString(t.Service):
		fault(w, http.StatusBadRequest, 21212, "Invalid 'From' Number")
	case t.Body == "":
		fault(w, http.StatusBadRequest, 21602, "Message body is required")
	case utf8.RuneCountInString(t.Body) > 1600:
		fault(w, http.StatusBadRequest, 21617, "The concatenated message body exceeds the 1600 character limit")
	case code != 0:
		fault(w, http.StatusBadRequest, code, "refused")
	default:
		m.texts = append(m.texts, t)
		if m.drop {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"sid": fmt.Sprintf("SM%032x", len(m.texts)), "status": "queued", "error_code": nil})
	}
}

// fault answers as Twilio does (https://www.twilio.com/docs/usage/twilios-response#response-formats-exceptions).
func fault(w http.ResponseWriter, status, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "code": code, "message": message,
		"more_info": fmt.Sprintf("https://www.twilio.com/docs/errors/%d", code)})
}
