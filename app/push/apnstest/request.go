package apnstest

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2/hpack"
)

// Payload limits in bytes (Apple, "Sending notification requests to APNs").
const (
	voipLimit  = 5120
	otherLimit = 4096
)

// stream is one request being read. has tells an absent header from an empty one.
type stream struct {
	id           uint32
	ended        bool
	method, path string
	bearer       string
	topic        string
	pushType     string
	priority     string
	expiration   string
	apnsID       string
	collapse     string
	has          uint8 // bits of the apns headers seen
	repeated     bool
	body         []byte
}

const (
	hasBearer = 1 << iota
	hasTopic
	hasPushType
	hasPriority
	hasExpiration
	hasID
	hasCollapse
)

func newStream(id uint32, ended bool) *stream { return &stream{id: id, ended: ended} }

// setHeader stores one header field.
func (s *stream) setHeader(f hpack.HeaderField) {
	switch f.Name {
	case ":method":
		s.method = f.Value
	case ":path":
		s.path = f.Value
	case "authorization":
		s.setOnce(&s.bearer, f.Value, hasBearer)
	case "apns-topic":
		s.setOnce(&s.topic, f.Value, hasTopic)
	case "apns-push-type":
		s.setOnce(&s.pushType, f.Value, hasPushType)
	case "apns-priority":
		s.setOnce(&s.priority, f.Value, hasPriority)
	case "apns-expiration":
		s.setOnce(&s.expiration, f.Value, hasExpiration)
	case "apns-id":
		s.setOnce(&s.apnsID, f.Value, hasID)
	case "apns-collapse-id":
		s.setOnce(&s.collapse, f.Value, hasCollapse)
	}
}

func (s *stream) setOnce(field *string, value string, bit uint8) {
	if s.has&bit != 0 {
		s.repeated = true
	}
	*field, s.has = value, s.has|bit
}

// token is the device token of the path; ok is false when the path is not Apple's.
func (s *stream) token() (token string, ok bool) {
	token, ok = strings.CutPrefix(s.path, "/3/device/")
	return token, ok && !strings.Contains(token, "/")
}

// decideAnswer checks a request. authorized reports that the client was accepted, even if the push
// was not.
func (c *conn) decideAnswer(s *stream, now time.Time) (w Answer, authorized bool) {
	if s.apnsID == "" {
		s.apnsID = newUUID()
	}
	if w, storm := c.apple.faults.stormAnswer(c.host.env, now); storm {
		return w, false
	}
	token, ok := s.token()
	switch {
	case s.method != "POST":
		return Refusal("MethodNotAllowed"), false
	case !ok:
		return Refusal("BadPath"), false
	}
	if reason := c.authorize(s.bearer, now); reason != "" {
		return Refusal(reason), false
	}
	if reason := c.malformedReason(s); reason != "" {
		return Refusal(reason), true
	}
	c.recordViolations(s, token, now)
	if w, scripted := c.apple.faults.nextScripted(token); scripted {
		return w, true
	}
	if token == "" {
		return Refusal("MissingDeviceToken"), true
	}
	w = c.apple.checkDevice(strings.ToLower(token), s.topic, c.host.env)
	if w.Reason == "BadDeviceToken" && len(c.badTokens) < 10_000 {
		c.badTokens[token] = true
	}
	return w, true
}

// malformedReason checks headers and payload. It returns the reason to refuse, or "".
func (c *conn) malformedReason(s *stream) string {
	switch {
	case s.repeated:
		return "DuplicateHeaders"
	case s.has&hasID != 0 && !isUUID(s.apnsID):
		return "BadMessageId"
	case s.has&hasPriority != 0 && s.priority != "10" && s.priority != "5" && s.priority != "1":
		return "BadPriority"
	case s.has&hasExpiration != 0 && !isTime(s.expiration):
		return "BadExpirationDate"
	case len(s.collapse) > 64:
		return "BadCollapseId"
	case !pushTypes[s.pushType]:
		return "InvalidPushType"
	}
	if reason := c.badTopicReason(s); reason != "" {
		return reason
	}
	limit := otherLimit
	if s.pushType == "voip" {
		limit = voipLimit
	}
	switch {
	case len(s.body) == 0:
		return "PayloadEmpty"
	case len(s.body) > limit:
		return "PayloadTooLarge"
	}
	return ""
}

