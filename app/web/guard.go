package web

import (
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

// queryNames are the names under which programs put a key into an address. Addresses end up in logs, histories and referrers.
var queryNames = []string{"api_key", "apikey", "api-key", "key", "token", "access_token", "auth", "authorization", "credential", "secret"}

// noKeyInQuery refuses a request whose query holds one of our secrets, anywhere, or that names one, under /v1.
func noKeyInQuery(c *fiber.Ctx) error {
	args := c.Request().URI().QueryArgs()
	if args.Len() == 0 {
		return nil
	}
	api, found := isAPI(c), false
	args.VisitAll(func(k, v []byte) {
		found = found || tenants.WellFormed(string(v)) || tenants.WellFormed(string(k))
		for _, name := range queryNames {
			found = found || api && strings.EqualFold(name, string(k))
		}
	})
	if found {
		return tenants.Refuse(tenants.Invalid, "key_in_query",
			"A key must not stand in an address, where logs keep it. Send it as Authorization: Bearer, and revoke this one if it was real.")
	}
	return nil
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
