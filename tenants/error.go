package tenants

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what sort of refusal an Error is. The one map from Kind to an HTTP status lives in app/web.
type Kind uint8

// The closed list of kinds. The zero Kind is Internal, so that an error nobody classified never leaks its text.
const (
	Internal      Kind = iota
	Invalid            // the request cannot be read or breaks a documented rule
	Unknown            // no such thing, or not yours: the two are never told apart
	Unauthorized       // no valid key, credential or sign-in
	Forbidden          // known, and not allowed
	Conflict           // true a moment ago, no longer
	Gone               // it was here and is over
	TooLarge           // more bytes than the route takes
	Unprocessable      // well-formed, and impossible
	Unpaid             // the plan does not cover it
	TooMany            // too fast; RetryAfter says when
	Unsupported        // a media type or kind we do not speak
	Stale              // If-Match names a version that is gone
	Unmatched          // If-Match is required
	Unavailable        // our fault for now; try again
)

// Field is one wrong field of a request, in the request's own names.
type Field struct {
	Name    string
	Message string
}

// Error is a refusal with a kind. Msg is for the person who asked and says cause and cure; Err is for us and is only logged.
type Error struct {
	Kind       Kind
	Code       string        // stable name for programs, such as "device_disabled"; empty = named after the kind
	Msg        string        // one or two sentences; never holds anything of another tenant
	Fields     []Field       // wrong fields, if the request had fields
	RetryAfter time.Duration // set on TooMany and Unavailable
	Err        error
}

// Error prints the whole trail, for logs.
func (e *Error) Error() string {
	parts := []string{e.Msg}
	for _, f := range e.Fields {
		parts = append(parts, f.Name+": "+f.Message)
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, "; ")
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Refuse is the short way to an Error without fields or cause.
func Refuse(k Kind, code, format string, args ...any) *Error {
	return &Error{Kind: k, Code: code, Msg: fmt.Sprintf(format, args...)}
}

// ErrSuspended is the refusal of every key, device and person of a tenant that is suspended.
var ErrSuspended error = Refuse(Forbidden, "tenant_suspended",
	"This account is suspended. Its owner can ask the operator of this server why.")

// NoSuch is the answer for whatever is unknown or foreign: the same words for both, so that neither can be told apart.
func NoSuch(what string) *Error {
	return &Error{Kind: Unknown, Code: "not_found", Msg: "There is no such " + what + "."}
}

// KindOf is the kind of err, Internal when it is not ours.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// faults collects wrong fields.
type faults []Field

func (f *faults) add(ok bool, name, message string) {
	if !ok {
		*f = append(*f, Field{Name: name, Message: message})
	}
}

func (f faults) err(msg string) error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Code: "invalid", Msg: msg, Fields: f}
}
