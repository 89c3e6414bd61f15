package api

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"carillon/tenants"
)

// ask is one request.
type ask struct {
	method, path string
	key          tenants.Secret
	body         string
	kind         string   // of the body; empty = JSON where there is one
	header       []string // name, value, …
}

func (a ask) request(t testing.TB, base string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), a.method, base+a.path, strings.NewReader(a.body))
	must(t, err)
	if a.kind == "" && a.body != "" {
		a.kind = "application/json"
	}
	if a.kind != "" {
		r.Header.Set("Content-Type", a.kind)
	}
	if a.key != "" {
		r.Header.Set("Authorization", "Bearer "+string(a.key))
	}
	for i := 0; i < len(a.header); i += 2 {
		r.Header.Add(a.header[i], a.header[i+1])
	}
	return r
}

// answer is the response.
type answer struct {
	t      testing.TB
	ask    ask
	status int
	header http.Header
	body   string
}

// do sends the request and compares it and the answer with openapi.yaml: an answer must be
// described, and a successful request must be valid.
func (h *fixture) do(a ask) answer {
	h.Helper()
	r := a.request(h, h.url)
	resp, err := http.DefaultClient.Do(r)
	must(h, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(h, err)
	got := answer{t: h, ask: a, status: resp.StatusCode, header: resp.Header, body: string(body)}
	h.spec.check(h, a.request(h, "http://carillon"), got)
	return got
}

func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s %s %.200s: %d %.600s, want %d", a.ask.method, a.ask.path, a.ask.body, a.status, a.body, status)
	}
	return a
}

func (a answer) into(v any) {
	a.t.Helper()
	d := json.NewDecoder(strings.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		a.t.Fatalf("%v in %s", err, a.body)
	}
}

// code is the last part of a problem's type, and the names of its wrong fields.
func (a answer) code() (code string, fields []string) {
	a.t.Helper()
	var p struct {
		Type   string
		Errors []struct{ Field string }
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		a.t.Fatalf("%v in %s", err, a.body)
	}
	for _, e := range p.Errors {
		fields = append(fields, e.Field)
	}
	_, code, _ = strings.Cut(p.Type, "#")
	return code, fields
}

// contract is openapi.yaml, ready to check requests and answers.
type contract struct {
	doc    *openapi3.T
	router routers.Router
}

// readOnce parses the contract once for all tests, because validating it is slow.
var readOnce = sync.OnceValues(func() (*contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(openapi)
	if err != nil {
		return nil, err
	}
	doc.Servers = nil                    // "/" is no host, and the router wants one
	router, err := legacy.NewRouter(doc) // which validates the document
	return &contract{doc: doc, router: router}, err
})

func readContract(t testing.TB) *contract {
	t.Helper()
	c, err := readOnce()
	must(t, err)
	return c
}

func (c *contract) check(t testing.TB, r *http.Request, got answer) {
	t.Helper()
	route, params, err := c.router.FindRoute(r)
	if err != nil {
		if got.status != 404 && got.status != 405 {
			t.Errorf("%s %s is not in the contract and was answered %d", r.Method, r.URL.Path, got.status)
		}
		return
	}
	in := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if err := openapi3filter.ValidateRequest(t.Context(), in); err != nil && got.status < 300 {
		t.Errorf("%s %s %.200s: granted, but the contract forbids it: %v", r.Method, r.URL.Path, got.ask.body, err)
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: got.status, Header: got.header, Options: in.Options,
		Body: io.NopCloser(bytes.NewReader([]byte(got.body))),
	}
	if err := openapi3filter.ValidateResponse(t.Context(), out); err != nil {
		t.Errorf("%s %s: %d %.600s breaks the contract: %v", r.Method, r.URL.Path, got.status, got.body, err)
	}
}
