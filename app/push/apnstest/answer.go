package apnstest

import (
	"maps"
	"slices"
	"time"
)

// Answer is Apple's answer to one push.
type Answer struct {
	Status    int           // 0 = 200
	Reason    string        // one of Apple's reasons; ignored for 200
	Timestamp time.Time     // 410 only: since when the token is inactive
	Delay     time.Duration // in addition to the latency
	HTML      bool          // a proxy's page instead of Apple's JSON
	Silent    bool          // never answer; the stream stays open
	Reset     bool          // reset the stream instead of an answer
	Cut       bool          // close the connection instead of an answer
}

// statusOf is the status that Apple documents for each reason.
// Source: Apple, "Handling notification responses from APNs".
var statusOf = map[string]int{
	"BadCollapseId":               400,
	"BadDeviceToken":              400,
	"BadExpirationDate":           400,
	"BadMessageId":                400,
	"BadPriority":                 400,
	"BadTopic":                    400,
	"DeviceTokenNotForTopic":      400,
	"DuplicateHeaders":            400,
	"IdleTimeout":                 400,
	"InvalidPushType":             400,
	"MissingDeviceToken":          400,
	"MissingTopic":                400,
	"PayloadEmpty":                400,
	"TopicDisallowed":             400,
	"BadCertificate":              403,
	"BadCertificateEnvironment":   403,
	"BadEnvironmentKeyIdInToken":  403,
	"ExpiredProviderToken":        403,
	"Forbidden":                   403,
	"InvalidProviderToken":        403,
	"MissingProviderToken":        403,
	"UnrelatedKeyIdInToken":       403,
	"BadPath":                     404,
	"MethodNotAllowed":            405,
	"ExpiredToken":                410,
	"Unregistered":                410,
	"PayloadTooLarge":             413,
	"TooManyProviderTokenUpdates": 429,
	"TooManyRequests":             429,
	"InternalServerError":         500,
	"ServiceUnavailable":          503,
	"Shutdown":                    503,
}

// Refusal returns the answer for a reason, with the status that Apple documents for it.
func Refusal(reason string) Answer { return Answer{Status: statusOf[reason], Reason: reason} }

// Reasons lists every reason this Apple knows, sorted.
func Reasons() []string {
	return slices.Sorted(maps.Keys(statusOf))
}

func (w Answer) ok() bool { return w.Status == 0 || w.Status == 200 }

func (w Answer) status() int {
	if w.Status == 0 {
		return 200
	}
	return w.Status
}
