package gateway

import (
	"strings"
	"testing"
)

// chromium is what Chromium offers for one microphone.
var chromium = lines(
	"v=0", "o=- 2263370142441231712 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0", "a=extmap-allow-mixed",
	"a=msid-semantic: WMS s0",
	"m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126", "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0", "a=ice-ufrag:n1Gk",
	"a=ice-pwd:8q8Eo0gKKKfBTtmDxzMMP2zC", "a=ice-options:trickle", fingerprint, "a=setup:actpass", "a=mid:0",
	"a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level", "a=sendrecv", "a=msid:s0 t0", "a=rtcp-mux", "a=rtcp-rsize",
	"a=rtpmap:111 opus/48000/2", "a=rtcp-fb:111 transport-cc", "a=fmtp:111 minptime=10;useinbandfec=1", "a=rtpmap:63 red/48000/2",
	"a=fmtp:63 111/111", "a=rtpmap:9 G722/8000", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:13 CN/8000",
	"a=rtpmap:110 telephone-event/48000", "a=rtpmap:126 telephone-event/8000", "a=ssrc:1399241077 cname:C5p",
	"a=ssrc:1399241077 msid:s0 t0",
)

// iphone is what WebRTC for iOS offers with continual gathering: the same library with other
// options. Its fingerprint is in small letters at session level, as in older builds.
var iphone = lines(
	"v=0", "o=- 745921837610042 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE audio", "a=msid-semantic: WMS ARDAMS",
	strings.ToLower(fingerprint),
	"m=audio 50021 UDP/TLS/RTP/SAVPF 111 103 9 102 0 8 105 13 110 113 126", "c=IN IP4 93.184.216.34", "a=rtcp:9 IN IP4 0.0.0.0",
	"a=candidate:842163049 1 udp 1685987071 93.184.216.34 50021 typ srflx raddr 192.168.1.23 rport 50021 "+
		"generation 0 network-id 1 network-cost 10",
	"a=ice-ufrag:Qr/+", "a=ice-pwd:ay/6HZkAXr9cbz1j+Q2rM4aX", "a=ice-options:trickle renomination", "a=setup:actpass", "a=mid:audio",
	"a=sendrecv", "a=rtcp-mux", "a=rtpmap:111 opus/48000/2", "a=rtcp-fb:111 transport-cc", "a=fmtp:111 minptime=10;useinbandfec=1",
	"a=rtpmap:103 ISAC/16000", "a=rtpmap:9 G722/8000", "a=rtpmap:126 telephone-event/8000", "a=ssrc:2712 cname:x",
	"a=ssrc:2712 msid:ARDAMS a0",
)

// unusableOffers returns offers that can never connect, made from one that can, and a part of the
// error of each.
func unusableOffers() map[string]struct{ sdp, says string } {
	swap := func(old, by string) string {
		if !strings.Contains(chromium, old) {
			panic(old)
		}
		return strings.ReplaceAll(chromium, old, by)
	}
	const shortSHA1 = "a=fingerprint:sha-1 0F:74:31:25:CB:A2:13:EC:28:6F:6D:2C:61:FF:5D:C2:BC:B9:DB"
	short := fingerprint[:len(fingerprint)-3]
	return map[string]struct{ sdp, says string }{
		"md5":                     {swap(fingerprint, "a=fingerprint:md5 0F:74:31:25:CB:A2:13:EC:28:6F:6D:2C:61:FF:5D:C2"), "MD5"},
		"an unknown hash":         {swap("sha-256", "sha-3"), "unknown functions"},
		"sha-1 cut off":           {swap(fingerprint, shortSHA1), "cut off"},
		"sha-256 cut off":         {swap(fingerprint, short), "cut off"},
		"sha-256 as sha-1":        {swap("sha-256", "sha-1"), "too long"},
		"no hexadecimal":          {swap("0F:74", "0G:74"), "hexadecimal"},
		"single digits":           {swap("0F:74", "F:74"), "hexadecimal"},
		"no colons":               {swap("0F:74", "0F74"), "hexadecimal"},
		"a hash without a value":  {swap(fingerprint, "a=fingerprint:sha-256"), "hexadecimal"},
		"no fingerprint":          {without(chromium, "a=fingerprint"), "no a=fingerprint"},
		"no ufrag":                {without(chromium, "a=ice-ufrag"), "no a=ice-ufrag"},
		"a short ufrag":           {swap("n1Gk", "n1G"), "4 to 256"},
		"a long ufrag":            {swap("n1Gk", strings.Repeat("n", 257)), "4 to 256"},
		"a strange ufrag":         {swap("n1Gk", "n1G!"), "4 to 256"},
		"no password":             {without(chromium, "a=ice-pwd"), "no a=ice-pwd"},
		"a short password":        {swap("8q8Eo0gKKKfBTtmDxzMMP2zC", "8q8Eo0gKKKfBTtmDxzMMP"), "22 to 256"},
		"a password with a space": {swap("8q8Eo0gKKKfBTtmDxzMMP2zC", "8q8Eo0gKKKfB tmDxzMMP2zC"), "22 to 256"},
		"holdconn":                {swap("actpass", "holdconn"), "holdconn"},
		"an unknown setup":        {swap("actpass", "both"), "a=setup"},
		"no rtcp-mux":             {without(chromium, "a=rtcp-mux"), "a=rtcp-mux"},
	}
}

// TestUnusableOffers: Check refuses each, before a device has won a ring, and says why and what to
// do.
func TestUnusableOffers(t *testing.T) {
	t.Parallel()
	g := testGateway(t)
	for name, row := range unusableOffers() {
		err := g.Check(row.sdp, nil)
		if Reason(err) != BadOffer || !strings.Contains(err.Error(), row.says) || !strings.Contains(err.Error(), "createOffer") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOffersOfRealPhonesPass(t *testing.T) {
	t.Parallel()
	md5 := "a=fingerprint:md5 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"
	sha1 := "a=fingerprint:sha-1 0F:74:31:25:CB:A2:13:EC:28:6F:6D:2C:61:FF:5D:C2:BC:B9:DB:3D"
	for name, sdp := range map[string]string{
		"Chromium": chromium, "WebRTC for iOS": iphone, "a browser with video first": browser,
		"transport in the bundle's first section only": bundledOnly(),
		"sha-1":  strings.Replace(chromium, fingerprint, sha1, 1),
		"active": strings.Replace(chromium, "actpass", "active", 1),
		// RFC 8122 5: several functions; the one that we can check counts.
		"md5 and sha-256": strings.Replace(chromium, fingerprint, md5+"\r\n"+fingerprint, 1),
		// RFC 8839 5.4: the section's own value counts.
		"another session's ICE above": strings.Replace(chromium, "a=extmap-allow-mixed", "a=ice-ufrag:x\r\na=ice-pwd:y", 1),
	} {
		g := testGateway(t)
		if err := g.Check(sdp, []Codec{Opus}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := g.Answer(t.Context(), Offer{Call: name, Leg: "phone", SDP: sdp, Agent: silentAgent{}, On: func(Event) {}})
		if err != nil || !strings.Contains(got.SDP, "a=rtcp-mux") {
			t.Errorf("%s: %v\n%s", name, err, got.SDP)
		}
	}
}

// bundledOnly has its transport in the video section, the first of the bundle.
func bundledOnly() string {
	at := strings.Index(browser, "m=audio")
	return browser[:at] + without(browser[at:], "a=ice-", "a=fingerprint", "a=setup", "a=rtcp-mux")
}
