package push_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"carillon/app/push"
	"carillon/tenants"
)

const ringID = "0198C0DE-0000-7000-8000-000000000001"

func TestPayload(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_800_000_000, 5)
	const common = `{"v":1,"call_id":"0198c0de-0000-7000-8000-000000000001","iat":1800000000,"exp":1800000030`
	for from, want := range map[string]string{
		"":                      common + `}`,
		`Müller "Dental"`:       common + `,"from":"Müller \"Dental\""}`,
		strings.Repeat("é", 64): common + `,"from":"` + strings.Repeat("é", 64) + `"}`,
	} {
		got, err := push.Payload(ringID, at, at.Add(30*time.Second), from)
		if err != nil || string(got) != want {
			t.Errorf("%q: %s, %v", from, got, err)
		}
	}
	for name, from := range map[string]string{
		"long": strings.Repeat("x", 65), "line break": "a\nb", "null": "a\x00", "delete": "a\x7f", "C1": "a\u0085",
		"right to left": "a\u202e", "not UTF-8": "a\xff",
	} {
		if got, err := push.Payload(ringID, at, at.Add(time.Second), from); err == nil {
			t.Errorf("%s: %s", name, got)
		}
	}
	if _, err := push.Payload("call-7", at, at.Add(time.Second), ""); err == nil {
		t.Error("an id that is no UUID")
	}
	if _, err := push.Payload(ringID, at, at, ""); err == nil {
		t.Error("a ring that is over when it begins")
	}
}

// TestPayloadProfiles holds each profile to the fields that its library reads, with and without a
// label, and to Apple's bound.
func TestPayloadProfiles(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_800_000_000, 5)
	const (
		id     = `"0198c0de-0000-7000-8000-000000000001"`
		common = `{"v":1,"call_id":` + id + `,"iat":1800000000,"exp":1800000030`
	)
	for _, c := range []struct {
		profile    tenants.PayloadProfile
		from, want string
	}{
		{"", "Anna", `,"from":"Anna"}`},
		{tenants.ProfileCarillon, "", `}`},
		{tenants.ProfileCallKeep, `A"B`, `,"uuid":` + id + `,"handle":"A\"B","callerName":"A\"B"}`},
		{tenants.ProfileCallKeep, "", `,"uuid":` + id + `,"handle":"Incoming call","callerName":"Incoming call"}`},
		{tenants.ProfileFlutter, "Anna", `,"id":` + id + `,"nameCaller":"Anna","handle":"Anna","isVideo":false}`},
		{tenants.ProfileFlutter, "", `,"id":` + id + `,"nameCaller":"Incoming call","handle":"Incoming call","isVideo":false}`},
	} {
		got, err := push.PayloadFor(c.profile, ringID, at, at.Add(30*time.Second), c.from)
		if err != nil || string(got) != common+c.want || !json.Valid(got) {
			t.Errorf("%s of %q: %s, %v", c.profile, c.from, got, err)
		}
	}
	longest := strings.Repeat("\U0001f9ff", 64)
	for _, p := range tenants.PayloadProfiles {
		if got, err := push.PayloadFor(p, ringID, at, at.Add(time.Second), longest); err != nil || len(got) > 1024 {
			t.Errorf("%s: %d bytes, %v", p, len(got), err)
		}
		if got, err := push.PayloadFor(p, ringID, at, at.Add(time.Second), "a\nb"); err == nil {
			t.Errorf("%s: %s", p, got)
		}
	}
	if got, err := push.PayloadFor("twilio", ringID, at, at.Add(time.Second), ""); err == nil {
		t.Errorf("an unknown profile: %s", got)
	}
}

func FuzzPayload(f *testing.F) {
	f.Add(ringID, int64(1), int64(30), "Front desk")
	f.Add("", int64(-1), int64(0), "\u2028")
	f.Fuzz(func(t *testing.T, id string, issued, ttl int64, from string) {
		at := time.Unix(issued%(1<<40), 0)
		body, err := push.Payload(id, at, at.Add(time.Duration(ttl)), from)
		if err != nil {
			return
		}
		var said map[string]any
		if json.Unmarshal(body, &said) != nil || len(body) > 5120 || utf8.RuneCountInString(from) > 64 {
			t.Fatalf("%q", body)
		}
		want := 4
		if from != "" {
			want = 5
		}
		if len(said) != want || said["call_id"] != strings.ToLower(id) || from != "" && said["from"] != from {
			t.Fatalf("%q from %q", body, from)
		}
	})
}

// TestLibrariesReadThePush: what the code in the documentation of each library reads out of a push
// is there, as the type that it expects. A handle or a name that is missing ends the app there.
func TestLibrariesReadThePush(t *testing.T) {
	t.Parallel()
	at := time.Unix(1_800_000_000, 5)
	for _, library := range []struct {
		name, where string
		profile     tenants.PayloadProfile
		reads       map[string]any // a field, and a value of its type
	}{
		{"react-native-voip-push-notification 3.3", "README, AppDelegate.m; notification.uuid in JavaScript", tenants.ProfileCallKeep,
			map[string]any{"uuid": "", "callerName": "", "handle": ""}},
		{"react-native-callkeep 4.3.16", "README, PushKit: handle is put into a dictionary, so it is never nil", tenants.ProfileCallKeep,
			map[string]any{"uuid": "", "handle": ""}},
		{"flutter_callkit_incoming 3.1.5", "example/ios/Runner/AppDelegate.swift; PUSHKIT.md", tenants.ProfileFlutter,
			map[string]any{"id": "", "nameCaller": "", "handle": "", "isVideo": false}},
	} {
		for _, from := range []string{"", "Front desk"} {
			body, err := push.PayloadFor(library.profile, ringID, at, at.Add(time.Second), from)
			if err != nil {
				t.Fatal(err)
			}
			var sent map[string]any
			if err := json.Unmarshal(body, &sent); err != nil {
				t.Fatal(err)
			}
			for field, like := range library.reads {
				if fmt.Sprintf("%T", sent[field]) != fmt.Sprintf("%T", like) || sent[field] == "" {
					t.Errorf("%s (%s) reads %s, which is %v in %s", library.name, library.where, field, sent[field], body)
				}
			}
			if id := cmp.Or(sent["uuid"], sent["id"]); id != strings.ToLower(ringID) {
				t.Errorf("%s would report %v to CallKit", library.name, id)
			}
		}
	}
}

// TestGuidesShowThePush: the guides for React Native and Flutter show the fields that are sent, and
// the classes they read.
func TestGuidesShowThePush(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]tenants.PayloadProfile{"react-native": tenants.ProfileCallKeep, "flutter": tenants.ProfileFlutter} {
		page, err := os.ReadFile("../docs/pages/" + name + ".md")
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(page), "```json title=\"The push\"\n")
		shown, _, _ := strings.Cut(after, "```")
		var says struct {
			Call     string `json:"call_id"`
			Iat, Exp int64
		}
		if err := json.Unmarshal([]byte(shown), &says); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sent, err := push.PayloadFor(p, says.Call, time.Unix(says.Iat, 0), time.Unix(says.Exp, 0), "Front desk")
		var flat bytes.Buffer
		if err := errors.Join(err, json.Compact(&flat, []byte(shown))); err != nil || flat.String() != string(sent) {
			t.Errorf("%s: the guide shows %s, sent is %s, %v", name, flat.String(), sent, err)
		}
		if !strings.Contains(string(page), `"payload_profile": "`+string(p)+`"`) {
			t.Errorf("%s does not say how to choose the fields", name)
		}
	}
}
