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
	maxFrom    = 64   // characters
)

// noLabel stands where a library needs a caller's name and the tenant's pushes have none: without
// it the library shows "(null)", or CallKit refuses an empty handle.
const noLabel = "Incoming call"

// Payload makes the body of a push: version, ring id, times in Unix seconds, and the caller's label
// (empty = none; callers must leave it empty where the tenant's industry forbids it). It takes
// nothing else, so that nothing else can leak. Errors are *tenants.Error of kind Invalid.
func Payload(ringID string, issued, expires time.Time, from string) ([]byte, error) {
	return PayloadFor(tenants.ProfileCarillon, ringID, issued, expires, from)
}

// PayloadFor is Payload with the names of fields that another library reads: react-native-callkeep
// with react-native-voip-push-notification, or flutter_callkit_incoming, as their READMEs have
// them. Those need a name: without a label it is a fixed one.
func PayloadFor(p tenants.PayloadProfile, ringID string, issued, expires time.Time, from string) ([]byte, error) {
	if !tenants.ValidID(ringID) {
		return nil, invalidPush("A ring id is a UUID.")
	}
	if !expires.After(issued) {
		return nil, invalidPush("A ring expires after it is issued.")
	}
	id := strings.ToLower(ringID)
	b := make([]byte, 0, 128)
	b = append(b, `{"v":1,"call_id":"`...)
	b = append(b, id...)
	b = append(b, `","iat":`...)
	b = strconv.AppendInt(b, issued.Unix(), 10)
	b = append(b, `,"exp":`...)
	b = strconv.AppendInt(b, expires.Unix(), 10)
	label, err := labelOf(from)
	if err != nil {
		return nil, err
	}
	switch p {
	case tenants.ProfileCarillon, "":
		if from != "" {
			b = append(append(b, `,"from":`...), label...)
		}
	case tenants.ProfileCallKeep:
		b = append(append(b, `,"uuid":"`...), id...)
		b = append(append(b, `","handle":`...), label...)
		b = append(append(b, `,"callerName":`...), label...)
	case tenants.ProfileFlutter:
		b = append(append(b, `,"id":"`...), id...)
		b = append(append(b, `","nameCaller":`...), label...)
		b = append(append(b, `,"handle":`...), label...)
		b = append(b, `,"isVideo":false`...)
	default:
		return nil, invalidPush("The payload profile is carillon, callkeep or flutter_callkit_incoming.")
	}
	if b = append(b, '}'); len(b) > maxPayload {
		return nil, invalidPush("The push is larger than the 5,120 bytes Apple allows.")
	}
	return b, nil
}

// labelOf is a label as JSON, and the fixed one for none.
func labelOf(from string) ([]byte, error) {
	if from == "" {
		return []byte(`"` + noLabel + `"`), nil
	}
	if !tenants.ValidText(from, 1, maxFrom) {
		return nil, invalidPush("A caller's label has at most 64 characters and no control characters.")
	}
	label, err := json.Marshal(from)
	if err != nil {
		return nil, &tenants.Error{Kind: tenants.Internal, Msg: "The caller's label cannot be written.", Err: err}
	}
	return label, nil
}

func invalidPush(msg string) error {
	return &tenants.Error{Kind: tenants.Invalid, Code: "bad_push", Msg: msg}
}

// isVoIPTopic checks for a bundle id, in the letters Apple allows, followed by .voip.
func isVoIPTopic(s string) bool {
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
