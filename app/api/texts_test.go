package api

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

// TestTextsOfPeople: a signed STOP is kept and HELP is answered; a wrong signature changes nothing.
func TestTextsOfPeople(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	token := "the-token"
	c := tenants.Connection{ID: tenants.NewID[tenants.ConnectionID](time.Now()), Name: "Texts", Role: tenants.RoleSMS, Token: &token,
		CreatedAt: time.Now(), SMS: &tenants.SMSSettings{AccountSID: "AC" + strings.Repeat("0", 32), From: "+4930123456",
			Help: "Call <us>."}}.Clean()
	must(t, c.Check())
	_, err := a.scope().Connections().Add(t.Context(), c)
	must(t, err)
	path := "/v1/sms/" + string(c.ID)
	send := func(text, token string) answer {
		form := url.Values{"Body": {text}, "From": {"+4915112345678"}}
		mac := hmac.New(sha1.New, []byte(token))
		mac.Write([]byte("https://carillon.example" + path + "Body" + text + "From+4915112345678"))
		return h.do(ask{method: "POST", path: path, kind: "application/x-www-form-urlencoded", body: form.Encode(),
			header: []string{"X-Twilio-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil))}})
	}
	stopped := func(want bool) {
		t.Helper()
		got, err := a.scope().Texts().Stopped(t.Context(), "+4915112345678")
		must(t, err)
		if got != want {
			t.Errorf("stopped: %v", got)
		}
	}
	send("STOP", "another-token").want(401)
	stopped(false)
	if got := send("STOP", token).want(200); !strings.HasSuffix(got.body, "<Response></Response>") {
		t.Errorf("STOP: %s", got.body)
	}
	stopped(true)
	if got := send("HELP", token).want(200); !strings.Contains(got.body, "<Message>Call &lt;us&gt;.</Message>") {
		t.Errorf("HELP: %s", got.body)
	}
	send("START", token).want(200)
	stopped(false)
	// STOP comes only once: it is taken while the tenant is suspended. YES does not undo it.
	tn, err := a.scope().Tenant(t.Context())
	must(t, err)
	tn.State = tenants.TenantSuspended
	must(t, a.scope().SetTenant(t.Context(), tn))
	send("Revoke", token).want(200)
	stopped(true)
	send("YES", token).want(200)
	stopped(true)
}
