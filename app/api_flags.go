package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"carillon/app/api/client"
)

// apiFlags say which server a verb asks, and with which key.
type apiFlags struct {
	URL string `help:"Address of the server." default:"http://127.0.0.1:8080" env:"CARILLON_PUBLIC_URL"`
	Key string `help:"API key of the tenant." required:"" env:"CARILLON_API_KEY"`
}

// Validate refuses flags that cannot work, before any request.
func (a *apiFlags) Validate() error {
	if u, err := url.Parse(a.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("--url: %q is not the address of a server; give one such as https://ring.example.com", a.URL)
	}
	return nil
}

func (a *apiFlags) open() (*client.Client, error) { return client.New(a.URL, a.Key, client.Retries(2)) }

// The exit codes of verbs that ask a server, after 0, 1 and 2 of Run.
const (
	exitRefused     = 3 // the server refused
	exitUnknown     = 4 // there is no such thing
	exitServer      = 5 // no server answered, or it failed, or its answer was lost
	exitNotAnswered = 6 // the ring ended without a call
)

// farError is a failure to ask a server, with the exit code.
type farError struct {
	text string
	code int
}

func (f *farError) Error() string { return f.text }

// cure says in the terminal's words why a server did not do what was asked: which field was wrong,
// and which flag to change.
func (a *apiFlags) cure(err error) error {
	var p *client.Problem
	var dial *net.OpError
	switch {
	case errors.As(err, &p):
	case errors.Is(err, context.Canceled):
		return err // Run knows whether that is a failure
	case errors.As(err, &dial) && dial.Op == "dial":
		return &farError{fmt.Sprintf("no server answers at %s; start one, or give its --url: %v", a.URL, dial), exitServer}
	case errors.As(err, new(*url.Error)), errors.As(err, new(*client.AnswerError)):
		return &farError{err.Error(), exitServer}
	case errors.Is(err, io.ErrUnexpectedEOF), dial != nil:
		return &farError{fmt.Sprintf("the answer was cut off: %v", err), exitServer}
	default:
		return err
	}
	text, code := fmt.Sprintf("%d %s: %s", p.Status, http.StatusText(p.Status), p.Detail), exitRefused
	for _, e := range p.Errors {
		text += fmt.Sprintf("\n  %s: %s", e.Field, e.Message)
	}
	switch {
	case p.Status == http.StatusUnauthorized:
		text += " Give it with --key or CARILLON_API_KEY."
	case p.Status == http.StatusNotFound:
		code = exitUnknown
	case p.Status >= 500:
		code = exitServer
	}
	return &farError{text, code}
}
