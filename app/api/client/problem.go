package client

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// AnswerError is an answer that did not come whole, or that this version of the client does not
// understand. The server may have done what was asked.
type AnswerError struct {
	text string
	err  error // nil = none
}

const (
	answerCut = "the answer was cut off"
	answerOdd = "the answer is not what this version of the client expects"
)

// Error says what is wrong with the answer.
func (e *AnswerError) Error() string {
	if e.err == nil {
		return e.text
	}
	return e.text + ": " + e.err.Error()
}

// Unwrap gives the cause.
func (e *AnswerError) Unwrap() error { return e.err }

// cutOff is why the body of a could not be read: the caller's context has ended, or the answer was
// cut off.
func cutOff(a *http.Response, err error) error {
	if a.Request != nil && a.Request.Context().Err() != nil {
		return a.Request.Context().Err() // err may be the context's cause, such as a signal
	}
	return &AnswerError{answerCut, err}
}

// whole is the body of an answer. Its end before its time is an *AnswerError.
type whole struct {
	io.ReadCloser
	answer *http.Response
}

func (w whole) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = cutOff(w.answer, err)
	}
	return n, err
}

// Error is what went wrong and what to do, with the wrong fields.
func (p *Problem) Error() string {
	text := p.Detail
	for _, e := range p.Errors {
		text += fmt.Sprintf("; %s: %s", e.Field, e.Message)
	}
	return text
}

// Code is the last word of Type, such as no_devices. It is empty if a proxy answered in place of
// Carillon.
func (p *Problem) Code() string {
	if p.Type == "about:blank" {
		return ""
	}
	return p.Type[strings.LastIndexAny(p.Type, ":/#")+1:]
}

// ProblemOf reads the problem document of an answer that another client got, such as one of the
// Model Context Protocol.
func ProblemOf(a *http.Response) *Problem { return problem(a) }

// problem reads the problem document of an answer (RFC 9457). An answer of something else, such as
// a proxy, becomes a problem of the type about:blank that says so.
func problem(a *http.Response) *Problem {
	body, err := io.ReadAll(io.LimitReader(a.Body, 256<<10))
	p := &Problem{}
	if err == nil && isProblem(a) && json.Unmarshal(body, p) == nil && p.Type != "" && p.Detail != "" {
		return p
	}
	p = &Problem{Type: "about:blank", Status: a.StatusCode, Title: http.StatusText(a.StatusCode)}
	p.Detail = fmt.Sprintf("The server answered %s, but not as Carillon does. Check its address and the proxy in front of it.", a.Status)
	if to := a.Header.Get("Location"); to != "" && a.StatusCode < 400 {
		p.Detail = fmt.Sprintf("The server answered %s and names %s. Use the address of that server.", a.Status, to)
	}
	return p
}

func isProblem(a *http.Response) bool {
	kind, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	return err == nil && kind == "application/problem+json"
}
