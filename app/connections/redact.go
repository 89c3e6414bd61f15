package connections

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strings"

	"carillon/tenants"
)

// shortestPart is the shortest text that is looked for, whole or at the end of a cut answer.
const shortestPart = 4

// redacted is an answer without the secrets that we sent, which a receiver may repeat: header
// values, also without their scheme (Bearer, Basic), and the token. The rest is kept.
func redacted(c tenants.Connection, s Secrets, answer string) string {
	secrets := []string{string(s.Token)}
	if s.Token != "" && c.SMS != nil {
		secrets = append(secrets, base64.StdEncoding.EncodeToString([]byte(c.SMS.AccountSID+":"+string(s.Token))))
	}
	for _, value := range s.Headers {
		_, bare, _ := strings.Cut(value, " ")
		secrets = append(secrets, value, bare)
	}
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // a part would spoil the whole
	cut := len(answer) >= keptAnswer
	for _, secret := range secrets {
		if len(secret) < shortestPart { // in any text, and no secret
			continue
		}
		answer = strings.ReplaceAll(answer, secret, hidden)
		for n := len(secret) - 1; cut && n >= shortestPart; n-- {
			if before, ok := strings.CutSuffix(answer, secret[:n]); ok {
				answer = before + hidden
				break
			}
		}
	}
	return answer
}
