package app

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"carillon/app/push/apnstest"
	"carillon/gateway/phonetest"
)

func TestICEServers(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"stun:stun.example.com": true, "stun:stun.example.com:3478": true, "stuns:192.0.2.1:5349": true, "turn:[2001:db8::1]:3478": true,
		"turn:turn.example.com?transport=udp": true, "turns:turn.example.com:443?transport=tcp": true, "turn:localhost": true,
		"": false, "stun.example.com": false, "stun:": false, "stun:?transport=udp": false, "http://x": false,
		"stun://stun.example.com":             false,
		"stun:stun.example.com?transport=udp": false, "turn:turn.example.com?transport=sctp": false, "turn:user@turn.example.com": false,
		"turn:turn.example.com/x": false, "turn:turn.example.com:0": false, "turn:turn.example.com:70000": false,
		"turn:turn.example.com:": false,
		"turn:turn example.com":  false, "turn:-x.example": false, "turn:x..example": false, "turn:2001:db8::1": false, "turn:a>b": false,
		"turn:turn.example.com?transport=udp&x=y": false, " stun:stun.example.com": false, "STUN:stun.example.com": false,
	} {
		if err := iceServer(s); (err == nil) != want {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestRelaysNameEveryFault(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		r    Relays
		want string
	}{
		{Relays{}, ""},
		{Relays{ICEServers: []string{"stun:a"}}, ""},
		{Relays{ICEServers: []string{"stun:a", "turn:b"}, TURNSecret: "s"}, ""},
		{Relays{ICEServers: []string{"x", "turn:b/", "stun:a"}}, "ICE_SERVERS ICE_SERVERS TURN_SECRET"},
		{Relays{TURNSecret: "s"}, "TURN_SECRET"},
		{Relays{ICEServers: slices.Repeat([]string{"stun:a"}, relaysMost+1)}, "ICE_SERVERS"},
	} {
		var got []string
		row.r.check(func(name string, err error) {
			if err != nil {
				got = append(got, strings.TrimPrefix(name, "CARILLON_RTC_"))
			}
		})
		if strings.Join(got, " ") != row.want {
			t.Errorf("%+v: %v, want %s", row.r, got, row.want)
		}
	}
}

// TestTURNCredentials makes what a TURN server makes of the name, and sees that the name says when
// it is over.
func TestTURNCredentials(t *testing.T) {
	t.Parallel()
	r := Relays{ICEServers: []string{"turn:a", "stun:b", "turns:c?transport=tcp"}, TURNSecret: "north"}
	got := r.servers(time.Unix(1_700_007_200, 0))
	if len(got) != 2 || !slices.Equal(got[0].URLs, []string{"stun:b"}) || got[0].Username != "" ||
		!slices.Equal(got[1].URLs, []string{"turn:a", "turns:c?transport=tcp"}) {
		t.Fatalf("%+v", got)
	}
	mac := hmac.New(sha1.New, []byte("north"))
	mac.Write([]byte("1700007200:carillon"))
	if got[1].Username != "1700007200:carillon" || got[1].Credential != base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
		t.Errorf("%+v", got[1])
	}
	if list := (Relays{}).servers(time.Now()); list != nil {
		t.Errorf("nothing set gives %v", list)
	}
}

// TestPhonesLearnOfRelays: the setting reaches a phone in both places, with credentials of the
// moment.
func TestPhonesLearnOfRelays(t *testing.T) {
	t.Parallel()
	apple, err := apnstest.New(apnstest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer apple.Close()
	s, m := produce(t, []string{"--data", t.TempDir()}, apple, "--rtc-ice-servers",
		"stun:stun.example.com,turn:turn.example.com:3478?transport=tcp", "--rtc-turn-secret", "north")
	device := s.furnish(apple, m)
	r := s.place(`{"to":{"person":"front-desk"}}`)
	var seen struct {
		ICEServers []struct {
			URLs                 []string
			Username, Credential string
		} `json:"ice_servers"`
	}
	s.call("GET", "/v1/phone/rings/"+r.ID, device.Credential, "", &seen)
	if l := seen.ICEServers; len(l) != 2 || l[0].URLs[0] != "stun:stun.example.com" ||
		l[1].URLs[0] != "turn:turn.example.com:3478?transport=tcp" || l[1].Username == "" || l[1].Credential == "" {
		t.Fatalf("%+v", l)
	}
	stranger := browser(t)
	do(t, stranger, "the demo calls with them", chromedp.Navigate(s.ready.URL+"/demo"),
		holds(`!document.querySelector("[data-needs-script]").hidden`),
		holds(`window.RTCPeerConnection = function (config) { window.seen = JSON.stringify(config); throw new Error("seen") }`),
		click(`[data-demo-start]`), holds(`!!window.seen`))
	if got := read(t, stranger, "the servers", chromedp.Evaluate[string](`window.seen`)); !strings.HasPrefix(got,
		`{"iceServers":[{"urls":["stun:stun.example.com"]},{"urls":["turn:turn.example.com:3478?transport=tcp"],"username":"`) {
		t.Errorf("the demo calls with %s", got)
	}
	iphone, err := phonetest.New(phonetest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	offer, err := iphone.Offer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.ready.URL+"/v1/phone/rings/"+r.ID+"/answer", strings.NewReader(offer))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/sdp")
	req.Header.Set("Authorization", "Bearer "+device.Credential)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	links := resp.Header.Values("Link")
	if resp.StatusCode != 201 || len(links) != 2 || links[0] != `<stun:stun.example.com>; rel="ice-server"` ||
		!strings.HasPrefix(links[1], `<turn:turn.example.com:3478?transport=tcp>; rel="ice-server"; username="`) ||
		!strings.Contains(links[1], `credential-type="password"`) {
		t.Errorf("%d %q", resp.StatusCode, links)
	}
}
