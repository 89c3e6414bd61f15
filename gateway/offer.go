package gateway

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

const (
	// MaxSDP is the longest offer or trickle fragment read, in bytes.
	MaxSDP = 64 << 10
	// MaxCandidates is how many addresses one ICE session of a phone may name.
	MaxCandidates = 32
	// maxSections bounds the m-lines of an offer.
	maxSections = 16
)

// offer is a phone's offer reduced to its one audio section, the only part that Pion gets. The
// other sections are answered here, as rejected.
type offer struct {
	desc           *sdp.SessionDescription // with the audio section only
	audio          int                     // its index in sections
	sections       []*sdp.MediaDescription // all, as offered
	mid            string
	candidateCount int // candidates named, allowed or not
}

// readOffer checks text and reduces it. Every error is a *Refused. It starts nothing.
func readOffer(text string, r reach) (*offer, error) {
	if len(text) > MaxSDP {
		return nil, refuse(TooLarge, fmt.Sprintf("The offer is longer than %d bytes; offer audio only.", MaxSDP))
	}
	var desc sdp.SessionDescription
	if err := desc.UnmarshalString(text); err != nil || text == "" {
		return nil, &Refused{Reason: BadOffer, Msg: "The offer is not a session description (RFC 8866).", Err: err}
	}
	o := &offer{desc: &desc, sections: desc.MediaDescriptions}
	if len(o.sections) > maxSections {
		return nil, refuse(TooLarge, fmt.Sprintf("The offer has more than %d media sections; offer audio only.", maxSections))
	}
	if err := o.findAudio(); err != nil {
		return nil, err
	}
	if err := o.checkAudio(); err != nil {
		return nil, err
	}
	if err := o.keepAudioOnly(r); err != nil {
		return nil, err
	}
	return o, nil
}

// findAudio finds the one active audio section.
func (o *offer) findAudio() error {
	found := 0
	for i, m := range o.sections {
		if m.MediaName.Media == "audio" && isActive(m) {
			o.audio = i
			found++
		}
	}
	switch found {
	case 1:
		return nil
	case 0:
		return refuse(NoAudio, "The offer has no active audio section; add the microphone's track before making it.")
	}
	return refuse(NoAudio, "The offer has more than one active audio section; a call has one.")
}

// isActive reports whether the offerer wants m to carry anything (RFC 3264 5.1,
// RFC 9143 6: port 0 means rejected unless it is bundle-only).
func isActive(m *sdp.MediaDescription) bool {
	_, bundled := m.Attribute("bundle-only")
	_, off := m.Attribute("inactive")
	return (m.MediaName.Port.Value != 0 || bundled) && !off
}

// checkAudio refuses an audio section that we cannot answer.
func (o *offer) checkAudio() error {
	m := o.sections[o.audio]
	if p := strings.Join(m.MediaName.Protos, "/"); p != "UDP/TLS/RTP/SAVPF" && p != "UDP/TLS/RTP/SAVP" {
		return refuse(UnsupportedMedia, "The audio must be encrypted by DTLS-SRTP (UDP/TLS/RTP/SAVPF), as WebRTC does.")
	}
	if !hasOpus(m) {
		return refuse(UnsupportedMedia, "The offer's audio has no Opus (opus/48000/2); do not remove it from the codecs.")
	}
	mid, ok := m.Attribute("mid")
	if !ok || mid == "" || len(mid) > 64 {
		return refuse(BadOffer, "The offer's audio section has no a=mid; use the unified plan.")
	}
	o.mid = mid
	return nil
}

// hasOpus looks for a=rtpmap:<offered format> opus/48000/2 (RFC 7587 7).
func hasOpus(m *sdp.MediaDescription) bool {
	for _, a := range m.Attributes {
		format, codec, ok := strings.Cut(a.Value, " ")
		if a.Key != "rtpmap" || !ok || !strings.EqualFold(codec, "opus/48000/2") {
			continue
		}
		for _, f := range m.MediaName.Formats {
			if f == format {
				return true
			}
		}
	}
	return false
}

// mappedFormats returns the formats that have an rtpmap. Pion would refuse the whole offer because
// of one without.
func mappedFormats(m *sdp.MediaDescription) []string {
	var list []string
	for _, f := range m.MediaName.Formats {
		for _, a := range m.Attributes {
			if a.Key == "rtpmap" && strings.HasPrefix(a.Value, f+" ") {
				list = append(list, f)
				break
			}
		}
	}
	return list
}

// keepAudioOnly leaves only the audio section in desc, with its transport and the
// candidates we may send to.
func (o *offer) keepAudioOnly(r reach) error {
	m := *o.sections[o.audio]
	candidates, err := o.candidates(r)
	if err != nil {
		return err
	}
	t := o.transport()
	if err := t.check(); err != nil {
		return err
	}
	m.Attributes = append(append(withoutTransport(&m), t.attributes()...), candidates...)
	m.MediaName.Port.Value = 9
	m.MediaName.Formats = mappedFormats(&m)
	kept := o.desc.Attributes[:0:0]
	for _, a := range o.desc.Attributes {
		switch a.Key {
		// The audio section has the transport now.
		case "group", "candidate", "ice-ufrag", "ice-pwd", "fingerprint", "setup", "rtcp-mux":
		default:
			kept = append(kept, a)
		}
	}
	o.desc.Attributes = append(kept, sdp.NewAttribute("group", "BUNDLE "+o.mid))
	o.desc.MediaDescriptions = []*sdp.MediaDescription{&m}
	return nil
}

