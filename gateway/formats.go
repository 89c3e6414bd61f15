package gateway

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"
)

// format is one format of an m=audio line.
type format struct {
	payloadType uint8
	rtpmap      string // what it is, such as "PCMU/8000"; "" = the offer does not say
}

// formatsOf returns the formats of m in their order, each once. Those of PCMU, PCMA and G722 may
// lack an a=rtpmap (RFC 3551 6).
func formatsOf(m *sdp.MediaDescription) []format {
	maps := map[string]string{}
	for c := range numCodecs {
		if s := codecs[c].static; s != "" {
			maps[s] = c.rtpmap()
		}
	}
	said := map[string]bool{}
	for _, a := range m.Attributes {
		if name, rtpmap, _ := strings.Cut(a.Value, " "); a.Key == "rtpmap" && !said[name] {
			maps[name], said[name] = rtpmap, true
		}
	}
	var list []format
	var seen [128]bool
	for _, name := range m.MediaName.Formats {
		if n, err := strconv.ParseUint(name, 10, 7); err == nil && !seen[n] {
			list = append(list, format{uint8(n), maps[name]})
			seen[n] = true
		}
	}
	return list
}

// isEvents reports whether f is for key presses at this clock (RFC 4733 7.1.1).
func (f format) isEvents(clock uint32) bool {
	want := fmt.Sprintf("%s/%d", eventName, clock)
	return f.payloadType > 0 && (strings.EqualFold(f.rtpmap, want) || strings.EqualFold(f.rtpmap, want+"/1"))
}

// choose makes the offer one for the first wanted codec that it has, and reduces it. If it has none
// of them, who begins the part of the refusal that names them. It is called once.
func (o *offer) choose(wanted []Codec, who string) error {
	m := o.sections[o.audio]
	formats := formatsOf(m)
	var offered []Codec
	for _, f := range formats {
		if c, ok := codecOf(f.rtpmap); ok {
			offered = append(offered, c)
		}
	}
	codec, ok := Plan(offered, wanted)
	if !ok {
		return refuse(UnsupportedMedia, whyNoCodec(m, formats, wanted, who))
	}
	o.codec = codec
	for _, f := range slices.Backward(formats) { // of several formats of one kind, the first
		if c, ok := codecOf(f.rtpmap); ok && c == codec {
			o.format = f.payloadType
		}
		if f.isEvents(codec.ClockRate()) {
			o.events = f.payloadType
		}
	}
	if !codec.isG711() { // else its loudness is in the samples
		o.level = levelIn(m)
	}
	o.keepAudioOnly()
	return nil
}

// levelIn returns the id under which m offers to say how loud each packet is (RFC 6464); 0 = it
// does not. Ids above 14 need the long headers of RFC 8285 4.3, which are not read.
func levelIn(m *sdp.MediaDescription) uint8 {
	for _, a := range m.Attributes {
		words := strings.Fields(a.Value)
		if a.Key != "extmap" || len(words) < 2 || words[1] != sdp.AudioLevelURI {
			continue
		}
		id, direction, _ := strings.Cut(words[0], "/")
		if n, err := strconv.ParseUint(id, 10, 8); err == nil && n >= 1 && n <= 14 && direction != "recvonly" && direction != "inactive" {
			return uint8(n)
		}
	}
	return 0
}

// whyNoCodec says why none of the wanted codecs was found in m.
func whyNoCodec(m *sdp.MediaDescription, formats []format, wanted []Codec, who string) string {
	for _, a := range m.Attributes {
		_, rtpmap, _ := strings.Cut(a.Value, " ")
		name, _, _ := strings.Cut(rtpmap, "/")
		for _, c := range wanted {
			if a.Key == "rtpmap" && strings.EqualFold(name, c.Name()) {
				return fmt.Sprintf("The offer's %s is a=rtpmap:%s; it must be %s and a format of the m=audio line.",
					c.Name(), shorten(a.Value), c.rtpmap())
			}
		}
	}
	const most = 8
	var has, needs []string
	for i, f := range formats {
		switch {
		case i == most:
			has = append(has, "more")
		case i > most:
		case f.rtpmap == "":
			has = append(has, fmt.Sprintf("the format %d", f.payloadType))
		default:
			has = append(has, shorten(f.rtpmap))
		}
	}
	if len(has) == 0 {
		has = []string{"no format"}
	}
	for _, c := range wanted {
		needs = append(needs, c.rtpmap())
	}
	return fmt.Sprintf("The offer's audio has %s, but %s %s; leave that among the codecs of the offer.",
		series(has, "and"), who, series(needs, "or"))
}

// series writes words as "a, b and c".
func series(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}

// keepAudioOnly leaves only the audio section in desc, and of that only what we need to answer it
// in its codec: a value that we do not understand cannot make Pion refuse the offer.
func (o *offer) keepAudioOnly() {
	was := o.sections[o.audio]
	kept := []sdp.Attribute{sdp.NewAttribute("mid", o.mid), sdp.NewPropertyAttribute(o.direction)}
	formats := []string{strconv.Itoa(int(o.format))}
	add := func(key string, payloadType uint8, value string) {
		kept = append(kept, sdp.NewAttribute(key, fmt.Sprintf("%d %s", payloadType, value)))
	}
	add("rtpmap", o.format, o.codec.rtpmap())
	if p := codecs[o.codec].parameters; p != "" {
		add("fmtp", o.format, p)
	}
	if o.events != 0 {
		formats = append(formats, strconv.Itoa(int(o.events)))
		add("rtpmap", o.events, fmt.Sprintf("%s/%d", eventName, o.codec.ClockRate()))
		add("fmtp", o.events, eventParameters)
	}
	kept = append(kept, sourceOf(was)...)
	m := &sdp.MediaDescription{
		MediaName: sdp.MediaName{
			Media: "audio", Port: sdp.RangedPort{Value: 9}, Protos: []string{"UDP", "TLS", "RTP", "SAVPF"}, Formats: formats,
		},
		Attributes: append(kept, o.transport().attributes()...),
	}
	session := []sdp.Attribute{sdp.NewAttribute("group", "BUNDLE "+o.mid)}
	if _, lite := o.desc.Attribute("ice-lite"); lite {
		session = append(session, sdp.NewPropertyAttribute("ice-lite"))
	}
	o.desc = &sdp.SessionDescription{
		Origin: sdp.Origin{
			Username: "-", SessionID: 1, SessionVersion: 1, NetworkType: "IN", AddressType: "IP4", UnicastAddress: "0.0.0.0",
		},
		SessionName: "-", TimeDescriptions: []sdp.TimeDescription{{}},
		Attributes: session, MediaDescriptions: []*sdp.MediaDescription{m},
	}
}

// sourceOf returns the attributes of m that are about the source of its sound, with one SSRC at
// most.
func sourceOf(m *sdp.MediaDescription) []sdp.Attribute {
	var kept []sdp.Attribute
	ssrc := ""
	for _, a := range m.Attributes {
		first, _, _ := strings.Cut(a.Value, " ")
		switch a.Key {
		case "msid":
			kept = append(kept, a)
		case "ssrc":
			if ssrc == "" {
				ssrc = first
			}
			if first == ssrc {
				kept = append(kept, a)
			}
		}
	}
	return kept
}
