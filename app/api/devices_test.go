package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/web"
	"carillon/app/web/webtest"
	"carillon/tenants"
)

func TestDevices(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	token := strings.Repeat("AB", 32)
	body := fmt.Sprintf(`{"token":%q,"bundle_id":"com.example.lakeside","environment":"sandbox",
		"person":"user-1","name":"Anna's iPhone","time_zone":"Europe/Berlin","phone_number":"+49 151 123-45678"}`, token)
	var d device
	made := h.do(ask{method: "POST", path: "/v1/devices", key: a.key, body: body}).want(201)
	made.into(&d)
	if d.TokenEnd != "abababab" || strings.Contains(made.body, strings.ToLower(token)) || d.Credential == "" ||
		d.Platform != "ios" || *d.Person != "user-1" || *d.PhoneNumber != "+4915112345678" {
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
		body: `{"name":"Office","person":"","phone_number":"+1 (212) 555 0100"}`}).want(200)
	shown.into(&changed)
	if *changed.Name != "Office" || changed.Person != nil || *changed.TimeZone != "Europe/Berlin" || changed.Credential != "" ||
		*changed.PhoneNumber != "+12125550100" {
		t.Errorf("changed: %s", shown.body)
	}
	if _, fields := h.do(ask{method: "PATCH", path: "/v1/devices/" + d.ID, key: a.key, body: `{"phone_number":"0151 1234567"}`}).want(400).
		code(); len(fields) != 1 || fields[0] != "phone_number" {
		t.Errorf("a number without its country: %v", fields)
	}
	h.do(ask{method: "GET", path: "/v1/devices/" + d.ID, key: a.key}).want(200).into(&changed)
	if *changed.Name != "Office" {
		t.Errorf("kept: %+v", changed)
	}
	var p list[device]
	h.do(ask{method: "PATCH", path: "/v1/devices/" + d.ID, key: a.key, body: `{"tags":["night","front","night"]}`}).want(200).into(&changed)
	h.do(ask{method: "GET", path: "/v1/devices?tag=night", key: a.key}).want(200).into(&p)
	if got := fmt.Sprint(changed.Tags); got != "[front night]" || *changed.Name != "Office" || len(p.Data) != 1 ||
		fmt.Sprint(p.Data[0].Tags) != got {
		t.Errorf("tags: %v, found %+v", got, p)
	}
	if _, fields := h.do(ask{method: "PATCH", path: "/v1/devices/" + d.ID, key: a.key, body: `{"name":"Lost","tags":["a,b"]}`}).
		want(400).code(); len(fields) != 1 || fields[0] != "tags" {
		t.Errorf("a tag with a comma: %v", fields)
	}
	h.do(ask{method: "GET", path: "/v1/devices?tag=day", key: a.key}).want(200).into(&p)
	if len(p.Data) != 0 {
		t.Errorf("devices with a tag that none has: %+v", p.Data)
	}
	h.do(ask{method: "POST", path: "/v1/devices", key: a.key, body: body}).want(200).into(&again)
	if fmt.Sprint(again.Tags) != "[front night]" || *again.Name != "Anna's iPhone" {
		t.Errorf("registered again: %+v", again)
	}
	shown = h.do(ask{method: "PATCH", path: "/v1/devices/" + d.ID, key: a.key, body: `{"tags":[]}`}).want(200)
	if !strings.Contains(shown.body, `"tags":[]`) {
		t.Errorf("without tags: %s", shown.body)
	}
	h.do(ask{method: "GET", path: "/v1/devices?limit=1", key: a.key}).want(200).into(&p)
	if len(p.Data) != 1 || p.Next == nil || p.Data[0].ID != d.ID {
		t.Errorf("list: %+v", p)
	}
	phone := func(end, id string) string {
		return strings.Replace(body, token, strings.Repeat(end, 32), 1)[:len(body)-1] + `,"phone_id":"` + id + `"}`
	}
	if _, fields := h.do(ask{method: "POST", path: "/v1/devices", key: a.key, body: phone("1c", "short")}).want(400).
		code(); len(fields) != 1 || fields[0] != "phone_id" {
		t.Errorf("a short phone id: %v", fields)
	}
	var before, after device
	h.do(ask{method: "POST", path: "/v1/devices", key: a.key, body: phone("1c", "6f9619ff-8b86-d011")}).want(201).into(&before)
	h.do(ask{method: "POST", path: "/v1/devices", key: a.key, body: phone("2d", "6f9619ff-8b86-d011")}).want(201).into(&after)
	h.do(ask{method: "GET", path: "/v1/devices/" + before.ID, key: a.key}).want(404)
	h.do(ask{method: "GET", path: "/v1/devices/" + after.ID, key: a.key}).want(200)
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

// TestWrongPairingCodesAreCountedByNetwork: by address and /24 or by /64, /56 and /48, whatever the
// addresses in them. A right code costs nothing, and other networks are served meanwhile.
func TestWrongPairingCodesAreCountedByNetwork(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	var stopped atomic.Int64
	stopped.Store(time.Now().UnixNano())
	h.api.Now = func() time.Time { return time.Unix(0, stopped.Load()) }
	app := web.New(web.Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	h.api.Mount(app)
	url := webtest.Serve(t, app)
	pair := func(from string, code tenants.Secret) *http.Response {
		t.Helper()
		body := fmt.Sprintf(`{"token":%q,"bundle_id":"com.example.lakeside","environment":"sandbox"}`, strings.Repeat("cd", 32))
		r := ask{method: "POST", path: "/v1/phone/devices", key: code, header: []string{"X-Forwarded-For", from},
			body: body}.request(t, url)
		res, err := http.DefaultTransport.RoundTrip(r)
		must(t, err)
		must(t, res.Body.Close())
		return res
	}
	guess := func(from func(int) string, want int) {
		t.Helper()
		for n := range want + 1 {
			res := pair(from(n), tenants.NewCode())
			if late := n == want; late != (res.StatusCode == 429) || late == (res.Header.Get("Retry-After") == "") {
				t.Fatalf("guess %d from %s: %d, Retry-After %q", n, from(n), res.StatusCode, res.Header.Get("Retry-After"))
			}
		}
	}
	for range 3 * networkGuesses.Burst {
		var p pairing
		h.do(ask{method: "POST", path: "/v1/pairings", key: a.key, body: `{}`}).want(201).into(&p)
		if res := pair("192.0.2.200", tenants.Secret(p.Code)); res.StatusCode != 201 {
			t.Fatalf("a right code: %d", res.StatusCode)
		}
	}
	guess(func(int) string { return "192.0.2.1" }, networkGuesses.Burst)
	guess(func(n int) string { return fmt.Sprintf("2001:db8:7:7::%d", n) }, networkGuesses.Burst)
	guess(func(n int) string { return fmt.Sprintf("198.51.100.%d", n) }, widerGuesses.Burst)
	guess(func(n int) string { return fmt.Sprintf("2001:db8:1:aa%02x::1", n) }, widerGuesses.Burst)
	guess(func(n int) string { return fmt.Sprintf("2001:db8:2:%x00::1", n) }, widerGuesses.Burst)
	if res := pair("203.0.113.1", tenants.NewCode()); res.StatusCode != 401 {
		t.Errorf("another network: %d", res.StatusCode)
	}
	stopped.Add(int64(networkGuesses.Every))
	if res := pair("192.0.2.1", tenants.NewCode()); res.StatusCode != 401 {
		t.Errorf("after the wait: %d", res.StatusCode)
	}
}
