package gateway

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"
)

const (
	// MaxSDP is the longest offer or trickle fragment read, in bytes.
	MaxSDP = 64 << 10
	// maxSections bounds the m-lines of an offer.
	maxSections = 16
)

// offer is a phone's offer reduced to its one audio section, the only part that Pion gets. The
// other sections are answered here, as rejected.
type offer struct {
	desc       *sdp.SessionDescription // after choose with the audio section only, and without candidates
	audio      int                     // its index in sections
	sections   []*sdp.MediaDescription // all, as offered
	mid        string
	direction  string
	codec      Codec       // of the answer; choose sets the three
	format     uint8       // payload type of the codec
	events     uint8       // payload type of key presses at the clock of the codec; 0 = none
	level      uint8       // id of the header extension with the loudness of each packet; 0 = none
	ufrag      string      // of the phone's ICE session
	candidates []candidate // those we may send to
}

// readOffer checks text. Every error is a *Refused. It starts nothing. The offer is reduced by
// choose.
func readOffer(text string, r reach) (*offer, error) {
	if len(text) > MaxSDP {
		return nil, refuse(TooLarge, fmt.Sprintf("The offer is longer than %d bytes; offer audio only.", MaxSDP))
	}
	desc, err := parseOffer(text)
	if err != nil {
		return nil, err
	}
	o := &offer{desc: desc, sections: desc.MediaDescriptions}
	if len(o.sections) > maxSections {
		return nil, refuse(TooLarge, fmt.Sprintf("The offer has more than %d media sections; offer audio only.", maxSections))
	}
	if err := o.findAudio(); err != nil {
		return nil, err
	}
	if err := o.checkAudio(); err != nil {
		return nil, err
	}
	if err := o.findCandidates(r); err != nil {
		return nil, err
	}
	t := o.transport()
	if err := t.check(); err != nil {
		return nil, err
	}
	o.ufrag = t.ufrag
	return o, nil
}

// findAudio finds the one active audio section.
func (o *offer) findAudio() error {
	var found []int
	all, inactive := 0, false
	for i, m := range o.sections {
		if m.MediaName.Media != "audio" {
			continue
		}
		all++
		switch {
		case isRejected(m):
		case o.directionOf(m) == "inactive":
			inactive = true
		default:
			found = append(found, i)
		}
	}
	switch {
	case len(found) == 1:
		o.audio = found[0]
		o.direction = o.directionOf(o.sections[o.audio])
		return nil
	case len(found) > 1:
		return refuse(NoAudio, "The offer has more than one active audio section; a call has one.")
	case all == 0:
		return refuse(NoAudio, "The offer has no audio section; add the microphone's track before making it.")
	case inactive:
		return refuse(NoAudio, "The offer's audio is a=inactive; make it sendrecv before making the offer.")
	}
	return refuse(NoAudio, "The offer's audio has port 0, which turns it off; offer it with another port, such as 9.")
}

// isRejected reports whether the section is turned off by its port (RFC 3264 5.1, RFC 9143 6: port
// 0, unless it is bundle-only).
func isRejected(m *sdp.MediaDescription) bool {
	_, bundled := m.Attribute("bundle-only")
	return m.MediaName.Port.Value == 0 && !bundled
}

// directionOf returns the direction of a section: its own, else that of the session level, else
// sendrecv (RFC 8866 6.7).
func (o *offer) directionOf(m *sdp.MediaDescription) string {
	for _, from := range [][]sdp.Attribute{m.Attributes, o.desc.Attributes} {
		for _, a := range from {
			switch a.Key {
			case "sendrecv", "sendonly", "recvonly", "inactive":
				return a.Key
			}
		}
	}
	return "sendrecv"
}

// profiles are the names under which endpoints offer DTLS-SRTP. RFC 8829 5.1.2: an answerer accepts
// each of them, goes by a=fingerprint, and repeats the name in its answer.
var profiles = map[string]bool{
	"RTP/AVP": true, "RTP/AVPF": true, "RTP/SAVP": true, "RTP/SAVPF": true, "UDP/TLS/RTP/SAVP": true, "UDP/TLS/RTP/SAVPF": true,
	"TCP/DTLS/RTP/SAVP": true, "TCP/DTLS/RTP/SAVPF": true,
}

// maxMID is the longest mid that we repeat in an answer. Libraries use one to three characters.
const maxMID = 64

// checkAudio refuses an audio section that we cannot answer.
func (o *offer) checkAudio() error {
	m := o.sections[o.audio]
	profile := strings.Join(m.MediaName.Protos, "/")
	if !profiles[strings.ToUpper(profile)] {
		return refuse(UnsupportedMedia, fmt.Sprintf(
			"The offer's audio has the profile %q; WebRTC's is UDP/TLS/RTP/SAVPF.", shorten(profile)))
	}
	if o.values("fingerprint") == nil && !strings.Contains(strings.ToUpper(profile), "TLS") {
		return refuse(UnsupportedMedia, "The offer's audio has no a=fingerprint, so it is not encrypted by DTLS-SRTP, as WebRTC's is.")
	}
	switch mid, _ := m.Attribute("mid"); {
	case mid == "":
		return refuse(BadOffer, "The offer's audio section has no a=mid; use the unified plan.")
	case len(mid) > maxMID || strings.Contains(mid, " "):
		return refuse(BadOffer, fmt.Sprintf("The offer's a=mid must be one word of at most %d characters.", maxMID))
	default:
		o.mid = mid
	}
	return nil
}

