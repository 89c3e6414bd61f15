package api

import (
	"fmt"
	"strings"
	"testing"

	"carillon/tenants"
)

func TestDevices(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	token := strings.Repeat("AB", 32)
	body := fmt.Sprintf(`{"token":%q,"bundle_id":"com.example.lakeside","environment":"sandbox",
		"person":"user-1","name":"Anna's iPhone","time_zone":"Europe/Berlin"}`, token)
	var d device
	made := h.do(ask{method: "POST", path: "/v1/devices", key: a.key, body: body}).want(201)
	made.into(&d)
	if d.TokenEnd != "abababab" || strings.Contains(made.body, strings.ToLower(token)) || d.Credential == "" ||
		d.Platform != "ios" || *d.Person != "user-1" {
		t.Errorf("made: %s", made.body)
	}
	var again device
	h.do(ask{method: "POST", path: "/v1/devices", key: a.key, body: body}).want(200).into(&again)
	if again.ID != d.ID || again.Credential == d.Credential {
		t.Errorf("known: %+v", again)
	}
	// The old credential lasts until the new one is used.
	r := a.ring(fmt.Sprintf(`{"to":{"device":%q}}`, d.ID))
	for _, step := range []struct {
		credential string
		want       int
	}{{d.Credential, 200}, {again.Credential, 200}, {d.Credential, 401}} {
		h.do(ask{method: "GET", path: "/v1/phone/rings/" + r.ID, key: tenants.Secret(step.credential)}).want(step.want)
	}
	var changed device
	shown := h.do(ask{method: "PATCH", path: "/v1/devices/" + strings.ToUpper(d.ID), key: a.key,
		body: `{"name":"Office","person":""}`}).want(200)
	shown.into(&changed)
	if *changed.Name != "Office" || changed.Person != nil || *changed.TimeZone != "Europe/Berlin" || changed.Credential != "" {
		t.Errorf("changed: %s", shown.body)
	}
	h.do(ask{method: "GET", path: "/v1/devices/" + d.ID, key: a.key}).want(200).into(&changed)
	if *changed.Name != "Office" {
		t.Errorf("kept: %+v", changed)
	}
	var p list[device]
	h.do(ask{method: "GET", path: "/v1/devices?limit=1", key: a.key}).want(200).into(&p)
	if len(p.Data) != 1 || p.Next == nil || p.Data[0].ID != d.ID {
		t.Errorf("list: %+v", p)
	}
	h.do(ask{method: "DELETE", path: "/v1/devices/" + d.ID, key: a.key}).want(204)
	h.do(ask{method: "DELETE", path: "/v1/devices/" + d.ID, key: a.key}).want(404)
	h.do(ask{method: "GET", path: "/v1/phone/rings/" + r.ID, key: tenants.Secret(again.Credential)}).want(401)
}

func TestPairing(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	var p pairing
	h.do(ask{method: "POST", path: "/v1/pairings", key: a.key, body: `{"person":"user-7"}`}).want(201).into(&p)
	if p.URL != "https://carillon.example/pair#"+p.Code || !strings.HasPrefix(p.QR, "<svg") || *p.Person != "user-7" {
		t.Errorf("%+v", p)
	}
	body := func(person string) string {
		return fmt.Sprintf(`{"token":%q,"bundle_id":"com.example.lakeside","environment":"sandbox"%s}`, strings.Repeat("cd", 32), person)
	}
	code := tenants.Secret(strings.ToLower(strings.ReplaceAll(p.Code, "-", "")))
	if _, fields := h.do(ask{method: "POST", path: "/v1/phone/devices", key: code,
		body: body(`,"person":"user-8"`)}).want(400).code(); len(fields) != 1 || fields[0] != "person" {
		t.Errorf("a phone became another person: %v", fields)
	}
	var d device
	h.do(ask{method: "POST", path: "/v1/phone/devices", key: code, body: body("")}).want(201).into(&d)
	if *d.Person != "user-7" || d.Credential == "" {
		t.Errorf("%+v", d)
	}
	h.do(ask{method: "POST", path: "/v1/phone/devices", key: code, body: body("")}).want(401)
	h.do(ask{method: "POST", path: "/v1/phone/devices", key: "ABCDE-23456", body: body("")}).want(401)
	h.do(ask{method: "POST", path: "/v1/phone/devices", key: a.key, body: body("")}).want(401)

	token := strings.Repeat("ef", 32)
	var renewed device
	h.do(ask{method: "PUT", path: "/v1/phone/token", key: tenants.Secret(d.Credential),
		body: fmt.Sprintf(`{"token":%q,"environment":"production","app_version":"5.0","os_version":"26.2"}`,
			token)}).want(200).into(&renewed)
	if renewed.ID != d.ID || renewed.TokenEnd != "efefefef" || renewed.Environment != "production" || *renewed.AppVersion != "5.0" {
		t.Errorf("%+v", renewed)
	}
}

func TestPairingTriesAreLimited(t *testing.T) {
	t.Parallel()
	h := open(t)
	// one more each guessEvery, which a busy machine may take for a few
	for n := range 4 * guessBurst {
		got := h.do(ask{method: "POST", path: "/v1/phone/devices", key: tenants.NewCode(), body: `{}`})
		if got.status != 429 {
			got.want(401)
			continue
		}
		if n < guessBurst || got.header.Get("Retry-After") == "" {
			t.Errorf("refused after %d guesses, Retry-After %q", n, got.header.Get("Retry-After"))
		}
		return
	}
	t.Error("guessing is not slowed down")
}
