package gateway

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pion/sdp/v3"
)

// readAnswer checks the answer to an offer of ours with these codecs, and reduces it. Every error
// is a *Refused.
func readAnswer(text string, r reach, wanted []Codec) (*offer, error) {
	o, err := readOffer(text, r)
	if err != nil {
		return nil, ofAnswer(err)
	}
	switch o.transport().setup {
	case "active", "passive":
	default: // RFC 8842 5.3
		return nil, refuse(BadOffer, "The answer's a=setup must be active or passive.")
	}
	if o.audio != 0 {
		return nil, refuse(BadOffer, "The answer's audio is not its first section, as it is in our offer (RFC 3264 6).")
	}
	return o, ofAnswer(o.choose(wanted, "we offered"))
}

// ofAnswer makes a refusal of an offer one of an answer: both are read alike.
func ofAnswer(err error) error {
	var r *Refused
	if !errors.As(err, &r) {
		return err
	}
	msg := strings.NewReplacer("createOffer", "createAnswer", "The offer", "The answer", "the offer", "the answer").Replace(r.Msg)
	return &Refused{Reason: r.Reason, Msg: msg, Err: r.Err}
}

// accepted returns the reduced answer as text for Pion. After choose.
func (o *offer) accepted(channel bool) (string, error) {
	if !channel {
		return o.marshal()
	}
	m := &sdp.MediaDescription{MediaName: sdp.MediaName{
		Media: "application", Protos: []string{"UDP", "DTLS", "SCTP"}, Formats: []string{"webrtc-datachannel"},
	}}
	mid, port := o.channel()
	if mid != "" {
		m.MediaName.Port.Value = 9
		m.Attributes = append([]sdp.Attribute{
			sdp.NewAttribute("mid", mid), sdp.NewAttribute("sctp-port", port), sdp.NewAttribute("max-message-size", fmt.Sprint(MaxText)),
		}, o.transport().attributes()...)
		o.desc.Attributes[0] = sdp.NewAttribute("group", "BUNDLE "+o.mid+" "+mid) // keepAudioOnly wrote it
	}
	o.desc.MediaDescriptions = append(o.desc.MediaDescriptions, m)
	return o.marshal()
}

// channel returns the mid and the SCTP port of the data channels; "" = the answer rejects them.
func (o *offer) channel() (mid, port string) {
	if len(o.sections) < 2 || o.sections[1].MediaName.Media != "application" || isRejected(o.sections[1]) {
		return "", ""
	}
	mid, _ = o.sections[1].Attribute("mid")
	if len(mid) > maxMID || strings.Contains(mid, " ") {
		return "", ""
	}
	if port, _ = o.sections[1].Attribute("sctp-port"); len(port) > 5 || strings.Trim(port, "0123456789") != "" || port == "" {
		port = "5000"
	}
	return mid, port
}
