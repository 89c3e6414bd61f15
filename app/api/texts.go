package api

import (
	"bytes"
	"context"
	"encoding/xml"
	"net/url"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/connections"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
)

const manyForged = "Too many texts with a wrong signature came from this network. Wait a moment and try again."

// The rates of texts with a wrong signature.
var (
	networkForged = tenants.Rate{Of: "network", Every: time.Second, Burst: 60, Says: manyForged}
	widerForged   = tenants.Rate{Of: "network", Every: 500 * time.Millisecond, Burst: 120, Says: manyForged}
	allForged     = tenants.Rate{Of: "all", Every: 20 * time.Millisecond, Burst: 1000, Shared: true, Says: manyForged}
)

// takeText: POST /v1/sms/{connection}, a text from a person to the sender of a connection of the
// role sms, as Twilio sends it. Without the provider's signature it is refused, with the same words
// for a connection that does not exist.
func (a *API) takeText(ctx context.Context, c *fiber.Ctx) error {
	rates := append(web.NetworkRates(web.IP(c), networkForged, widerForged), allForged)
	if err := a.forged.Admit(a.Now(), "too_many", rates...); err != nil {
		return err
	}
	scope, conn, form, err := a.signedText(ctx, c)
	if tenants.KindOf(err) != tenants.Unauthorized { // right, or the store failed
		a.forged.GiveBack(rates...)
	}
	if err != nil {
		return err
	}
	answer, err := connections.AnswerText(ctx, scope, conn, form.Get("From"), form.Get("Body"))
	if err != nil {
		return err
	}
	var body bytes.Buffer
	body.WriteString(xml.Header + "<Response>")
	if answer != "" {
		body.WriteString("<Message>")
		_ = xml.EscapeText(&body, []byte(answer)) // a buffer does not fail
		body.WriteString("</Message>")
	}
	body.WriteString("</Response>")
	c.Set(fiber.HeaderContentType, "text/xml; charset=utf-8")
	return c.Send(body.Bytes())
}

// signedText finds the connection and checks that its provider sent the form.
func (a *API) signedText(ctx context.Context, c *fiber.Ctx) (scope *store.Scope, conn tenants.Connection, form url.Values, err error) {
	refused := tenants.Refuse(tenants.Unauthorized, "",
		"The signature is not that of the connection's provider. Check the address of the webhook and the auth token of the connection.")
	id, ok := tenants.ParseID[tenants.ConnectionID](web.Param(c, "id"))
	if !ok {
		return nil, conn, nil, refused
	}
	t, err := a.Store.Jobs().TextConnection(ctx, id)
	if tenants.KindOf(err) == tenants.Unknown {
		return nil, conn, nil, refused
	}
	if err != nil {
		return nil, conn, nil, err
	}
	scope = a.Store.For(t).By(store.Who{Actor: tenants.System, IP: web.IP(c)})
	conn, secrets, err := scope.Connections().Open(ctx, id)
	if err != nil {
		return nil, conn, nil, err
	}
	form, err = url.ParseQuery(string(c.Body()))
	if err != nil || !connections.SignedByTwilio(string(secrets.Token), a.PublicURL+string(c.Request().URI().RequestURI()), form,
		web.Header(c, "X-Twilio-Signature")) {
		if a.warned.first(id) { // the usual cause is that the provider calls another address than the public one
			a.Log.Warn("a text with a wrong signature was refused, and a STOP would be too; check that the provider calls the server's "+
				"public URL, and the auth token", "tenant", t, "connection", id, "public_url", a.PublicURL)
		}
		return nil, conn, nil, refused
	}
	return scope, conn, form, nil
}

// maxWarned bounds the connections whose wrong signatures were logged.
const maxWarned = 1000

// warned are the connections whose wrong signatures were logged.
type warned struct {
	mu  sync.Mutex // guards ids
	ids map[tenants.ConnectionID]bool
}

// first reports whether a wrong signature of the connection is to be logged: once each.
func (w *warned) first(id tenants.ConnectionID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ids[id] || len(w.ids) >= maxWarned {
		return false
	}
	if w.ids == nil {
		w.ids = map[tenants.ConnectionID]bool{}
	}
	w.ids[id] = true
	return true
}
