package pagetest

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Browser is a client with cookies that follows no redirect by itself.
type Browser struct {
	H       *Server
	Cookies map[string]string
	Headers map[string]string
}

func (s *Server) Browser() *Browser {
	return &Browser{H: s, Cookies: map[string]string{}, Headers: map[string]string{"Sec-Fetch-Site": "same-origin"}}
}

// As signs somebody in.
func (s *Server) As(u tenants.User) *Browser {
	s.Helper()
	b := s.Browser()
	b.Post("/signin", url.Values{"email": {u.Email}, "password": {Secret}}).Want(303)
	return b
}

// Quick is as, without the cost of the password: for tests that are not about it.
func (t *Account) Quick(u tenants.User) *Browser {
	t.s.Helper()
	b, token, now := t.s.Browser(), page.NewToken(), t.s.Clock.Now()
	Must(t.s, t.s.Store.SignIns().Add(t.s.Context(), store.SignIn{
		Hash: tenants.Secret(token).Hash(), User: u.ID, Tenant: t.Id, CreatedAt: now, IdleAt: now.Add(page.IdleTime),
		ExpiresAt: now.Add(page.SignInTime), ProvedAt: now, Origin: tenants.NewRandomID(), IP: "192.0.2.1", UserAgent: t.Word,
	}))
	b.Cookies[t.s.Common.CookieName()] = token
	return b
}

// SignIn is the hash of the token that the browser is signed in with.
func (b *Browser) SignIn() tenants.Hash {
	return tenants.Secret(b.Cookies[b.H.Common.CookieName()]).Hash()
}

// Answer is what came back, read whole.
type Answer struct {
	testing.TB
	*http.Response
	what string
	Body string
}

func (b *Browser) Get(path string) Answer { b.H.Helper(); return b.Send("GET", path, "", "") }

func (b *Browser) Post(path string, f url.Values) Answer {
	b.H.Helper()
	return b.Send("POST", path, "application/x-www-form-urlencoded", f.Encode())
}

func (b *Browser) request(method, path, kind, body string) *http.Request {
	req, err := http.NewRequestWithContext(b.H.Context(), method, b.H.url+path, strings.NewReader(body))
	Must(b.H, err)
	for k, v := range b.Headers {
		req.Header.Set(k, v)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for k, v := range b.Cookies {
		req.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	return req
}

func (b *Browser) Send(method, path, kind, body string) Answer {
	b.H.Helper()
	res, err := http.DefaultTransport.RoundTrip(b.request(method, path, kind, body))
	Must(b.H, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	Must(b.H, err)
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 || !c.Expires.IsZero() && c.Expires.Before(time.Now()) {
			delete(b.Cookies, c.Name)
			continue
		}
		b.Cookies[c.Name] = c.Value
	}
	return Answer{b.H, res, method + " " + path, string(text)}
}

func (a Answer) Want(status int) Answer {
	a.Helper()
	if a.StatusCode != status {
		a.Fatalf("%s: %d, want %d; leads to %q\n%s", a.what, a.StatusCode, status, a.Header.Get("Location"), page.Clip(a.Body, 2000))
	}
	return a
}

func (a Answer) Leads(to string) Answer {
	a.Helper()
	if got := a.Want(303).Header.Get("Location"); got != to {
		a.Fatalf("%s leads to %q, want %q", a.what, got, to)
	}
	return a
}

func (a Answer) Has(texts ...string) Answer {
	a.Helper()
	for _, s := range texts {
		if !strings.Contains(a.Body, s) {
			a.Fatalf("%s lacks %q\n%s", a.what, s, page.Clip(a.Body, 6000))
		}
	}
	return a
}

func (a Answer) Lacks(texts ...string) Answer {
	a.Helper()
	for _, s := range texts {
		if at := strings.Index(a.Body, s); at >= 0 {
			a.Fatalf("%s holds %q: …%s…", a.what, s, a.Body[max(0, at-200):min(len(a.Body), at+200)])
		}
	}
	return a
}

// Stream reads the events of an event stream until enough says so.
func (b *Browser) Stream(path string, enough func(event, data string) bool) {
	b.H.Helper()
	ctx, cancel := context.WithTimeout(b.H.Context(), time.Minute)
	defer cancel()
	res, err := http.DefaultTransport.RoundTrip(b.request("GET", path, "", "").WithContext(ctx))
	Must(b.H, err)
	defer res.Body.Close()
	if res.StatusCode != 200 {
		b.H.Fatalf("%s: %d", path, res.StatusCode)
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
	b.H.Fatalf("%s ended too early", path)
}

// Peek reads the first line of a stream, or all of a refusal.
func (b *Browser) Peek(path string) Answer {
	b.H.Helper()
	res, err := http.DefaultTransport.RoundTrip(b.request("GET", path, "", ""))
	Must(b.H, err)
	defer res.Body.Close()
	if res.StatusCode == 200 {
		line, err := bufio.NewReader(res.Body).ReadString('\n')
		Must(b.H, err)
		return Answer{b.H, res, "GET " + path, line}
	}
	text, err := io.ReadAll(res.Body)
	Must(b.H, err)
	return Answer{b.H, res, "GET " + path, string(text)}
}

// PeekOn reads a stream line by line until enough says so.
func (b *Browser) PeekOn(path string, enough func(line string) bool) {
	ctx, cancel := context.WithTimeout(b.H.Context(), time.Minute)
	defer cancel()
	res, err := http.DefaultTransport.RoundTrip(b.request("GET", path, "", "").WithContext(ctx))
	if err != nil {
		b.H.Error(err)
		return
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if enough(lines.Text()) {
			return
		}
	}
}

// Read reads a stream to its end, line by line.
func (b *Browser) Read(path string, tell func(line string)) {
	res, err := http.DefaultTransport.RoundTrip(b.request("GET", path, "", ""))
	if err != nil {
		b.H.Error(err)
		return
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		tell(lines.Text())
	}
}

// Address is scheme and host of the server.
func (b *Browser) Address() string { return b.H.url }
