package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// Refusal is why the gateway refused a request. The list is closed, so that a caller can map each
// value to its own words or status.
type Refusal string

const (
	BadOffer          Refusal = "bad_offer"          // not a session description we can read
	TooLarge          Refusal = "too_large"          // over MaxSDP bytes, or too many media sections
	NoAudio           Refusal = "no_audio"           // no active audio, or more than one
	UnsupportedMedia  Refusal = "unsupported_media"  // audio without a codec that fits, or without DTLS-SRTP
	Unreachable       Refusal = "unreachable"        // only addresses that no phone can have, and no more to come
	AnsweredElsewhere Refusal = "answered_elsewhere" // another leg has this call
	CallEnded         Refusal = "call_ended"         // the call is ending or has ended
	NoCall            Refusal = "no_call"            // the gateway does not carry this call
	IfMatchMissing    Refusal = "if_match_missing"   // RFC 9725 4.3.2: answer 428
	IfMatchStale      Refusal = "if_match_stale"     // RFC 9725 4.3.2: answer 412
	BadFragment       Refusal = "bad_fragment"       // not a trickle fragment we can read
	UnsupportedChange Refusal = "unsupported_change" // RFC 9725 4.3.2: answer 422
	Full              Refusal = "full"               // MaxCalls are up
	ShuttingDown      Refusal = "shutting_down"      // draining or closed: no new calls
)

// Refused is the error of a request that is invalid or cannot be met. Msg says what the caller can
// do. Nothing was left running.
type Refused struct {
	Reason Refusal
	Msg    string // for the person who asked: cause and cure
	Err    error  // for us
	// Ended is why the call ended before it began. No Ended event says it. It is set only with
	// CallEnded.
	Ended EndReason
}

func (r *Refused) Error() string {
	if r.Err != nil {
		return fmt.Sprintf("%s: %s: %v", r.Reason, r.Msg, r.Err)
	}
	return fmt.Sprintf("%s: %s", r.Reason, r.Msg)
}

func (r *Refused) Unwrap() error { return r.Err }

// Reason returns why err refused, or "" when err is no refusal of the gateway.
func Reason(err error) Refusal {
	var r *Refused
	if errors.As(err, &r) {
		return r.Reason
	}
	return ""
}

// EndOf returns why the call of a refused offer ended before it began, or "" when it is another
// refusal, or an Ended event says why.
func EndOf(err error) EndReason {
	var r *Refused
	if errors.As(err, &r) {
		return r.Ended
	}
	return ""
}

func refuse(reason Refusal, msg string) error { return &Refused{Reason: reason, Msg: msg} }

var (
	// ErrLineEnded is returned by a line once its call is over.
	ErrLineEnded = errors.New("the line has ended")

	errClosed = errors.New("the gateway is closed")
)

// panicError is the panic p as an error with its stack.
func panicError(what string, p any) error { return fmt.Errorf("%s: %v\n%s", what, p, debug.Stack()) }

// guarded runs f and returns its panic as an error, which it logs. Each goroutine that handles what
// a stranger sent needs it: a panic that is not caught ends the process, and with it all calls.
func guarded(log *slog.Logger, ring, what string, f func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError(what+" panicked", p)
			log.Error("a part of a call panicked", "ring", ring, "error", err)
		}
	}()
	f()
	return nil
}
