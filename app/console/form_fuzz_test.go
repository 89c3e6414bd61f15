package console

import (
	"carillon/app/page"
	"carillon/app/page/pagetest"

	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// FuzzForms posts whatever it likes to every form of a tenant that has something of everything:
// nothing may be answered by a fault of ours, and no text may come back unescaped.
func FuzzForms(f *testing.F) {
	h := open(f)
	b := h.full("beta", "Beta")
	b.viewer()
	w := b.Quick(b.Owner)
	var posts []string
	for address, v := range visits {
		if method, _, _ := strings.Cut(address, " "); method == "POST" && address != "POST /signout" &&
			address != "POST /account/password" && address != "POST /signin" && v.file == nil {
			posts = append(posts, address)
		}
	}
	slices.Sort(posts)
	f.Add(uint8(0), "application/x-www-form-urlencoded", "name=%00&person=%ff&environment=moon")
	f.Add(uint8(7), "application/x-www-form-urlencoded",
		"name="+url.QueryEscape(pagetest.Canary)+"&ttl_s=-1&time_zone=../../etc/passwd&agent=x")
	f.Add(uint8(3), "multipart/form-data; boundary=x",
		"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../../a.p8\"\r\n\r\nx\r\n--x--")
	f.Add(uint8(9), "application/json", `{"name":"x"}`)
	f.Add(uint8(5), "application/x-www-form-urlencoded", strings.Repeat("scope=rings:write&", 300))
	f.Add(uint8(1), "application/x-www-form-urlencoded",
		"email=a%0d%0ab@c.example&role=owner&kind=builtin&default=1&id=others&device=%20&confirm=")
	f.Fuzz(func(t *testing.T, which uint8, kind, body string) {
		if strings.ContainsAny(kind, "\r\n\x00") || len(body) > 60<<10 {
			return // a line break would end the header; a long body is refused before any form is read
		}
		_, pattern, _ := strings.Cut(posts[int(which)%len(posts)], " ")
		path := pattern
		if v := visits["POST "+pattern]; v.path != nil {
			path = v.path(b)
		}
		req := httptest.NewRequest("POST", path, strings.NewReader(body))
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		req.Header.Set("Cookie", h.k.CookieName()+"="+w.Cookies[h.k.CookieName()])
		res, err := h.App.Test(req, -1)
		pagetest.Must(t, err)
		defer res.Body.Close()
		if res.StatusCode >= 500 {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	})
}

// FuzzOwnPath: whatever is accepted stays on this server, as browsers read it.
func FuzzOwnPath(f *testing.F) {
	for _, s := range []string{"/rings", "//x", `/\x`, "/%2f/x", "/a?b=//c", "/\t/x", "/./", "/..//x"} {
		f.Add(s)
	}
	base, err := url.Parse("https://ring.example/signin")
	pagetest.Must(f, err)
	f.Fuzz(func(t *testing.T, s string) {
		p := page.OwnPath(s)
		if p == "" {
			return
		}
		u, err := base.Parse(p)
		if err != nil || u.Host != "ring.example" || u.Scheme != "https" || strings.HasPrefix(p, "//") ||
			strings.ContainsAny(p, "\\\r\n\t") {
			t.Errorf("%q leads to %v", s, u)
		}
	})
}
