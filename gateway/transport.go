package gateway

import (
	"encoding/hex"
	"strings"

	"github.com/pion/sdp/v3"
)

// transport is how to reach a phone and how to verify it. Each attribute is read from the audio
// section, else from the first section of its bundle (RFC 9143 7.1.3), else from the session level.
type transport struct {
	ufrag, pwd   string
	options      string
	setup        string
	fingerprints []string // in the order of the offer
	mux          bool     // RTCP shares the port of RTP
}

func (o *offer) transport() transport {
	t := transport{}
	for key, to := range map[string]*string{"ice-ufrag": &t.ufrag, "ice-pwd": &t.pwd, "ice-options": &t.options, "setup": &t.setup} {
		if all := o.values(key); len(all) > 0 {
			*to = all[0]
		}
	}
	t.fingerprints = o.values("fingerprint")
	t.mux = o.values("rtcp-mux") != nil
	return t
}

// values returns the values of an attribute that apply to the audio; nil if it is absent.
func (o *offer) values(key string) []string {
	from := [][]sdp.Attribute{o.sections[o.audio].Attributes}
	if t := o.bundleFirst(); t != nil {
		from = append(from, t.Attributes)
	}
	for _, attributes := range append(from, o.desc.Attributes) {
		var all []string
		for _, a := range attributes {
			if a.Key == key {
				all = append(all, a.Value)
			}
		}
		if all != nil {
			return all
		}
	}
	return nil
}

// sendUnchanged is the advice for faults that no browser and no WebRTC library makes.
const sendUnchanged = " Send what createOffer gave, unchanged."

// check refuses a transport that can never connect, so that the phone learns it at once and not
// after ConnectWithin.
func (t transport) check() error {
	fault := func(msg string) error { return refuse(BadOffer, msg+sendUnchanged) }
	switch {
	case t.ufrag == "":
		return fault("The offer has no a=ice-ufrag.")
	case t.pwd == "":
		return fault("The offer has no a=ice-pwd.")
	case len(t.ufrag) < 4 || len(t.ufrag) > 256 || !iceChars(t.ufrag): // RFC 8839 5.4
		return fault("The offer's a=ice-ufrag must have 4 to 256 letters, digits, '+' or '/'.")
	case len(t.pwd) < 22 || len(t.pwd) > 256 || !iceChars(t.pwd):
		return fault("The offer's a=ice-pwd must have 22 to 256 letters, digits, '+' or '/'.")
	case !t.mux: // RFC 8834 4.5, RFC 9143 9.3: we have one port
		return fault("The offer's audio has no a=rtcp-mux, and here RTCP shares the port of the sound.")
	}
	switch t.setup {
	case "actpass", "active", "passive", "": // RFC 8842 5.2 asks for actpass; Pion accepts the others
	case "holdconn":
		return fault("The offer says a=setup:holdconn, which puts the connection off; it must say a=setup:actpass.")
	default:
		return fault("The offer's a=setup is unknown; it must say a=setup:actpass.")
	}
	if _, msg := t.fingerprint(); msg != "" {
		return fault(msg)
	}
	return nil
}

// hashes holds the hash functions allowed for a fingerprint, and their length in bytes. MD5 is not
// allowed (RFC 8122 5).
var hashes = map[string]int{"sha-1": 20, "sha-224": 28, "sha-256": 32, "sha-384": 48, "sha-512": 64}

// fingerprint returns the first valid fingerprint. If there is none, msg says what is wrong with
// the first one.
func (t transport) fingerprint() (good, msg string) {
	for _, f := range t.fingerprints {
		wrong := checkFingerprint(f)
		if wrong == "" {
			return f, ""
		}
		if msg == "" {
			msg = wrong
		}
	}
	if msg == "" {
		msg = "The offer has no a=fingerprint."
	}
	return "", msg
}

// checkFingerprint says what is wrong with the value of an a=fingerprint: "sha-256 AB:CD:…" (RFC
// 8122 5).
func checkFingerprint(f string) string {
	name, digits, _ := strings.Cut(f, " ")
	size, known := hashes[strings.ToLower(name)]
	if !known {
		return "The offer's a=fingerprint is not made with sha-256; MD5 and unknown functions prove nothing."
	}
	pairs := strings.Split(digits, ":")
	for _, p := range pairs {
		if b, err := hex.DecodeString(p); err != nil || len(b) != 1 {
			return "The offer's a=fingerprint is not written as pairs of hexadecimal digits with colons between."
		}
	}
	if len(pairs) != size {
		return "The offer's a=fingerprint is cut off or too long for its hash function."
	}
	return ""
}

// attributes returns the transport as attributes of the audio section. It has one fingerprint,
// because Pion reads only the first.
func (t transport) attributes() []sdp.Attribute {
	fingerprint, _ := t.fingerprint()
	var list []sdp.Attribute
	for _, a := range []sdp.Attribute{
		sdp.NewAttribute("ice-ufrag", t.ufrag), sdp.NewAttribute("ice-pwd", t.pwd), sdp.NewAttribute("ice-options", t.options),
		sdp.NewAttribute("fingerprint", fingerprint), sdp.NewAttribute("setup", t.setup),
	} {
		if a.Value != "" {
			list = append(list, a)
		}
	}
	return append(list, sdp.NewPropertyAttribute("rtcp-mux"))
}
