package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	all := []Codec{Opus, G722, PCMU, PCMA} // as Chromium offers them
	for _, row := range []struct {
		offered, wanted []Codec
		want            Codec
		ok              bool
	}{
		{all, []Codec{Opus}, Opus, true},
		{all, []Codec{PCMU, PCMA}, PCMU, true}, // by what the agent speaks, not by what the phone has first
		{all, []Codec{G722, PCMU}, G722, true},
		{[]Codec{PCMA}, []Codec{PCMU, PCMA}, PCMA, true},
		{[]Codec{PCMA, PCMU}, []Codec{Opus, PCMU, PCMA, G722}, PCMU, true},
		{[]Codec{G722}, []Codec{Opus, PCMU}, 0, false},
		{nil, []Codec{Opus}, 0, false},
		{all, nil, 0, false},
	} {
		if got, ok := Plan(row.offered, row.wanted); got != row.want || ok != row.ok {
			t.Errorf("%v offered, %v wanted: %v %v", row.offered, row.wanted, got, ok)
		}
	}
}

func TestCodecsAreThoseOfTheirRFCs(t *testing.T) {
	t.Parallel()
	for c, want := range map[Codec]string{
		Opus: "opus/48000/2 960", PCMU: "PCMU/8000 160", PCMA: "PCMA/8000 160", G722: "G722/8000 160",
	} {
		if got := fmt.Sprint(c.rtpmap(), " ", c.FrameTicks()); got != want || !strings.HasPrefix(want, c.Name()+"/") {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for rtpmap, want := range map[string]string{
		"OPUS/48000/2": "opus", "pcmu/8000": "PCMU", "PCMU/8000/1": "PCMU", "Pcma/8000/1": "PCMA", "g722/8000": "G722",
		"opus/48000": "", "opus/48000/1": "", "PCMU/16000": "", "PCMU/8000/2": "", "G722/16000": "", "": "", "red/48000/2": "",
	} {
		if c, ok := codecOf(rtpmap); ok != (want != "") || ok && c.Name() != want {
			t.Errorf("%s is %v %v", rtpmap, c, ok)
		}
	}
}

// TestFormatsAreChosen: which formats of an m=audio line a call is answered with.
func TestFormatsAreChosen(t *testing.T) {
	t.Parallel()
	base := readCase(t, "base.sdp")
	with := func(formats string, rtpmaps ...string) string {
		s := without(base, "a=rtpmap", "a=fmtp")
		s = strings.Replace(s, "111 63 9 0 8 13 110 126", formats, 1)
		for _, m := range rtpmaps {
			s = strings.Replace(s, "a=ssrc", "a=rtpmap:"+m+"\r\na=ssrc", 1)
		}
		return s
	}
	for name, row := range map[string]struct {
		sdp            string
		codec          Codec
		format, events uint8
	}{
		"Chromium's, Opus":         {base, Opus, 111, 110},
		"Chromium's, PCMU":         {base, PCMU, 0, 126},
		"Chromium's, PCMA":         {base, PCMA, 8, 126},
		"Chromium's, G722":         {base, G722, 9, 126},
		"static, no a=rtpmap":      {with("0 8 9"), PCMU, 0, 0},
		"static A-law":             {with("0 8 9"), PCMA, 8, 0},
		"static G722":              {with("0 8 9"), G722, 9, 0},
		"a dynamic PCMU":           {with("96 101", "96 PCMU/8000/1", "101 telephone-event/8000"), PCMU, 96, 101},
		"static but redefined":     {with("0 100", "0 opus/48000/2", "100 pcmu/8000"), PCMU, 100, 0},
		"two Opus":                 {with("100 101", "101 opus/48000/2", "100 OPUS/48000/2"), Opus, 100, 0},
		"events at another clock":  {with("111 126", "111 opus/48000/2", "126 telephone-event/8000"), Opus, 111, 0},
		"events with one channel":  {with("111 126", "111 opus/48000/2", "126 Telephone-Event/48000/1"), Opus, 111, 126},
		"the first a=rtpmap wins":  {with("96", "96 PCMU/8000", "96 PCMA/8000"), PCMU, 96, 0},
		"a format that is no type": {with("x 300 96", "96 PCMA/8000"), PCMA, 96, 0},
	} {
		o, err := readOffer(row.sdp, reach{loopback: true})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := o.choose([]Codec{row.codec}, agentSpeaks); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if o.codec != row.codec || o.format != row.format || o.events != row.events {
			t.Errorf("%s: %v as %d, events as %d", name, o.codec, o.format, o.events)
		}
	}
}

// TestRefusalOfCodecsNamesThem: what was offered, what is needed, and by whom.
func TestRefusalOfCodecsNamesThem(t *testing.T) {
	t.Parallel()
	g, base := testGateway(t), readCase(t, "base.sdp")
	only := func(formats string) string { return strings.Replace(base, "111 63 9 0 8 13 110 126", formats, 1) }
	for _, row := range []struct {
		sdp    string
		wanted []Codec
		says   string
	}{
		{only("9 13"), []Codec{Opus, PCMU},
			"The offer's opus is a=rtpmap:111 opus/48000/2; it must be opus/48000/2 and a format of the m=audio line."},
		{without(only("9 13"), "a=rtpmap:111", "a=rtpmap:0"), []Codec{Opus, PCMU}, "The offer's audio has G722/8000 and CN/8000, " +
			"but the agent of this call speaks opus/48000/2 or PCMU/8000; leave that among the codecs of the offer."},
		{without(only("8 18"), "a=rtpmap"), []Codec{Opus}, "The offer's audio has PCMA/8000 and the format 18, " +
			"but the agent of this call speaks opus/48000/2; leave that among the codecs of the offer."},
		{without(only("x"), "a=rtpmap"), []Codec{PCMU}, "The offer's audio has no format, " +
			"but the agent of this call speaks PCMU/8000; leave that among the codecs of the offer."},
	} {
		err := g.Check(row.sdp, row.wanted)
		if Reason(err) != UnsupportedMedia || !strings.HasSuffix(err.Error(), row.says) {
			t.Errorf("%v\nwant %s", err, row.says)
		}
		if err := g.Check(row.sdp, nil); err != nil {
			t.Errorf("of any codec: %v", err)
		}
	}
}

// TestG711 compares with the values of ITU-T G.711: tables 1a and 2a for the decoders, and every
// byte against its own decoding.
func TestG711(t *testing.T) {
	t.Parallel()
	for b, want := range map[byte]int16{ // table 2a, ×4: 8031, 4191, 4063, 2079, 2015, …
		0x80: 32124, 0x8f: 16764, 0x90: 15996, 0x9f: 8316, 0xa0: 7932, 0xaf: 4092, 0xbf: 1980, 0xcf: 924, 0xdf: 396,
		0xef: 132, 0xfe: 8, 0xff: 0, 0x00: -32124, 0x7e: -8, 0x7f: 0,
	} {
		if got := DecodePCMU(b); got != want {
			t.Errorf("PCMU %#x is %d, want %d", b, got, want)
		}
	}
	for b, want := range map[byte]int16{ // table 1a, ×8, with the even bits inverted: 4032, 2112, 2016, 264, …
		0xaa: 32256, 0xa5: 16896, 0xba: 16128, 0x95: 2112, 0x85: 4224, 0xd5: 8, 0x55: -8, 0x2a: -32256, 0x54: -24, 0xc5: 264,
	} {
		if got := DecodePCMA(b); got != want {
			t.Errorf("PCMA %#x is %d, want %d", b, got, want)
		}
	}
	for i := range 256 {
		b := byte(i)
		if s := DecodePCMU(b); EncodePCMU(s) != b && s != 0 { // 0 has two bytes
			t.Errorf("PCMU %#x is %d, which becomes %#x", b, s, EncodePCMU(s))
		}
		if s := DecodePCMA(b); EncodePCMA(s) != b {
			t.Errorf("PCMA %#x is %d, which becomes %#x", b, s, EncodePCMA(s))
		}
	}
	if EncodePCMU(0) != 0xff || EncodePCMU(-32768) != 0x00 || EncodePCMU(32767) != 0x80 || EncodePCMA(-32768) != 0x2a ||
		EncodePCMA(32767) != 0xaa || EncodePCMA(0) != 0xd5 || EncodePCMA(-1) != 0x55 {
		t.Error("the ends of the scale, and its middle")
	}
	nearest(t, "PCMU", EncodePCMU, DecodePCMU)
	nearest(t, "PCMA", EncodePCMA, DecodePCMA)
}

// nearest checks that no byte decodes nearer to a sample than the one it is encoded as.
func nearest(t *testing.T, name string, encode func(int16) byte, decode func(byte) int16) {
	t.Helper()
	var values []int
	for i := range 256 {
		values = append(values, int(decode(byte(i))))
	}
	slices.Sort(values)
	for s := -32768; s < 32768; s += 7 {
		got, i := int(decode(encode(int16(s)))), 0
		for i = range values {
			if values[i] >= s {
				break
			}
		}
		best := min(abs(values[i]-s), abs(values[max(i-1, 0)]-s))
		if abs(got-s) > best+abs(s)/64+8 { // the decision values between two segments lie off the middle
			t.Fatalf("%s: %d becomes %d", name, s, got)
		}
	}
}

func abs(n int) int { return max(n, -n) }

// TestRecordingsInEveryCodec: the recordings are frames of 20 ms that last as long in PCMU and PCMA
// as in Opus, and PCMA has the same sound.
func TestRecordingsInEveryCodec(t *testing.T) {
	t.Parallel()
	notices, err := readNotices()
	if err != nil {
		t.Fatal(err)
	}
	bells := map[Codec][][]byte{}
	for c := range numCodecs {
		if bells[c], err = Bells(c); err != nil {
			t.Fatal(err)
		}
	}
	for name, of := range map[string]func(Codec) [][]byte{
		"bells": func(c Codec) [][]byte { return bells[c] }, "notice": func(c Codec) [][]byte { return notices[c] },
	} {
		u, a := of(PCMU), of(PCMA)
		if n := len(of(Opus)) - len(u); len(u) != len(a) || n < 0 || n > 2 || of(G722) != nil {
			t.Fatalf("%s: %d frames of Opus, %d of PCMU, %d of PCMA", name, len(of(Opus)), len(u), len(a))
		}
		loud := 0
		for i := range u {
			if len(u[i]) != 160 || len(a[i]) != 160 {
				t.Fatalf("%s: frame %d has %d and %d bytes", name, i, len(u[i]), len(a[i]))
			}
			for j := range u[i] {
				s, as := int(DecodePCMU(u[i][j])), int(DecodePCMA(a[i][j]))
				if loud = max(loud, abs(s)); abs(s-as) > abs(s)/32+16 {
					t.Fatalf("%s: %d became %d", name, s, as)
				}
			}
		}
		if loud < 8000 || loud > 32000 {
			t.Errorf("%s: the loudest sample is %d", name, loud)
		}
	}
}
