package tenants

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind is the kind of an Error. The one map from Kind to an HTTP status is in app/web.
type Kind uint8

// The closed list of kinds. The zero Kind is Internal, so an error without a kind never shows its
// text.
const (
	Internal      Kind = iota
	Invalid            // the request cannot be read or breaks a documented rule
	Unknown            // no such thing, or another tenant's: the answer is the same for both
	Unauthorized       // no valid key, credential or sign-in
	Forbidden          // known, and not allowed
	Conflict           // true a moment ago, no longer
	Gone               // it existed and is over
	TooLarge           // more bytes than the route takes
	Unprocessable      // well-formed, and impossible
	Unpaid             // the plan does not cover it
	TooMany            // too fast; RetryAfter says when
	Unsupported        // a media type or kind that is not supported
	Stale              // If-Match names an old version
	Unmatched          // If-Match is required
	Unavailable        // temporary fault of the server; try again
)

// Field is one wrong field of a request, in the request's own names.
type Field struct {
	Name    string
	Message string
}

// Error is a refusal with a kind. Msg is for the person who asked and says what is wrong and what
// to do. Err is the cause and is only logged.
type Error struct {
	Kind       Kind
	Code       string        // stable name for programs, such as "device_disabled"; empty = named after the kind
	Msg        string        // one or two sentences; never holds anything of another tenant
	Fields     []Field       // wrong fields, if the request had fields
	RetryAfter time.Duration // set on TooMany and Unavailable
	Err        error
}

// Error returns message, fields and cause, for logs.
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

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Refuse makes an Error without fields or cause.
func Refuse(k Kind, code, format string, args ...any) *Error {
	return &Error{Kind: k, Code: code, Msg: fmt.Sprintf(format, args...)}
}

// ErrSuspended is the refusal of every key, device and person of a tenant that is suspended.
var ErrSuspended error = Refuse(Forbidden, "tenant_suspended",
	"This account is suspended. Its owner can ask the operator of this server why.")

// NoSuch makes the error for a row that does not exist and for another tenant's row. The text is
// the same for both, so nobody can find out which one it is.
func NoSuch(what string) *Error {
	return &Error{Kind: Unknown, Code: "not_found", Msg: "There is no such " + what + "."}
}

// KindOf returns the kind of err; Internal if err is not an Error.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// correctFields is the message of an Error with wrong fields.
const correctFields = "Please correct the fields below."

// faults collects wrong fields.
type faults []Field

func (f *faults) add(ok bool, name, message string) {
	if !ok {
		*f = append(*f, Field{Name: name, Message: message})
	}
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &Error{Kind: Invalid, Code: "invalid", Msg: correctFields, Fields: f}
}
