package client

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// tolerance is how far the clock of a webhook may be from ours.
const tolerance = 5 * time.Minute

// Verify checks that Carillon sent a webhook: that one of the signatures of its headers was made
// with secret (whsec_…) over body, the bytes as they came, and that it is not older than five
// minutes, as in Standard Webhooks (https://www.standardwebhooks.com). Remember the header
// webhook-id too: the same delivery may come twice.
func Verify(secret string, header http.Header, body []byte) error {
	return verify(secret, header, body, time.Now())
}

func verify(secret string, header http.Header, body []byte, now time.Time) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil || len(key) == 0 {
		return errors.New("the webhook secret is not whsec_ and base64; copy it again from the page of the connection")
	}
	id, sent, signatures := header.Get("webhook-id"), header.Get("webhook-timestamp"), header.Get("webhook-signature")
	if id == "" || sent == "" || signatures == "" {
		return errors.New("webhook-id, webhook-timestamp or webhook-signature is missing from the headers: this is no webhook of Carillon")
	}
	seconds, err := strconv.ParseInt(sent, 10, 64)
	if err != nil {
		return fmt.Errorf("webhook-timestamp is %q, not a number of seconds", sent)
	}
	if away := now.Sub(time.Unix(seconds, 0)).Abs(); away > tolerance {
		return fmt.Errorf("the webhook was signed %s from now; check this machine's clock", away.Round(time.Second))
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.", id, sent)
	mac.Write(body)
	want := mac.Sum(nil)
	for signature := range strings.FieldsSeq(signatures) {
		version, text, _ := strings.Cut(signature, ",")
		if got, err := base64.StdEncoding.DecodeString(text); err == nil && version == "v1" && hmac.Equal(got, want) {
			return nil
		}
	}
	return errors.New("no signature of the webhook was made with this secret over this body; pass the body as it came, before any parsing")
}
