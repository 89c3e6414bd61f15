package api

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

// try sends a request through the app without a socket and returns its status, which must not be a
// 5xx.
func (h *fixture) try(t *testing.T, r *http.Request) int {
	t.Helper()
	resp, err := h.app.Test(r, -1)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode >= 500 {
		t.Fatalf("%s %s %q: %d", r.Method, r.URL, r.Header, resp.StatusCode)
	}
	return resp.StatusCode
}

// FuzzRingBody checks that any body either places and pushes a ring, or is refused without an
// effect.
func FuzzRingBody(f *testing.F) {
	h := open(f)
	a := h.tenant("lakeside", "Lakeside")
	device := string(a.device)
	for _, s := range []string{
		``, `{}`, `null`, `{"to":{"device":"` + device + `"}}`,
		`{"to":{"person":"person-Lakeside"},"ttl_s":5,"caller":"A","reference":"r"}`,
		`{"to":{"device":"` + strings.ToUpper(device) + `","person":""}}`, `{"to":null,"agent":null,"ttl_s":1e1}`, `{"to":{},"to":{}}`,
		`{"to":{"device":"` + device + `"},"caller":"\ud83d\ude00\u202e"}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		before := h.apple.count()
		r := ask{method: "POST", path: "/v1/rings", key: a.key, body: body, kind: "application/json"}.request(t, "http://x")
		switch status := h.try(t, r); status {
		case 201:
			var q ringRequest
			if err := json.Unmarshal([]byte(body), &q); err != nil {
				t.Fatalf("placed from %q: %v", body, err)
			}
			select {
			case <-h.apple.pushed:
			case <-time.After(time.Minute):
				t.Fatal("placed and not pushed")
			}
		case 400, 404, 413, 415, 422, 403:
			if h.apple.count() != before {
				t.Fatalf("%d and a push", status)
			}
		default:
			t.Fatalf("%d for %q", status, body)
		}
	})
}

// headerValue reports whether a client can send s as a header value.
func headerValue(s string) bool {
	for _, b := range []byte(s) {
		if b < ' ' || b == 0x7f {
			return false
		}
	}
	return len(s) < 8<<10
}

// FuzzBearer checks that only the exact key is accepted.
func FuzzBearer(f *testing.F) {
	h := open(f)
	a := h.tenant("lakeside", "Lakeside")
	for _, s := range []string{
		"", "Bearer", "Bearer ", "Bearer x", "Basic eDp4", "bearer  " + string(a.key), "Bearer " + string(a.key) + " ",
		"Bearer " + string(a.phone),
		"Bearer " + string(tenants.NewSecret(tenants.LivePrefix)), "Bearer crl_live_", "Bearer " +
			strings.Repeat("A", 5000), "Bearer ABCDE-23456",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if !headerValue(value) {
			return
		}
		r := ask{method: "GET", path: "/v1/agents"}.request(t, "http://x")
		r.Header.Set("Authorization", value)
		status := h.try(t, r)
		if scheme, secret, _ := strings.Cut(strings.Trim(value, " "), " "); strings.EqualFold(scheme, "Bearer") && secret == string(a.key) {
			if status != 200 {
				t.Fatalf("%q: %d", value, status)
			}
		} else if status != 401 {
			t.Fatalf("%q: %d", value, status)
		}
		r = ask{method: "GET", path: "/v1/phone/rings/" + string(a.device)}.request(t, "http://x")
		r.Header.Set("Authorization", value)
		if status := h.try(t, r); status != 401 && !strings.Contains(value, string(a.phone)) {
			t.Fatalf("a phone's door, %q: %d", value, status)
		}
	})
}

// FuzzIdempotencyKey checks that a key is stored whole or refused, and that only equal requests
// have one fingerprint.
func FuzzIdempotencyKey(f *testing.F) {
	f.Add("key", "a", "b", "a", "b")
	f.Add(strings.Repeat("k", 256), "", "", "", "")
	f.Add("é", `a","b`, "", "a", `","b`)
	f.Add("a\tb", "\x00", "\xff", "", "\ufffd")
	f.Fuzz(func(t *testing.T, key, person1, caller1, person2, caller2 string) {
		ok := len(key) >= 1 && len(key) <= 255 && strings.Trim(key, printable()) == ""
		if err := checkIdempotencyKey(key); (err == nil) != ok {
			t.Fatalf("%q: %v", key, err)
		} else if err != nil && tenants.KindOf(err) != tenants.Invalid {
			t.Fatalf("%q: %v", key, err)
		}
		one := tenants.Request{To: tenants.To{Person: person1}, Caller: caller1}
		two := tenants.Request{To: tenants.To{Person: person2}, Caller: caller2}
		if same := one == two; same != (fingerprint(one) == fingerprint(two)) {
			t.Fatalf("%+v and %+v: same is %v", one, two, same)
		}
	})
}

func printable() string {
	var b strings.Builder
	for c := ' '; c <= '~'; c++ {
		b.WriteRune(c)
	}
	return b.String()
}

// FuzzLastEventID checks that only a number that a stream could have sent is accepted.
func FuzzLastEventID(f *testing.F) {
	for _, s := range []string{"", "0", "42", "-1", "+7", "1e3", " 1", "9223372036854775807", "9223372036854775808", "1\n2", "０"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := lastEvent(s)
		switch {
		case err != nil && tenants.KindOf(err) != tenants.Invalid:
			t.Fatalf("%q: %v", s, err)
		case err == nil && n < 0:
			t.Fatalf("%q: %d", s, n)
		case err == nil && s != "":
			if m, err := strconv.ParseInt(s, 10, 64); err != nil || m != n {
				t.Fatalf("%q: %d", s, n)
			}
		}
	})
}

// FuzzUpload checks that any upload is accepted or refused with a sentence, and that its secret is
// never shown.
func FuzzUpload(f *testing.F) {
	h := open(f)
	a := h.tenant("lakeside", "Lakeside")
	good := string(newP8(f))
	f.Add("AuthKey_ABCDE12345.p8", "com.example.two", "auto", "TEAM123456", "", good)
	f.Add("certificate.p12", "", "production", "", "secret", "\x30\x82\x01\x00")
	f.Add("../../etc/passwd", "\x00", "mars", "é", strings.Repeat("p", 2000), "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----")
	f.Fuzz(func(t *testing.T, name, bundle, environment, team, password, file string) {
		body, kind := form(t, map[string]string{"bundle_id": bundle, "environment": environment, "team_id": team,
			"password": password}, [3]string{"file", name, file})
		resp, err := h.app.Test(ask{method: "POST", path: "/v1/credentials", key: a.key, body: body, kind: kind}.request(t, "http://x"), -1)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Split(good, "\n"); strings.Contains(string(text), lines[1]) {
			t.Fatalf("the secret is shown: %s", text)
		}
		switch resp.StatusCode {
		case 201, 400, 409, 413, 415, 422, 429:
		default:
			t.Fatalf("%d: %s", resp.StatusCode, text)
		}
	})
}
