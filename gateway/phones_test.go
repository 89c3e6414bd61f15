package gateway

import (
	"slices"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
)

// oneCodec is an agent that says nothing, in one codec.
type oneCodec struct {
	silentAgent
	codec Codec
}

func (a oneCodec) Codecs() []Codec { return []Codec{a.codec} }

// TestPhonesOfEveryStack: offers in the shapes of the usual WebRTC stacks, and one without a=rtpmap
// for the static formats, are answered in each codec they have, with exactly its formats.
func TestPhonesOfEveryStack(t *testing.T) {
	t.Parallel()
	const opus, pcmu, pcma, g722 = "opus/48000/2", "PCMU/8000", "PCMA/8000", "G722/8000"
	const events48, events8 = "telephone-event/48000", "telephone-event/8000"
	for name, codecs := range map[string]map[Codec][]string{ // the a=rtpmap lines of the answer
		"ios": {
			Opus: {"111 " + opus, "110 " + events48}, PCMU: {"0 " + pcmu, "126 " + events8}, G722: {"9 " + g722, "126 " + events8},
		},
		"chromium": {
			Opus: {"111 " + opus, "110 " + events48}, PCMU: {"0 " + pcmu, "126 " + events8}, PCMA: {"8 " + pcma, "126 " + events8},
		},
		"firefox":   {Opus: {"109 " + opus}, PCMU: {"0 " + pcmu, "101 " + events8}, G722: {"9 " + g722, "101 " + events8}},
		"gstreamer": {Opus: {"96 " + opus}, PCMU: {"0 " + pcmu, "97 " + events8}, PCMA: nil, G722: nil},
		"aiortc":    {Opus: {"96 " + opus}, PCMU: {"0 " + pcmu}, PCMA: {"8 " + pcma}, G722: {"9 " + g722}},
		"static": {
			Opus: {"111 " + opus}, PCMU: {"0 " + pcmu, "101 " + events8}, PCMA: {"8 " + pcma, "101 " + events8},
			G722: {"9 " + g722, "101 " + events8},
		},
	} {
		text := readCase(t, "phones/"+name+".sdp")
		for codec, want := range codecs {
			t.Run(name+" "+codec.Name(), func(t *testing.T) {
				t.Parallel()
				g := testGateway(t)
				got, err := g.Answer(t.Context(), Offer{
					Call: "ring", Leg: "phone", SDP: text, Agent: oneCodec{codec: codec}, On: func(Event) {},
				})
				if want == nil {
					if Reason(err) != UnsupportedMedia || !strings.Contains(err.Error(), codec.rtpmap()) {
						t.Errorf("a codec that is not offered: %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				checkAnswer(t, text, got.SDP, want)
			})
		}
	}
}

// checkAnswer checks that an answer is one for the offer (RFC 3264 6), with these a=rtpmap lines.
func checkAnswer(t *testing.T, offer, answer string, rtpmaps []string) {
	t.Helper()
	var from, to sdp.SessionDescription
	if err := from.UnmarshalString(offer); err != nil {
		t.Fatal(err)
	}
	if err := to.UnmarshalString(answer); err != nil || len(to.MediaDescriptions) != 1 {
		t.Fatalf("%v\n%s", err, answer)
	}
	m := to.MediaDescriptions[0]
	var formats, maps []string
	for _, r := range rtpmaps {
		format, _, _ := strings.Cut(r, " ")
		formats = append(formats, format)
	}
	for _, a := range m.Attributes {
		if a.Key == "rtpmap" {
			maps = append(maps, a.Value)
		}
	}
	mid, _ := m.Attribute("mid")
	offered, _ := from.MediaDescriptions[0].Attribute("mid")
	if !slices.Equal(m.MediaName.Formats, formats) || !slices.Equal(maps, rtpmaps) || mid != offered {
		t.Errorf("formats %v, %q, mid %q\n%s", m.MediaName.Formats, maps, mid, answer)
	}
	for _, has := range []string{"a=sendrecv\r\n", "a=setup:active\r\n", "a=rtcp-mux\r\n", "a=ssrc:"} {
		if !strings.Contains(answer, has) {
			t.Errorf("the answer lacks %q:\n%s", has, answer)
		}
	}
	for _, no := range []string{"red/", "CN/"} {
		if strings.Contains(answer, no) {
			t.Errorf("the answer has %q:\n%s", no, answer)
		}
	}
	want := ""
	for _, a := range from.MediaDescriptions[0].Attributes {
		decoded := strings.Contains(answer, " opus/") || strings.Contains(answer, " G722/") // to know how loud it is
		if a.Key == "extmap" && strings.HasSuffix(a.Value, ":ssrc-audio-level") && decoded {
			want = a.Value
		}
	}
	if got, _ := m.Attribute("extmap"); got != want || strings.Count(answer, "a=extmap:") > 1 {
		t.Errorf("the answer has a=extmap:%s, want %q:\n%s", got, want, answer)
	}
}
