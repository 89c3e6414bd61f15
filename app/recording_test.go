package app

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"carillon/app/sound"
	"carillon/gateway/phonetest"
)

// sendFile sends a form with a file to a page or to the API.
func (s *server) sendFile(client *http.Client, path, bearer string, file []byte, values map[string]string) {
	s.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range values {
		if err := form.WriteField(name, value); err != nil {
			s.t.Fatal(err)
		}
	}
	h := textproto.MIMEHeader{"Content-Type": {"audio/ogg"}}
	h.Set("Content-Disposition", `form-data; name="file"; filename="a.ogg"`)
	part, err := form.CreatePart(h)
	if err == nil {
		_, err = part.Write(file)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	q, err := http.NewRequestWithContext(s.t.Context(), "POST", s.ready.URL+path, &body)
	if err != nil {
		s.t.Fatal(err)
	}
	q.Header.Set("Content-Type", form.FormDataContentType())
	q.Header.Set("Sec-Fetch-Site", "same-origin")
	if bearer != "" {
		q.Header.Set("Authorization", "Bearer "+bearer)
	}
	a, err := client.Do(q)
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Body.Close()
	if text, _ := io.ReadAll(a.Body); a.StatusCode != 200 || bytes.Contains(text, []byte("is-invalid")) {
		s.t.Fatalf("uploading to %s: %s %s", path, a.Status, text)
	}
}

// dialled places a ring and answers it with a phone that has this codec.
func (s *server) dialled(codec, agent string) (*phonetest.Call, *phonetest.Leg, string) {
	s.t.Helper()
	iphone, err := phonetest.New(phonetest.Config{Codecs: []string{codec}})
	if err != nil {
		s.t.Fatal(err)
	}
	r := s.place(fmt.Sprintf(`{"to":{"device":"%s"}%s,"ttl_s":60}`, s.ready.DeviceID, agent))
	s.until(r.ID, func(r toldRing) bool { return r.State == "pushed" })
	leg := &phonetest.Leg{URL: s.ready.URL, Ring: r.ID, Credential: s.ready.DeviceCredential, Client: http.DefaultClient}
	call, err := iphone.Call(s.t.Context(), leg.Answer)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(call.HangUp)
	return call, leg, r.ID
}

// recorded is what the ring's timeline says about its recording; "" = nothing yet.
func (r toldRing) recorded() string {
	for _, a := range r.Attempts {
		for _, f := range a.Facts {
			if f.Kind == "recording" {
				return f.Detail
			}
		}
	}
	return ""
}

// fetched reads a file.
func (s *server) fetched(client *http.Client, path, bearer string) (file []byte, status int) {
	s.t.Helper()
	q, err := http.NewRequestWithContext(s.t.Context(), "GET", s.ready.URL+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if bearer != "" {
		q.Header.Set("Authorization", "Bearer "+bearer)
	}
	a, err := client.Do(q)
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Body.Close()
	if file, err = io.ReadAll(a.Body); err != nil {
		s.t.Fatal(err)
	}
	return file, a.StatusCode
}

// TestACallIsRecorded: the person hears the announcement, then both sides are recorded, and the
// file can be heard on the ring's page and by the API.
func TestACallIsRecorded(t *testing.T) {
	t.Parallel()
	s := start(t)
	notice, err := os.ReadFile("../gateway/notice.ogg")
	if err != nil {
		t.Fatal(err)
	}
	browser := s.signedIn()
	rule := func(policy string) {
		s.sendFile(browser, "/settings/recording", "", notice, map[string]string{"policy": policy,
			"reason": "for the training of the staff"})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	talk := func(call *phonetest.Call, packets uint64) {
		t.Helper()
		heard := call.Stats().PacketsIn
		if err := call.Until(ctx, func(s phonetest.Stats) bool { return s.PacketsIn >= heard+packets }); err != nil {
			t.Fatalf("the agent is not heard: %v %+v", err, call.Stats())
		}
	}
	over := func(call *phonetest.Call, leg *phonetest.Leg, ring string) {
		t.Helper()
		if err := leg.HangUp(ctx); err != nil {
			t.Fatal(err)
		}
		call.HangUp()
		s.until(ring, func(r toldRing) bool { return r.State == "ended" })
	}

	rule("announce")
	kept := map[string]string{} // a ring of each codec
	for _, codec := range []string{"PCMU", "opus"} {
		answered := time.Now()
		call, leg, ring := s.dialled(codec, "")
		if how := s.until(ring, func(r toldRing) bool { return r.recorded() != "" }).recorded(); how != "recorded: it was announced" {
			t.Fatalf("%s: %s", codec, how)
		}
		if n := call.Stats().Sounding; n < 50 {
			t.Errorf("%s: of the announcement, %d packets were heard", codec, n)
		}
		talk(call, 150) // 3 s
		over(call, leg, ring)
		longest := time.Since(answered)
		path := "/v1/rings/" + ring + "/recording"
		var length time.Duration
		for deadline := time.Now().Add(20 * time.Second); ; {
			if codec == "PCMU" {
				file, _ := s.fetched(http.DefaultClient, path, s.ready.APIKey)
				length = wavLength(t, file)
			} else {
				file, _ := s.fetched(browser, "/rings/"+ring+"/recording?track=agent", "")
				if track, err := sound.Parse(file); err == nil {
					length = track.Duration
				}
			}
			if length >= 2500*time.Millisecond {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: the recording stays %v long", codec, length)
			}
			tick := time.NewTimer(100 * time.Millisecond) // the last sound is stored after the call
			<-tick.C
		}
		if length > longest {
			t.Errorf("%s: a recording of %v of a call of at most %v", codec, length, longest)
		}
		if codec == "opus" {
			both, status := s.fetched(http.DefaultClient, path, s.ready.APIKey)
			if n := bytes.Count(both, []byte("OpusHead")); status != 200 || n != 2 {
				t.Errorf("%d, %d tracks", status, n)
			}
			person, _ := s.fetched(browser, "/rings/"+ring+"/recording?track=person", "")
			if track, err := sound.Parse(person); err != nil || track.Duration < 2*time.Second {
				t.Errorf("the person's track: %v", err)
			}
		}
		if page := s.page(browser, "/rings/"+ring); !strings.Contains(page, "/rings/"+ring+"/recording") {
			t.Errorf("%s: the ring's page does not offer the recording", codec)
		}
		kept[codec] = ring
	}
	t.Run("player", func(t *testing.T) { seek(t, s, kept) })

	rule("consent")
	for key, want := range map[byte]string{'1': "recorded: the person pressed 1", '2': "not recorded: the person pressed 2",
		0: "not recorded: the person did not press 1"} {
		call, leg, ring := s.dialled("PCMU", "")
		talk(call, 25)
		if key != 0 { // without a key the time for an answer passes
			if err := call.Press(key); err != nil {
				t.Fatal(err)
			}
		}
		if how := s.until(ring, func(r toldRing) bool { return r.recorded() != "" }).recorded(); how != want {
			t.Errorf("with the key %q: %s", key, how)
		}
		talk(call, 50)
		over(call, leg, ring)
		status := 0
		for deadline := time.Now().Add(20 * time.Second); ; {
			_, status = s.fetched(http.DefaultClient, "/v1/rings/"+ring+"/recording", s.ready.APIKey)
			if (status == 200) == (key == '1') || time.Now().After(deadline) {
				break
			}
			tick := time.NewTimer(100 * time.Millisecond)
			<-tick.C
		}
		if (status == 200) != (key == '1') {
			t.Errorf("with the key %q, the recording gives %d", key, status)
		}
	}
}

// seek has Chromium play both tracks of each recording from the middle: it must get there without
// all that is before it, hear sound, and know how long the track is.
func seek(t *testing.T, s *server, rings map[string]string) {
	t.Helper()
	ctx := browser(t)
	signIn(t, ctx, s)
	for codec, ring := range rings {
		for i := range 2 {
			what := fmt.Sprintf("%s, track %d", codec, i+1)
			do(t, ctx, what+": begin", chromedp.Navigate(s.ready.URL+"/rings/"+ring),
				holds(`document.querySelectorAll("audio").length === 2`), runs(fmt.Sprintf(listener, i)))
			do(t, ctx, what+": plays", holds(`track.currentTime > 0 && track.duration > 2`))
			do(t, ctx, what+": seeks", runs(`(track.currentTime = middle = track.duration / 2, loudest = 0, true)`),
				holds(`!track.seeking && track.currentTime >= middle && track.currentTime < middle + 1`),
				holds(`track.currentTime > middle + 0.3 && loudest > 0.001`))
			if fault := read(t, ctx, what, chromedp.Evaluate[string](`track.error ? track.error.message : ""`)); fault != "" {
				t.Errorf("%s: %s", what, fault)
			}
		}
	}
}

// runs evaluates an expression once.
func runs(expression string) step {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := chromedp.Evaluate[bool](expression)(ctx, target)
		return err
	})
}

// listener plays a track of the page and listens to it: loudest is the highest sample since it was
// last set to 0.
const listener = `(() => {
	window.track = document.querySelectorAll("audio")[%d];
	window.loudest = window.middle = 0;
	const context = new AudioContext(), ear = context.createAnalyser(), heard = new Float32Array(ear.fftSize);
	context.createMediaElementSource(track).connect(ear);
	ear.connect(context.destination);
	setInterval(() => {
		ear.getFloatTimeDomainData(heard);
		if (!track.seeking) loudest = Math.max(loudest, ...heard.map(Math.abs));
	}, 20);
	track.play();
	return true;
})()`

// wavLength is how long a WAV file in G.711 with two channels is, and checks that both have sound;
// 0 = nothing was stored yet.
func wavLength(t *testing.T, file []byte) time.Duration {
	t.Helper()
	at := bytes.Index(file, []byte("data"))
	if len(file) < 44 || string(file[:4]) != "RIFF" || string(file[8:12]) != "WAVE" || at < 0 {
		return 0
	}
	if channels := binary.LittleEndian.Uint16(file[22:]); channels != 2 {
		t.Fatalf("%d channels", channels)
	}
	data := file[at+8:]
	if size := int(binary.LittleEndian.Uint32(file[at+4:])); size > len(data) {
		t.Fatalf("the head promises %d bytes, and %d follow", size, len(data))
	}
	var loud [2]int
	for i, b := range data {
		if b != 0xff && b != 0x7f {
			loud[i%2]++
		}
	}
	length := time.Duration(len(data)/2) * time.Second / 8000
	if length > 2500*time.Millisecond && (loud[0] < 8000 || loud[1] < 8000) {
		t.Errorf("of %v, %d samples of the person and %d of the agent have sound", length, loud[0], loud[1])
	}
	return length
}

// TestAnUploadedAnnouncementIsPlayed: a phone hears the whole file, and then the call ends.
func TestAnUploadedAnnouncementIsPlayed(t *testing.T) {
	t.Parallel()
	s := start(t)
	notice, err := os.ReadFile("../gateway/notice.ogg")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := sound.Parse(notice)
	if err != nil {
		t.Fatal(err)
	}
	var a struct{ ID string }
	s.call("POST", "/v1/agents", s.ready.APIKey, `{"name":"Closed","kind":"builtin","builtin":{"program":"announcement"}}`, &a)
	s.sendFile(http.DefaultClient, "/v1/agents/"+a.ID+"/announcement", s.ready.APIKey, notice, nil)
	for _, codec := range []string{"opus", "PCMU"} {
		call, _, ring := s.dialled(codec, `,"agent":"`+a.ID+`"`)
		s.until(ring, func(r toldRing) bool { return r.State == "ended" })
		least := uint64(parsed.Duration/(20*time.Millisecond)) * 9 / 10
		if heard := call.Stats().PacketsIn; heard < least {
			t.Errorf("%s: %d packets of the announcement were heard, at least %d expected", codec, heard, least)
		}
	}
}
