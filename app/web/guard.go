package web

import (
	"bytes"
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

// queryNames are parameter names that programs use for a key in a URL. URLs end up in logs,
// histories and referrers.
var queryNames = []string{
	"api_key", "apikey", "api-key", "key", "token", "access_token", "auth", "authorization", "credential", "secret",
}

// oneReading refuses a request that a proxy in front could read differently, and closes the
// connection: the bytes behind it could be a second request that the proxy never saw (RFC 9112,
// 5.2, 6.1, 6.3 and 11.2). The server itself refuses most of these before this guard runs.
func oneReading(c *fiber.Ctx) error {
	err := cmp.Or(exactHead(c.Request().Header.RawHeaders()), oneHost(c), noTrailers(c))
	if err != nil {
		closeUnread(c)
	}
	return err
}

// exactHead checks the header lines as they were sent.
func exactHead(raw []byte) error {
	lengths, codings := 0, 0
	for line := range bytes.Lines(raw) {
		text, whole := bytes.CutSuffix(line, []byte("\r\n"))
		name, value, _ := bytes.Cut(text, []byte(":"))
		switch {
		case !whole:
			return refuseHead("line_ends", "A header line does not end with CR LF.")
		case len(text) > 0 && (text[0] == ' ' || text[0] == '\t'):
			return refuseHead("folded_header", "A header is folded over several lines. Send each header on one line.")
		case bytes.ContainsAny(name, " \t"):
			return refuseHead("header_name", "The name of a header contains a blank.")
		case bytes.EqualFold(name, []byte(fiber.HeaderContentLength)):
			lengths++
		case bytes.EqualFold(name, []byte(fiber.HeaderTransferEncoding)):
			if codings++; !bytes.EqualFold(bytes.TrimSpace(value), []byte("chunked")) {
				return refuseHead("transfer_encoding", "The only Transfer-Encoding that this server reads is chunked.")
			}
		}
	}
	if lengths+codings > 1 {
		return refuseHead("two_lengths", "The request gives its length twice. Send one Content-Length, or chunks without one.")
	}
	return nil
}

// oneHost refuses a host that is not a name or address with an optional port, and a target that
// names another host than the header.
func oneHost(c *fiber.Ctx) error {
	host := c.Request().Header.Host()
	if bytes.ContainsAny(host, "@,/?#\\ \t") {
		return refuseHead("host", "The Host header is not a host name with an optional port.")
	}
	target := c.Request().Header.RequestURI()
	if len(target) > 0 && target[0] != '/' && target[0] != '*' && !bytes.EqualFold(c.Request().URI().Host(), host) {
		return refuseHead("two_hosts", "The request names two hosts: one in its first line and another in its Host header.")
	}
	return nil
}

func refuseHead(code, text string) error { return tenants.Refuse(tenants.Invalid, code, "%s", text) }

// noKeyInQuery refuses a request whose query contains one of our secrets. Under /v1 and /mcp it
// also refuses parameters that are named like a secret.
func noKeyInQuery(c *fiber.Ctx) error {
	if query := c.Request().URI().QueryString(); len(query) == 0 || !keyIn(string(query), isAPI(c)) {
		return nil
	}
	return tenants.Refuse(tenants.Invalid, "key_in_query",
		"A key must not be part of a URL, because logs keep URLs. Send it as Authorization: Bearer, and revoke this key if it was real.")
}

// encodingLayers is how many layers of percent-encoding are removed: some programs encode twice.
const encodingLayers = 3

// keyIn reports whether a query contains a key, as it is or after decoding.
func keyIn(query string, api bool) bool {
	for range encodingLayers {
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

// secretIn reports whether text contains one of our secrets. Under /v1 the prefix is enough,
// because a key with a typo is still most of a key.
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

// keyNamed reports whether a parameter has one of the queryNames, ignoring spaces and control
// characters around it.
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

// unescaped removes one layer of percent-encoding and keeps everything else.
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

// CrossSite refuses every request that changes something and that, by Sec-Fetch-Site or Origin, was
// sent from another site's page. origins are ours too, such as the public address when a proxy
// rewrites Host. Requests without these headers pass: they do not come from a browser, so they
// carry no cookie that another site could misuse.
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
