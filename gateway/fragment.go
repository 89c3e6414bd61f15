package gateway

import (
	"fmt"
	"strings"

	"github.com/pion/sdp/v3"
)

// fragment is a body of type application/trickle-ice-sdpfrag (RFC 8840 9).
type fragment struct {
	ufrag, pwd string
	candidates []candidate // those we may send to
}

// readFragment reads text from a phone. It ignores candidates that we may not send to, and those of
// unknown transports (RFC 9725 4.3.2).
func readFragment(text string, r reach) (fragment, error) {
	var f fragment
	if len(text) > MaxSDP {
		return f, refuse(TooLarge, fmt.Sprintf("The fragment is longer than %d bytes.", MaxSDP))
	}
	lines := sdpLines(text)
	if len(lines) == 0 {
		return f, refuse(BadFragment, "The fragment is empty.")
	}
	var values []string
	for n, line := range lines {
		key, value, _ := strings.Cut(line, ":")
		switch {
		case len(line) < 2 || line[1] != '=':
			return f, refuse(BadFragment, fmt.Sprintf(
				"Line %d of the fragment, %q, is not written as a letter, '=' and a value (RFC 8840).", n+1, shorten(line)))
		case key == "a=ice-ufrag":
			if f.ufrag != "" && f.ufrag != value {
				return f, refuse(UnsupportedChange, "The fragment has more than one ICE session; bundle all media.")
			}
			f.ufrag = value
		case key == "a=ice-pwd":
			f.pwd = value
		case key == "a=candidate":
			values = append(values, value)
		}
	}
	f.candidates = usable(values, r)
	return f, f.check()
}

// check refuses malformed credentials (RFC 8839 5.4).
func (f fragment) check() error {
	switch {
	case f.ufrag == "":
		return refuse(BadFragment, "The fragment has no a=ice-ufrag, so it cannot be told which ICE session it is about.")
	case len(f.ufrag) < 4 || len(f.ufrag) > 256 || !iceChars(f.ufrag):
		return refuse(BadFragment, "The fragment's a=ice-ufrag must have 4 to 256 letters, digits, '+' or '/'.")
	case f.pwd != "" && (len(f.pwd) < 22 || len(f.pwd) > 256 || !iceChars(f.pwd)):
		return refuse(BadFragment, "The fragment's a=ice-pwd must have 22 to 256 letters, digits, '+' or '/'.")
	}
	return nil
}

func iceChars(s string) bool {
	for _, c := range []byte(s) {
		if c != '+' && c != '/' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// writeFragment returns the answer to an ICE restart: the new ICE session of our local description,
// with the same options as our answer (RFC 9725 4.3.3).
func writeFragment(local string) (string, error) {
	var desc sdp.SessionDescription
	if err := desc.UnmarshalString(local); err != nil {
		return "", fmt.Errorf("our own answer: %w", err)
	}
	if len(desc.MediaDescriptions) != 1 {
		return "", fmt.Errorf("our own answer has %d media sections", len(desc.MediaDescriptions))
	}
	m := desc.MediaDescriptions[0]
	var b strings.Builder
	for _, a := range desc.Attributes {
		switch a.Key {
		case "group", "ice-options", "ice-lite":
			fmt.Fprintf(&b, "a=%s\r\n", a)
		}
	}
	fmt.Fprintf(&b, "m=%s\r\n", m.MediaName)
	for _, a := range m.Attributes {
		switch a.Key {
		case "mid", "ice-options", "ice-ufrag", "ice-pwd", "candidate", "end-of-candidates":
			fmt.Fprintf(&b, "a=%s\r\n", a)
		}
	}
	return b.String(), nil
}

// localICE returns the ICE user fragment of our local description and whether it
// names at least one candidate.
func localICE(local string) (ufrag string, candidates bool) {
	for raw := range strings.Lines(local) {
		key, value, _ := strings.Cut(strings.TrimRight(raw, "\r\n"), ":")
		switch key {
		case "a=ice-ufrag":
			ufrag = value
		case "a=candidate":
			candidates = true
		}
	}
	return ufrag, candidates
}
