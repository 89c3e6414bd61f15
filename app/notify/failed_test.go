package notify

import (
	"errors"
	"testing"
)

// TestWhyAMailFailed: what the server said, and neither our name nor the recipients, which the list
// shows beside it.
func TestWhyAMailFailed(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"notify: 450 try later, affected recipient(s): <p@clinic.example>": "450 try later",
		"dial tcp: connection refused":                                     "dial tcp: connection refused",
	} {
		if got := whyFailed(errors.New(said)); got != want {
			t.Errorf("%q is %q, want %q", said, got, want)
		}
	}
}
