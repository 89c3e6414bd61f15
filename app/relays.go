package app

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"carillon/gateway"
)

// Relays are the STUN and TURN servers that phones may use where they cannot reach the voice port
// directly.
type Relays struct {
	ICEServers []string `name:"rtc-ice-servers" help:"Such as stun:stun.example.com; empty = none." env:"CARILLON_RTC_ICE_SERVERS"`
	TURNSecret string   `name:"rtc-turn-secret" help:"Shared with the TURN servers." env:"CARILLON_RTC_TURN_SECRET"`
}

// How long the credentials of a TURN server hold. The server asks for them again while it relays: a
// phone's ring lasts a minute and its call an hour at most, and a stranger's call in the demo a
// minute.
const (
	relayTime     = 2 * time.Hour
	demoRelayTime = 5 * time.Minute
)

// relaysMost bounds the servers: each costs every phone extra requests.
const relaysMost = 8

func (r Relays) check(fault func(string, error)) {
	relays := false
	for _, s := range r.ICEServers {
		fault("CARILLON_RTC_ICE_SERVERS", iceServer(s))
		relays = relays || turn(s)
	}
	if len(r.ICEServers) > relaysMost {
		fault("CARILLON_RTC_ICE_SERVERS",
			fmt.Errorf("names %d servers; a phone asks each, so give at most %d", len(r.ICEServers), relaysMost))
	}
	switch {
	case relays && r.TURNSecret == "":
		fault("CARILLON_RTC_TURN_SECRET",
			errors.New("is missing; give the secret that the turn: servers of CARILLON_RTC_ICE_SERVERS share with "+
				"us (coturn: static-auth-secret)"))
	case !relays && r.TURNSecret != "":
		fault("CARILLON_RTC_TURN_SECRET",
			errors.New("is set, but CARILLON_RTC_ICE_SERVERS has no turn: server to use it with; add one, or leave the secret out"))
	}
}

// turn reports whether the server is a relay, which needs credentials.
func turn(s string) bool { return strings.HasPrefix(s, "turn:") || strings.HasPrefix(s, "turns:") }

// iceServer checks one address: RFC 7064 (stun, stuns) and RFC 7065 (turn, turns).
func iceServer(s string) error {
	wrong := fmt.Errorf("%q is not a server; give stun:host:port or turn:host:port, with ?transport=tcp after it where UDP is blocked", s)
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || scheme != "stun" && scheme != "stuns" && !turn(s) {
		return wrong
	}
	host, query, asked := strings.Cut(rest, "?")
	if asked && (!turn(s) || query != "transport=udp" && query != "transport=tcp") {
		return wrong
	}
	u, err := url.Parse("//" + host) // the same host and port as any other address has
	if err != nil || u.Host != host || u.Hostname() == "" || strings.HasSuffix(host, ":") {
		return wrong
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return wrong
		}
	}
	if _, err := netip.ParseAddr(u.Hostname()); err != nil && !hostname(u.Hostname()) {
		return wrong
	}
	return nil
}

// hostname reports whether s can be a DNS name (RFC 1123, 2.1).
func hostname(s string) bool {
	if len(s) > 253 || net.ParseIP(s) != nil {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "-") != label {
			return false
		}
		for _, c := range []byte(label) {
			if c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
				return false
			}
		}
	}
	return true
}

// iceServers are the servers for a phone, with credentials valid from now.
func (c checked) iceServers() []gateway.ICEServer { return c.servers(c.now().Add(relayTime)) }

// demoICE returns the servers for calls of the demo; nil if there are none.
func (c checked) demoICE() func() []gateway.ICEServer {
	if len(c.ICEServers) == 0 {
		return nil
	}
	return func() []gateway.ICEServer { return c.servers(c.now().Add(demoRelayTime)) }
}

// servers lists the ICE servers with credentials that are valid until the given time. TURN
// credentials follow coturn's REST API (draft-uberti-behave-turn-rest-00, 2.2): the name holds the
// expiry, the password is an HMAC of the name. They cannot be revoked, so they are short-lived.
func (r Relays) servers(until time.Time) []gateway.ICEServer {
	var stun, relays gateway.ICEServer
	for _, s := range r.ICEServers {
		if turn(s) {
			relays.URLs = append(relays.URLs, s)
		} else {
			stun.URLs = append(stun.URLs, s)
		}
	}
	var list []gateway.ICEServer
	if stun.URLs != nil {
		list = append(list, stun)
	}
	if relays.URLs != nil {
		relays.Username = strconv.FormatInt(until.Unix(), 10) + ":carillon"
		mac := hmac.New(sha1.New, []byte(r.TURNSecret)) // the convention's hash
		mac.Write([]byte(relays.Username))
		relays.Credential = base64.StdEncoding.EncodeToString(mac.Sum(nil))
		list = append(list, relays)
	}
	return list
}