// bundleFirst returns the first section of the audio's bundle, or nil if the audio is not bundled.
func (o *offer) bundleFirst() *sdp.MediaDescription {
	group, _ := o.desc.Attribute("group")
	mids := strings.Fields(group)
	if len(mids) < 2 || mids[0] != "BUNDLE" {
		return nil
	}
	first, with := (*sdp.MediaDescription)(nil), false
	for _, m := range o.sections {
		mid, _ := m.Attribute("mid")
		if mid == mids[1] {
			first = m
		}
	}
	for _, mid := range mids[1:] {
		with = with || mid == o.mid
	}
	if !with {
		return nil
	}
	return first
}

// findCandidates reads the candidates of the audio section and of the first section of its bundle.
func (o *offer) findCandidates(r reach) error {
	from := []*sdp.MediaDescription{o.sections[o.audio]}
	if t := o.bundleFirst(); t != nil && t != from[0] {
		from = append(from, t)
	}
	var values []string
	complete := !slices.Contains(strings.Fields(strings.Join(o.values("ice-options"), " ")), "trickle")
	for _, m := range from {
		for _, a := range m.Attributes {
			switch a.Key {
			case "candidate":
				values = append(values, a.Value)
			case "end-of-candidates":
				complete = true
			}
		}
	}
	if complete && hopeless(values, r) {
		return refuse(Unreachable, "The offer's candidates are all loopback, multicast or reserved addresses, "+
			"and it announces no more (a=ice-options:trickle); no phone can be reached there.")
	}
	o.candidates = usable(values, r)
	return nil
}

// answer puts Pion's answer for the audio into an answer for all sections that the phone offered.
// The other sections are rejected (RFC 3264 6, RFC 9143 7.3.3).
func (o *offer) answer(text string) (string, error) {
	var desc sdp.SessionDescription
	if err := desc.UnmarshalString(text); err != nil {
		return "", fmt.Errorf("our own answer: %w", err)
	}
	if len(desc.MediaDescriptions) != 1 {
		return "", fmt.Errorf("our own answer has %d media sections", len(desc.MediaDescriptions))
	}
	sound := desc.MediaDescriptions[0]
	if sound.MediaName.Port.Value == 0 {
		return "", errors.New("our own answer rejects the audio")
	}
	desc.MediaDescriptions = make([]*sdp.MediaDescription, len(o.sections))
	for i, m := range o.sections {
		desc.MediaDescriptions[i] = rejectedSection(m)
	}
	if o.level != 0 { // Pion need not know: it only reads the header extension that we take
		sound.Attributes = append(sound.Attributes, sdp.NewAttribute("extmap", fmt.Sprintf("%d %s", o.level, sdp.AudioLevelURI)))
	}
	sound.MediaName.Protos = o.sections[o.audio].MediaName.Protos // RFC 8829 5.1.2: as offered
	desc.MediaDescriptions[o.audio] = sound
	b, err := desc.Marshal()
	return string(b), err
}

func rejectedSection(m *sdp.MediaDescription) *sdp.MediaDescription {
	no := &sdp.MediaDescription{MediaName: m.MediaName, ConnectionInformation: &sdp.ConnectionInformation{
		NetworkType: "IN", AddressType: "IP4", Address: &sdp.Address{Address: "0.0.0.0"},
	}}
	no.MediaName.Port = sdp.RangedPort{}
	if mid, ok := m.Attribute("mid"); ok {
		no.Attributes = append(no.Attributes, sdp.NewAttribute("mid", mid))
	}
	no.Attributes = append(no.Attributes, sdp.NewPropertyAttribute("inactive"))
	return no
}

// restarted returns the offer with the ICE session of f. Pion takes such an offer as an ICE
// restart.
func (o *offer) restarted(f fragment) (string, error) {
	m := *o.desc.MediaDescriptions[0]
	m.Attributes = slices.DeleteFunc(slices.Clone(m.Attributes), func(a sdp.Attribute) bool {
		return a.Key == "ice-ufrag" || a.Key == "ice-pwd"
	})
	m.Attributes = append(m.Attributes, sdp.NewAttribute("ice-ufrag", f.ufrag), sdp.NewAttribute("ice-pwd", f.pwd))
	desc := *o.desc
	desc.Origin.SessionVersion++
	desc.MediaDescriptions = []*sdp.MediaDescription{&m}
	b, err := desc.Marshal()
	if err != nil {
		return "", fmt.Errorf("restarted offer: %w", err)
	}
	o.desc.Origin.SessionVersion++
	return string(b), nil
}

// marshal returns the reduced offer as text for Pion.
func (o *offer) marshal() (string, error) {
	b, err := o.desc.Marshal()
	return string(b), err
}
