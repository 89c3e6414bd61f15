package api

import (
	"strings"
	"testing"

	"carillon/app/agents/dialect"
	"carillon/tenants"
)

// FuzzTwilioRequest: ids and passwords of strangers are read without a panic, and an id that is
// read is the one that was written.
func FuzzTwilioRequest(f *testing.F) {
	account, call := dialect.TwilioIDs("01936f2a-7c1e-7b3a-9d55-2f1a8c6b4e90", "01936f2a-7c1e-7b3a-9d55-2f1a8c6b4e91")
	f.Add(account, "Basic YTpi")
	f.Add(call, "basic !!")
	f.Add("AC", "")
	f.Fuzz(func(t *testing.T, id, authorization string) {
		if got, ok := twilioID[tenants.TenantID](id, "AC"); ok {
			if again, _ := dialect.TwilioIDs(string(got), ""); !strings.EqualFold(again, id) {
				t.Errorf("%q became %q", id, again)
			}
		}
		if user, _ := basic(authorization); strings.Contains(user, ":") {
			t.Errorf("user %q", user)
		}
	})
}
