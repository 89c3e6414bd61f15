package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// mostAnswer bounds an answer that is read as a whole.
const mostAnswer = 64 << 20

// Client speaks to one server with one API key. It may be used by several goroutines at once.
type Client struct {
	Rings       *Rings
	Events      *Events
	Devices     *Devices
	Pairings    *Pairings
	Credentials *Credentials
	Agents      *Agents
	Connections *Connections
	Groups      *Groups
	Schedules   *Schedules
	Consents    *Consents
	Analytics   *Analytics

	Calls *Calls // every operation as in openapi.yaml, with the same retries
}

// Option changes how a Client or a Phone sends requests.
type Option func(*sender)

// Retries sets how often a request is sent again after the first time: 5 if it is not set, 0 for
// never.
func Retries(n int) Option { return func(s *sender) { s.retries = max(0, n) } }

// HTTPClient sends the requests with h. It must not follow redirects of requests with a body, and
// its Timeout must be 0 for Follow to work.
func HTTPClient(h *http.Client) Option { return func(s *sender) { s.http = h } }

// IdempotencyKey names a request, so that a repetition of it within 24 hours, even by another
// process, rings nobody twice. Without it Place makes a key that lasts for its own retries.
func IdempotencyKey(key string) RequestEditorFn {
	return func(_ context.Context, q *http.Request) error {
		q.Header.Set("Idempotency-Key", key)
		return nil
	}
}

// New gives a client of the server at address, such as https://ring.example.com. It refuses an
// address without http:// or https:// and an empty key; it sends nothing.
func New(address, key string, options ...Option) (*Client, error) {
	if key == "" {
		return nil, errors.New("the API key is missing; create one under API keys in the console")
	}
	calls, s, err := open(address, key, options)
	if err != nil {
		return nil, err
	}
	return &Client{
		Rings: &Rings{calls, s}, Events: &Events{calls, s}, Devices: &Devices{calls}, Pairings: &Pairings{calls},
		Credentials: &Credentials{calls},
		Agents:      &Agents{calls}, Connections: &Connections{calls}, Groups: &Groups{calls},
		Schedules: &Schedules{calls}, Consents: &Consents{calls}, Analytics: &Analytics{calls}, Calls: calls,
	}, nil
}

func open(address, key string, options []Option) (*Calls, *sender, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, nil, fmt.Errorf("%q is not the address of a server; give one such as https://ring.example.com", address)
	}
	s := &sender{retries: 5, pause: pause, silence: longestSilence}
	for _, o := range options {
		o(s)
	}
	if s.http == nil {
		s.http = plain()
	}
	calls, err := NewClient(strings.TrimRight(address, "/"), func(c *Calls) error {
		c.Client = s
		c.RequestEditors = append(c.RequestEditors, func(_ context.Context, q *http.Request) error {
			q.Header.Set("Authorization", "Bearer "+key)
			q.Header.Set("User-Agent", "carillon-go")
			return nil
		})
		return nil
	})
	return calls, s, err
}

// plain is an HTTP client that waits 30 s for an answer to begin. It follows no redirect: that
// would turn a POST into a GET.
func plain() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = 30 * time.Second
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// read decodes the JSON of a successful answer. Any other answer is a *Problem.
func read[T any](a *http.Response, err error) (T, error) {
	var into T
	if err != nil {
		return into, err
	}
	defer a.Body.Close()
	if a.StatusCode >= 300 {
		return into, problem(a)
	}
	body, err := io.ReadAll(io.LimitReader(a.Body, mostAnswer))
	if err != nil {
		return into, cutOff(a, err)
	}
	if len(body) == 0 {
		return into, nil
	}
	if err := json.Unmarshal(body, &into); err != nil {
		return into, &AnswerError{answerOdd, err}
	}
	return into, nil
}

// done reads an answer that has no content.
func done(a *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if a.StatusCode >= 300 {
		return problem(a)
	}
	return nil
}

// Page is one page of a list, newest entries first. Next is nil on the last page.
type Page[T any] struct {
	Data []T     `json:"data"`
	Next *string `json:"next"`
}

// all iterates over the entries of every page. The first error ends it.
func all[T any](fetch func(after *string) (Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for after := (*string)(nil); ; {
			page, err := fetch(after)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, entry := range page.Data {
				if !yield(entry, nil) {
					return
				}
			}
			if page.Next == nil {
				return
			}
			after = page.Next
		}
	}
}
