package connections

import (
	"strings"
	"testing"

	"carillon/tenants"
)

// TestAnswersKeepNoSecrets: what a receiver repeats of our secrets is not stored.
func TestAnswersKeepNoSecrets(t *testing.T) {
	t.Parallel()
	c := tenants.Connection{SMS: &tenants.SMSSettings{AccountSID: "AC1"}}
	s := Secrets{Headers: map[string]string{"Authorization": "Bearer header-canary"}, Token: "token-canary"}
	for answer, want := range map[string]string{
		"plain":                                        "plain",
		"got Bearer header-canary.":                    "got ***.",
		"got header-canary":                            "got ***",
		"token-canary and token-canary":                "*** and ***",
		"QUMxOnRva2VuLWNhbmFyeQ==":                     "***",
		strings.Repeat("a", keptAnswer-8) + "token-ca": strings.Repeat("a", keptAnswer-8) + "***",
	} {
		if got := redacted(c, s, answer); got != want {
			t.Errorf("%q became %q", answer, got)
		}
	}
}
