package push

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"carillon/tenants"
)

// The limits of a VoIP push.
const (
	maxPayload = 5120 // bytes; Apple, "Sending notification requests to APNs"
	maxFrom    = 64   // characters; contract: rings
)

// Payload is the body of a push: version, ring id, times, and the caller's label where the tenant
// may send one (empty = none). There is no room for anything else, so nothing else can leak.
func Payload(ringID string, issued, expires time.Time, from string) ([]byte, error) {
	if !uuid(ringID) {
		return nil, refuse("A ring id is a UUID.")
	}
	if !expires.After(issued) {
		return nil, refuse("A ring expires after it is issued.")
	}
	b := make([]byte, 0, 128)
	b = append(b, `{"v":1,"call_id":"`...)
	b = append(b, strings.ToLower(ringID)...)
	b = append(b, `","iat":`...)
	b = strconv.AppendInt(b, issued.Unix(), 10)
	b = append(b, `,"exp":`...)
	b = strconv.AppendInt(b, expires.Unix(), 10)
	if from != "" {
		if !tenants.ValidText(from, 1, maxFrom) {
			return nil, refuse("A caller's label has at most 64 characters and no control characters.")
		}
		label, err := json.Marshal(from)
		if err != nil {
			return nil, &tenants.Error{Kind: tenants.Internal, Msg: "The caller's label cannot be written.", Err: err}
		}
		b = append(append(b, `,"from":`...), label...)
	}
	if b = append(b, '}'); len(b) > maxPayload {
		return nil, refuse("The push is larger than the 5,120 bytes Apple allows.")
	}
	return b, nil
}

func refuse(msg string) error {
	return &tenants.Error{Kind: tenants.Invalid, Code: "bad_push", Msg: msg}
}

// uuid: 8-4-4-4-12 hexadecimal digits, either case.
func uuid(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash && s[i] != '-' || !dash && !hexDigit(s[i]) {
			return false
		}
	}
	return true
}

func hexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// DeviceToken puts a VoIP device token into the form it is pushed with, lower-case hex; ok is false
// for anything else. Apple promises no length; tokens seen have 64 digits.
func DeviceToken(s string) (token string, ok bool) {
	if len(s) < 64 || len(s) > 200 || len(s)%2 != 0 {
		return "", false
	}
	upper := false
	for i := range len(s) {
		if !hexDigit(s[i]) {
			return "", false
		}
		upper = upper || s[i] < 'a' && s[i] > '9'
	}
	if upper {
		s = strings.ToLower(s)
	}
	return s, true
}

// topic: a bundle id and .voip, in the letters Apple allows.
func topic(s string) bool {
	bundle, ok := strings.CutSuffix(s, ".voip")
	if !ok || len(bundle) == 0 || len(s) > 255 {
		return false
	}
	for i := range len(bundle) {
		c := bundle[i]
		if c != '.' && c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
