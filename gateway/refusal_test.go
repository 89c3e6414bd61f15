package gateway

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// refusedOffers holds one offer for each sentence by which an offer is refused, made from one that
// is accepted: what is wrong with it, and the sentence.
func refusedOffers() []struct{ sdp, says string } {
	type row = struct{ sdp, says string }
	swap := func(old, by string) string {
		if !strings.Contains(chromium, old) {
			panic(old)
		}
		return strings.ReplaceAll(chromium, old, by)
	}
	section := chromium[strings.Index(chromium, "m=audio"):]
	complete := func(ip string) string {
		return strings.Replace(without(chromium, "a=ice-options"), "a=mid:0", candidates(2, ip)+"a=mid:0", 1)
	}
	rows := []row{
		{chromium + strings.Repeat("a=x\r\n", MaxSDP/5), "longer than 65536 bytes"},
		{" \r\n\r\n", "The offer is empty"},
		{`{"type":"offer","sdp":"v=0\r\n"}`, "The offer is JSON"},
		{"hello\n", "does not begin with v=0"},
		{chromium[strings.Index(chromium, "o="):], "does not begin with v=0"},
		{swap("s=-", "session"), `Line 3 of the offer, "session", is not written as a letter`},
		{swap("a=mid:0", "mid:0"), `Line 16 of the offer, "mid:0", is not written as a letter`},
		{"v=0\r\no=", `Line 2 of the offer, "o=", has no value`},
		{swap("m=audio 9", "m=audio nine"), `Line 8 of the offer, "m=audio nine UDP/TLS/RTP…", is not written as m=`},
		{swap("m=audio 9", "m=audio 70000"), "is not written as m="},
		{"v=0\r\nm=audio 9", "is not written as m="},
		{"v=0", "is a single line"},
		{strings.ReplaceAll(chromium, "\r\n", " "), "is a single line"},
		{chromium + strings.Repeat("m=video 0 UDP/TLS/RTP/SAVPF 96\r\n", 16), "more than 16 media sections"},
		{swap("m=audio", "m=video"), "has no audio section"},
		{swap("m=audio 9", "m=audio 0"), "audio has port 0"},
		{swap("a=sendrecv", "a=inactive"), "audio is a=inactive"},
		{swap("m=audio 9", "m=audio 0") + strings.Replace(section, "a=sendrecv", "a=inactive", 1), "audio is a=inactive"},
		{chromium + section, "more than one active audio section"},
		{swap("UDP/TLS/RTP/SAVPF", "UDP/TLS/UDPTL"), `the profile "UDP/TLS/UDPTL"`},
		{without(swap("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "a=fingerprint"), "not encrypted by DTLS-SRTP"},
		{swap("a=rtpmap:111 opus/48000/2\r\n", ""), "but the agent of this call speaks opus/48000/2; leave that among"},
		{swap("opus/48000/2", "opus/48000"), "The offer's opus is a=rtpmap:111 opus/48000;"},
		{swap("SAVPF 111 63", "SAVPF 63"), "The offer's opus is a=rtpmap:111 opus/48000/2;"},
		{strings.ReplaceAll(chromium, "111", "211"), "The offer's opus is a=rtpmap:211 opus/48000/2;"},
		{without(chromium, "a=mid"), "has no a=mid"},
		{swap("a=mid:0", "a=mid:"+strings.Repeat("0", 65)), "a=mid must be one word"},
		{swap("a=mid:0", "a=mid:0 1"), "a=mid must be one word"},
		{complete("127.0.0.1"), "all loopback, multicast or reserved"},
		{complete("224.0.0.251"), "all loopback, multicast or reserved"},
		{complete("192.0.2.1"), "all loopback, multicast or reserved"},
		{chromium + candidates(2, "127.0.0.1") + "a=end-of-candidates\r\n", "all loopback, multicast or reserved"},
	}
	for _, u := range unusableOffers() {
		rows = append(rows, row{u.sdp, u.says})
	}
	return rows
}

var refusedFragments = []struct{ text, says string }{
	{"a=ice-ufrag:abcd\r\n" + strings.Repeat("a=x\r\n", MaxSDP/5), "longer than 65536 bytes"},
	{"\r\n", "The fragment is empty"},
	{`{"candidate":"candidate:1 1 udp 1 93.184.216.34 9 typ host"}`, "Line 1 of the fragment"},
	{"a=ice-ufrag:abcd\r\ncandidate:1 1 udp 1 93.184.216.34 9 typ host", "Line 2 of the fragment"},
	{"a=ice-ufrag:abcd\r\na=ice-ufrag:efgh", "more than one ICE session"},
	{"m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n", "has no a=ice-ufrag"},
	{"a=ice-ufrag:abc", "a=ice-ufrag must have 4 to 256"},
	{"a=ice-ufrag:ab:d", "a=ice-ufrag must have 4 to 256"},
	{"a=ice-ufrag:abcd\r\na=ice-pwd:short", "a=ice-pwd must have 22 to 256"},
}

// TestRefusalsAreTrue: what is wrong with an offer or a fragment is refused with the sentence about
// it, and every such sentence of the package has a row here.
func TestRefusalsAreTrue(t *testing.T) {
	t.Parallel()
	var said []string
	check := func(text, says string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.60q is refused by %v, want %q", text, err, says)
			return
		}
		said = append(said, err.Error())
	}
	for _, row := range refusedOffers() {
		_, err := readOpus(row.sdp, reach{})
		check(row.sdp, row.says, err)
	}
	for _, row := range refusedFragments {
		_, err := readFragment(row.text, reach{})
		check(row.text, row.says, err)
	}
	for _, sentence := range sentences(t, "offer.go", "formats.go", "text.go", "transport.go", "fragment.go") {
		found := false
		for _, s := range said {
			found = found || sentence.MatchString(s)
		}
		if !found {
			t.Errorf("no row is refused by %s", sentence)
		}
	}
}

// sentences returns the string literals of the files that begin a sentence about an offer or a
// fragment, as patterns.
func sentences(t *testing.T, files ...string) []*regexp.Regexp {
	t.Helper()
	var list []*regexp.Regexp
	verb, start := regexp.MustCompile(`%[dqs]`), regexp.MustCompile(`^(The (offer|fragment)|is not |has no )`)
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			s, err := strconv.Unquote(lit.Value)
			if err == nil && start.MatchString(s) {
				parts := verb.Split(s, -1)
				for i, p := range parts {
					parts[i] = regexp.QuoteMeta(p)
				}
				list = append(list, regexp.MustCompile(strings.Join(parts, ".*")))
			}
			return true
		})
	}
	if len(list) < 20 {
		t.Fatalf("only %d sentences were found", len(list))
	}
	return list
}