// pushTypes are the values of apns-push-type.
var pushTypes = map[string]bool{
	"alert": true, "background": true, "complication": true, "controls": true, "fileprovider": true, "liveactivity": true,
	"location": true, "mdm": true, "pushtotalk": true, "voip": true, "widgets": true,
}

func (c *conn) badTopicReason(s *stream) string {
	if s.topic == "" {
		if c.client == nil || len(c.client.topics) != 1 {
			return "MissingTopic"
		}
		for only := range c.client.topics {
			s.topic = only
		}
	}
	voip := strings.HasSuffix(s.topic, ".voip")
	switch {
	case !isTopic(s.topic), voip != (s.pushType == "voip"):
		return "BadTopic"
	case c.client != nil && s.bearer == "" && !c.client.topics[s.topic]:
		return "TopicDisallowed"
	case c.token != nil && s.bearer != "" && !coversTopic(c.token.key.Topics, s.topic):
		return "TopicDisallowed"
	}
	return ""
}

// recordViolations records what Apple accepts although its documentation or Carillon's contract
// forbids it.
func (c *conn) recordViolations(s *stream, token string, now time.Time) {
	if s.pushType == "voip" {
		switch {
		case s.has&hasExpiration == 0:
			c.apple.recordViolation(c, "apns-expiration is missing", token)
		case s.expiration != "0":
			c.apple.recordViolation(c, "apns-expiration of a VoIP push is not 0", s.expiration)
		}
		if s.priority != "10" {
			c.apple.recordViolation(c, "apns-priority of a VoIP push is not 10", s.priority)
		}
		if !c.apple.cfg.AnyPayload {
			c.checkPayload(s, now)
		}
	}
	if token != strings.ToLower(token) {
		c.apple.recordViolation(c, "device token is not lower-case", token)
	}
	if s.has&hasID == 0 {
		c.apple.recordViolation(c, "apns-id is missing", token)
	} else if s.apnsID != strings.ToLower(s.apnsID) {
		c.apple.recordViolation(c, "apns-id is not lower-case", s.apnsID)
	}
	if c.badTokens[token] {
		c.apple.recordViolation(c, "pushed again after BadDeviceToken", token)
	}
}

func (c *conn) checkPayload(s *stream, now time.Time) {
	p, err := readPayload(s.body)
	if err != nil {
		c.apple.recordViolation(c, "payload is not Carillon's", err.Error())
		return
	}
	if p.Exp != 0 && now.Unix() >= p.Exp {
		c.apple.recordViolation(c, "pushed after its exp", p.CallID)
	}
}

func isTime(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && n >= 0
}

func isTopic(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '.' && c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return len(s) <= 255 && strings.Contains(s, ".")
}

// isUUID reports whether s is 8-4-4-4-12 hexadecimal digits.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return true
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Payload is what Carillon's pushes carry (contract: the push).
type Payload struct {
	V      int
	CallID string
	Iat    int64
	Exp    int64
	From   string
}

// readPayload reads a flat object of exactly Carillon's keys. It does not use
// encoding/json, whose reflection would cost more than the rest of the push.
func readPayload(body []byte) (Payload, error) {
	var p Payload
	rest := bytes.TrimSpace(body)
	if len(rest) < 2 || rest[0] != '{' || rest[len(rest)-1] != '}' {
		return p, fmt.Errorf("not an object")
	}
	rest = rest[1 : len(rest)-1]
	for len(rest) > 0 {
		key, value, after, err := cutPair(rest)
		if err != nil {
			return p, err
		}
		rest = after
		switch key {
		case "v":
			p.V, err = strconv.Atoi(value)
		case "call_id":
			p.CallID, err = unquote(value)
		case "iat":
			p.Iat, err = strconv.ParseInt(value, 10, 64)
		case "exp":
			p.Exp, err = strconv.ParseInt(value, 10, 64)
		case "from":
			p.From, err = unquote(value)
		default:
			err = fmt.Errorf("unknown key %q", key)
		}
		if err != nil {
			return p, err
		}
	}
	if p.V != 1 || !isUUID(p.CallID) || p.Iat == 0 || p.Exp == 0 {
		return p, fmt.Errorf("a key is missing or bad")
	}
	return p, nil
}
