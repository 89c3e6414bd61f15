package console

import (
	"carillon/app/page"

	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// browser is a client with cookies that follows no redirect by itself.
type browser struct {
	h       *house
	cookies map[string]string
	headers map[string]string
}

func (h *house) browser() *browser {
	return &browser{h: h, cookies: map[string]string{}, headers: map[string]string{"Sec-Fetch-Site": "same-origin"}}
}

// as signs somebody in.
func (h *house) as(u tenants.User) *browser {
	h.Helper()
	b := h.browser()
	b.post("/signin", url.Values{"email": {u.Email}, "password": {secret}}).want(303)
	return b
}

// quick is as, without the cost of the password: for tests that are not about it.
func (t *tenant) quick(u tenants.User) *browser {
	t.h.Helper()
	b, token, now := t.h.browser(), page.NewToken(), t.h.clock.now()
	must(t.h, t.h.store.SignIns().Add(t.h.Context(), store.SignIn{
		Hash: tenants.Secret(token).Hash(), User: u.ID, Tenant: t.id, CreatedAt: now, IdleAt: now.Add(page.IdleTime), ExpiresAt: now.Add(page.SignInTime), IP: "192.0.2.1", UserAgent: t.word,
	}))
	b.cookies[t.h.k.CookieName()] = token
	return b
}

// answer is what came back, read whole.
type answer struct {
	testing.TB
	*http.Response
	what string
	body string
}

func (b *browser) get(path string) answer { b.h.Helper(); return b.send("GET", path, "", "") }

func (b *browser) post(path string, f url.Values) answer {
	b.h.Helper()
	return b.send("POST", path, "application/x-www-form-urlencoded", f.Encode())
}

func (b *browser) request(method, path, kind, body string) *http.Request {
	req, err := http.NewRequestWithContext(b.h.Context(), method, b.h.url+path, strings.NewReader(body))
	must(b.h, err)
	for k, v := range b.headers {
		req.Header.Set(k, v)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for k, v := range b.cookies {
		req.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	return req
}

func (b *browser) send(method, path, kind, body string) answer {
	b.h.Helper()
	res, err := http.DefaultTransport.RoundTrip(b.request(method, path, kind, body))
	must(b.h, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(b.h, err)
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 || !c.Expires.IsZero() && c.Expires.Before(time.Now()) {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c.Value
	}
	return answer{b.h, res, method + " " + path, string(text)}
}

func (a answer) want(status int) answer {
	a.Helper()
	if a.StatusCode != status {
		a.Fatalf("%s: %d, want %d; leads to %q\n%s", a.what, a.StatusCode, status, a.Header.Get("Location"), page.Clip(a.body, 2000))
	}
	return a
}

func (a answer) leads(to string) answer {
	a.Helper()
	if got := a.want(303).Header.Get("Location"); got != to {
		a.Fatalf("%s leads to %q, want %q", a.what, got, to)
	}
	return a
}

func (a answer) has(texts ...string) answer {
	a.Helper()
	for _, s := range texts {
		if !strings.Contains(a.body, s) {
			a.Fatalf("%s lacks %q\n%s", a.what, s, page.Clip(a.body, 6000))
		}
	}
	return a
}

func (a answer) lacks(texts ...string) answer {
	a.Helper()
	for _, s := range texts {
		if at := strings.Index(a.body, s); at >= 0 {
			a.Fatalf("%s holds %q: …%s…", a.what, s, a.body[max(0, at-200):min(len(a.body), at+200)])
		}
	}
	return a
}

// stream reads the events of an event stream until enough says so.
func (b *browser) stream(path string, enough func(event, data string) bool) {
	b.h.Helper()
	ctx, cancel := context.WithTimeout(b.h.Context(), time.Minute)
	defer cancel()
	res, err := http.DefaultTransport.RoundTrip(b.request("GET", path, "", "").WithContext(ctx))
	must(b.h, err)
	defer res.Body.Close()
	if res.StatusCode != 200 {
		b.h.Fatalf("%s: %d", path, res.StatusCode)
	}
	event, data := "", ""
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "event: "):
			event = line[7:]
		case strings.HasPrefix(line, "data: "):
			data += line[6:] + "\n"
		case line == "" && event != "":
			if enough(event, data) {
				return
			}
			event, data = "", ""
		}
	}
	b.h.Fatalf("%s ended too early", path)
}

// peek reads the first line of a stream, or all of a refusal.
func (b *browser) peek(path string) answer {
	b.h.Helper()
	res, err := http.DefaultTransport.RoundTrip(b.request("GET", path, "", ""))
	must(b.h, err)
	defer res.Body.Close()
	if res.StatusCode == 200 {
		line, err := bufio.NewReader(res.Body).ReadString('\n')
		must(b.h, err)
		return answer{b.h, res, "GET " + path, line}
	}
	text, err := io.ReadAll(res.Body)
	must(b.h, err)
	return answer{b.h, res, "GET " + path, string(text)}
}

// peekOn reads a stream line by line until enough says so.
func (b *browser) peekOn(path string, enough func(line string) bool) {
	ctx, cancel := context.WithTimeout(b.h.Context(), time.Minute)
	defer cancel()
	res, err := http.DefaultTransport.RoundTrip(b.request("GET", path, "", "").WithContext(ctx))
	if err != nil {
		b.h.Error(err)
		return
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if enough(lines.Text()) {
			return
		}
	}
}

// read reads a stream to its end, line by line.
func (b *browser) read(path string, tell func(line string)) {
	res, err := http.DefaultTransport.RoundTrip(b.request("GET", path, "", ""))
	if err != nil {
		b.h.Error(err)
		return
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		tell(lines.Text())
	}
}