// withoutTransport returns m's attributes without transport and addresses, which are added later,
// and with one SSRC at most.
func withoutTransport(m *sdp.MediaDescription) []sdp.Attribute {
	kept := m.Attributes[:0:0]
	ssrc := ""
	for _, a := range m.Attributes {
		switch a.Key {
		case "candidate", "end-of-candidates", "bundle-only", "rid", "simulcast", "ssrc-group",
			"ice-ufrag", "ice-pwd", "ice-options", "fingerprint", "setup", "rtcp-mux":
			continue
		case "ssrc":
			id, _, _ := strings.Cut(a.Value, " ")
			if ssrc == "" {
				ssrc = id
			}
			if id != ssrc {
				continue
			}
		}
		kept = append(kept, a)
	}
	return kept
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

// candidates returns the addresses that we may send to, of the audio section and of the first
// section of its bundle.
func (o *offer) candidates(r reach) ([]sdp.Attribute, error) {
	for _, m := range o.sections {
		for _, a := range m.Attributes {
			if a.Key == "candidate" {
				o.candidateCount++
			}
		}
	}
	if o.candidateCount > MaxCandidates {
		return nil, refuse(TooLarge, fmt.Sprintf("The offer names more than %d candidates; a phone has a handful.", MaxCandidates))
	}
	from := []*sdp.MediaDescription{o.sections[o.audio]}
	if t := o.bundleFirst(); t != nil && t != from[0] {
		from = append(from, t)
	}
	kept, possible, seen := []sdp.Attribute(nil), false, map[string]bool{}
	for _, m := range from {
		for _, a := range m.Attributes {
			if a.Key != "candidate" || seen[a.Value] {
				continue
			}
			seen[a.Value] = true
			ip, isIP := candidateIP(a.Value)
			possible = possible || !isIP || !r.impossible(ip)
			if isIP && r.allows(ip) {
				kept = append(kept, a)
			}
		}
	}
	if len(seen) > 0 && !possible {
		return nil, refuse(Unreachable, "The offer names only addresses that no phone can be reached at, such as loopback.")
	}
	return kept, nil
}

// candidateIP returns the address of a candidate line (RFC 8839 5.1). Names, which
// browsers use to hide addresses (mDNS), are never resolved: such a phone sends to us first.
func candidateIP(value string) (netip.Addr, bool) {
	fields := strings.Fields(value)
	if len(fields) < 8 || len(value) > 512 || fields[6] != "typ" {
		return netip.Addr{}, false
	}
	if port, err := strconv.ParseUint(fields[5], 10, 16); err != nil || port == 0 {
		return netip.Addr{}, false
	}
	ip, err := netip.ParseAddr(fields[4])
	return ip, err == nil && ip.Zone() == ""
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
		return "", refuse(UnsupportedMedia, "The offer's audio cannot be answered with Opus.")
	}
	desc.MediaDescriptions = make([]*sdp.MediaDescription, len(o.sections))
	for i, m := range o.sections {
		desc.MediaDescriptions[i] = rejectedSection(m)
	}
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
	m.Attributes = replaceICE(m.Attributes, f)
	desc := *o.desc
	desc.Attributes = withoutICE(desc.Attributes)
	desc.Origin.SessionVersion++
	desc.MediaDescriptions = []*sdp.MediaDescription{&m}
	b, err := desc.Marshal()
	if err != nil {
		return "", fmt.Errorf("restarted offer: %w", err)
	}
	o.desc.Origin.SessionVersion++
	return string(b), nil
}

func withoutICE(attributes []sdp.Attribute) []sdp.Attribute {
	kept := attributes[:0:0]
	for _, a := range attributes {
		switch a.Key {
		case "ice-ufrag", "ice-pwd", "candidate", "end-of-candidates":
		default:
			kept = append(kept, a)
		}
	}
	return kept
}

func replaceICE(attributes []sdp.Attribute, f fragment) []sdp.Attribute {
	kept := append(withoutICE(attributes), sdp.NewAttribute("ice-ufrag", f.ufrag), sdp.NewAttribute("ice-pwd", f.pwd))
	for _, c := range f.candidates {
		kept = append(kept, sdp.NewAttribute("candidate", c))
	}
	return kept
}

// marshal returns the reduced offer as text for Pion.
func (o *offer) marshal() (string, error) {
	b, err := o.desc.Marshal()
	return string(b), err
}

// credentials returns the ICE user fragment and password the phone offered.
func (o *offer) credentials() (ufrag, pwd string) {
	m := o.desc.MediaDescriptions[0]
	pick := func(key string) string {
		if v, ok := m.Attribute(key); ok {
			return v
		}
		v, _ := o.desc.Attribute(key)
		return v
	}
	return pick("ice-ufrag"), pick("ice-pwd")
}
