package web

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

type sample struct {
	To struct {
		Device *string `json:"device"`
		Person *string `json:"person"`
	} `json:"to"`
	Caller string   `json:"caller"`
	TTL    *int     `json:"ttl_s"`
	Loud   bool     `json:"loud"`
	Names  []string `json:"names"`
	Parts  []struct {
		Name string `json:"name"`
	} `json:"parts"`
	hidden string //lint:ignore U1000 an unexported field must be passed over
}

func TestJSONDecodes(t *testing.T) {
	t.Parallel()
	var got sample
	body := " {\"to\":{\"device\":\"a\\\"}{b\"},\n\"caller\":\"\\u0041nna\",\"ttl_s\":30,\"loud\":true," +
		"\"names\":[\"x\",\"y\"],\"parts\":[{\"name\":\"p\"},{}]}\t\r\n"
	if err := decode([]byte(body), MaxBody, &got); err != nil {
		t.Fatal(err)
	}
	if *got.To.Device != `a"}{b` || got.Caller != "Anna" || *got.TTL != 30 || !got.Loud || len(got.Names) != 2 || got.Parts[0].Name != "p" {
		t.Errorf("%+v", got)
	}
	if err := decode([]byte(`{"\u0063aller":"x","ttl_s":null}`), MaxBody, &got); err != nil || got.Caller != "x" {
		t.Errorf("an escaped name: %v %+v", err, got)
	}
}

// TestJSONComposes: a letter and its accent are one character, however a program sent them.
func TestJSONComposes(t *testing.T) {
	t.Parallel()
	const zoe = "Zoe\u0308" // two characters for the last letter
	for name, body := range map[string]string{
		"as it is": `{"to":{"person":"` + zoe + `"},"caller":"` + zoe + `","names":["` + zoe + `"],"parts":[{"name":"` + zoe + `"}]}`,
		"escaped":  `{"to":{"person":"Zoe\u0308"},"caller":"Zoe\u0308","names":["Zoe\u0308"],"parts":[{"name":"Zoe\u0308"}]}`,
	} {
		var got sample
		if err := decode([]byte(body), MaxBody, &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, s := range []string{*got.To.Person, got.Caller, got.Names[0], got.Parts[0].Name} {
			if s != "Zoë" {
				t.Errorf("%s: %+q", name, s)
			}
		}
	}
	all := struct {
		Words map[string]string `json:"words"`
	}{}
	if err := decode([]byte(`{"words":{"a":"`+zoe+`"}}`), MaxBody, &all); err != nil || all.Words["a"] != "Zoë" {
		t.Errorf("a map: %+q (%v)", all.Words, err)
	}
}

func TestJSONAcceptsSurrogatePairs(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"caller":"\ud83d\uDE00"}`: "😀", `{"caller":"\\ud800"}`: `\ud800`, `{"caller":"\\\\\ud83d\ude00\n"}`: "\\\\😀\n",
		`{"caller":"\ud7ff\ue000"}`: "\ud7ff\ue000", `{"caller":"مهسا نیک\u200cنام"}`: "مهسا نیک\u200cنام",
	} {
		var got sample
		if err := decode([]byte(body), MaxBody, &got); err != nil || got.Caller != want {
			t.Errorf("%s: %q, want %q (%v)", body, got.Caller, want, err)
		}
	}
}

func TestJSONRefuses(t *testing.T) {
	t.Parallel()
	for body, field := range map[string]string{
		``:                                     "",
		`null`:                                 "",
		`[]`:                                   "",
		`"x"`:                                  "",
		`{`:                                    "",
		`{"caller":"a"} x`:                     "",
		`{"caller":"a"}{}`:                     "",
		`{"caller":'a'}`:                       "",
		"{\"caller\":\"\xff\"}":                "",
		`{"names":[[[[[[[[[[[[]]]]]]]]]]]]}`:   "",
		strings.Repeat(" ", MaxBody) + `{}`:    "",
		`{"caller":"\ud800"}`:                  "",
		`{"caller":"\uDC00"}`:                  "",
		`{"caller":"\ud83d x"}`:                "",
		`{"caller":"\ud83d\ud83d\ude00"}`:      "",
		`{"caller":"\ud83d\u0041"}`:            "",
		`{"names":["\\\ud800"]}`:               "",
		`{"\ud800":1}`:                         "",
		`{"colour":1}`:                         "colour",
		`{"hidden":"x"}`:                       "hidden",
		`{"Caller":"a"}`:                       "Caller",
		`{"caller":"a","caller":"b"}`:          "caller",
		`{"caller":"a","\u0063aller":"b"}`:     "caller",
		`{"to":{"device":"a","token":"b"}}`:    "to.token",
		`{"to":{"device":"a","device":"b"}}`:   "to.device",
		`{"to":"a"}`:                           "to",
		`{"to":{"device":1}}`:                  "to.device",
		`{"caller":1}`:                         "caller",
		`{"ttl_s":"30"}`:                       "ttl_s",
		`{"ttl_s":30.5}`:                       "ttl_s",
		`{"ttl_s":1e99}`:                       "ttl_s",
		`{"ttl_s":99999999999999999999999}`:    "ttl_s",
		`{"loud":"yes"}`:                       "loud",
		`{"names":"x"}`:                        "names",
		`{"parts":[{"name":"p"},{"nom":"q"}]}`: "parts.nom",
		`{"parts":{"name":"p"}}`:               "parts",
	} {
		var got sample
		err := decode([]byte(body), MaxBody, &got)
		var e *tenants.Error
		if !errors.As(err, &e) || e.Kind != tenants.Invalid && e.Kind != tenants.TooLarge {
			t.Errorf("%.80q: %v", body, err)
			continue
		}
		switch {
		case field == "" && len(e.Fields) != 0, field != "" && (len(e.Fields) != 1 || e.Fields[0].Name != field):
			t.Errorf("%.80q: %+v, want field %q", body, e.Fields, field)
		}
	}
}

func TestJSONRequiresItsMediaType(t *testing.T) {
	t.Parallel()
	app := New(Config{})
	app.Post("/v1/x", func(c *fiber.Ctx) error {
		var s sample
		return JSON(c, &s)
	})
	for kind, want := range map[string]int{
		"application/json": 200, "Application/JSON; charset=utf-8": 200,
		"": 415, "text/plain": 415, "application/x-www-form-urlencoded": 415, "application/json,text/plain": 415,
		"application/merge-patch+json": 415,
	} {
		resp, err := app.Test(request(t, "POST", "http://x/v1/x", "{}", "Content-Type", kind), noTimeout)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != want {
			t.Errorf("%q: %d, want %d", kind, resp.StatusCode, want)
		}
	}
}

// FuzzJSON checks that decode never panics, and that what it accepts has only known fields and is
// valid for encoding/json.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"to":{"device":"a"},"ttl_s":30}`, `{"caller":"\ud800"}`, `{"a":[{"b":{}}]}`, `{"caller":"a","caller":"b"}`,
		"{\"\\u0000\":1}", `{"names":[1,"\\",{}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got sample
		if decode(body, MaxBody, &got) != nil {
			return
		}
		var names map[string]any
		if err := json.Unmarshal(body, &names); err != nil {
			t.Fatalf("accepted, but not a JSON object: %v", err)
		}
		for name := range names {
			switch name {
			case "to", "caller", "ttl_s", "loud", "names", "parts":
			default:
				t.Fatalf("field %q was accepted", name)
			}
		}
	})
}
