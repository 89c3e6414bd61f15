package web

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

// queryNames are the names under which programs put a key into an address. Addresses end up in logs, histories and referrers.
var queryNames = []string{"api_key", "apikey", "api-key", "key", "token", "access_token", "auth", "authorization", "credential", "secret"}

// oneLength refuses a request whose body ends in two places, which a proxy in front may read another way (RFC 9112, 6.3); nothing more
// is read from its connection.
func oneLength(c *fiber.Ctx) error {
	lengths, packed := 0, false
	for line := range bytes.SplitSeq(c.Request().Header.RawHeaders(), []byte("\n")) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte(fiber.HeaderContentLength)):
			lengths++
		case bytes.EqualFold(name, []byte(fiber.HeaderTransferEncoding)):
			packed = true
		}
	}
	if lengths > 1 || lengths > 0 && packed {
		c.Context().SetConnectionClose()
		return tenants.Refuse(tenants.Invalid, "two_lengths", "The request says twice how long it is. Send one Content-Length, or chunks without one.")
	}
	return nil
}

// noKeyInQuery refuses a request whose query holds one of our secrets, anywhere, or that names one, under /v1.
func noKeyInQuery(c *fiber.Ctx) error {
	if query := c.Request().URI().QueryString(); len(query) == 0 || !keyIn(string(query), isAPI(c)) {
		return nil
	}
	return tenants.Refuse(tenants.Invalid, "key_in_query",
		"A key must not stand in an address, where logs keep it. Send it as Authorization: Bearer, and revoke this one if it was real.")
}

// wraps is how many layers of percent-encoding are looked under: programs that encode twice are seen.
const wraps = 3

// keyIn looks for a key in a query, as it is and as it reads decoded.
func keyIn(query string, api bool) bool {
	for range wraps {
		if secretIn(query, api) || api && keyNamed(query) {
			return true
		}
		plain := unescaped(query)
		if plain == query {
			return false
		}
		query = plain
	}
	return secretIn(query, api) || api && keyNamed(query)
}

// secretIn finds one of our secrets in the middle of anything. Under /v1, where nothing of the kind has a place, its beginning is
// enough: a key with a typo is still most of a key.
func secretIn(text string, api bool) bool {
	for {
		at := strings.Index(text, "crl_")
		if at < 0 {
			return false
		}
		text = text[at:]
		word := text
		if end := strings.IndexFunc(text, func(r rune) bool {
			return r != '_' && !('0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z')
		}); end >= 0 {
			word = text[:end]
		}
		if tenants.WellFormed(word) {
			return true
		}
		for _, p := range []string{tenants.LivePrefix, tenants.TestPrefix, tenants.DevicePrefix} {
			if api && strings.HasPrefix(word, p) {
				return true
			}
		}
		text = text[len("crl_"):]
	}
}

// keyNamed finds a parameter with one of the queryNames, whatever stands around it.
func keyNamed(query string) bool {
	for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, _, _ := strings.Cut(pair, "=")
		name = strings.TrimFunc(name, func(r rune) bool { return r <= ' ' || r == '+' || r == 0x7f })
		for _, n := range queryNames {
			if strings.EqualFold(n, name) {
				return true
			}
		}
	}
	return false
}

// unescaped takes one layer of percent-encoding off; what is no encoding stays.
func unescaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// CrossSite refuses what another site makes a browser send: every request that changes something and that the browser says, by
// Sec-Fetch-Site or Origin, does not come from one of our own pages. origins are ours too, such as the public address when a
// proxy rewrites Host. Requests that no browser sent pass: they carry no cookie that somebody else could ride on.
func CrossSite(origins ...string) (fiber.Handler, error) {
	p := http.NewCrossOriginProtection()
	for _, o := range origins {
		if err := p.AddTrustedOrigin(o); err != nil {
			return nil, err
		}
	}
	return func(c *fiber.Ctx) error {
		r := &http.Request{Method: c.Method(), Host: string(c.Request().Host()), Header: http.Header{}}
		for _, name := range []string{"Sec-Fetch-Site", fiber.HeaderOrigin} {
			if v := Header(c, name); v != "" {
				r.Header.Set(name, v)
			}
		}
		if err := p.Check(r); err != nil {
			return &tenants.Error{Kind: tenants.Forbidden, Code: "cross_site", Err: err,
				Msg: "This form was sent from another site, so nothing was done. Open the page here and try again."}
		}
		return c.Next()
	}, nil
}
