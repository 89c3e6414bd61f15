package connections

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" // what X-Twilio-Signature is made with
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"carillon/app/outbound"
	"carillon/tenants"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 10

// refusal is what an error code of a Messages API means for us.
type textRefusal struct {
	sentence string // cause and cure
	number   bool   // it is about the person's number: another try changes nothing
	stopped  bool   // the person has opted out at the provider
}

// textRefusals are error codes of https://www.twilio.com/docs/api/errors.
var textRefusals = map[int]textRefusal{
	20003: {sentence: "The provider refuses the account SID or the auth token. Copy both again from the provider's page."},
	20404: {sentence: "The provider knows no such account. Check the account SID and the address."},
	20429: {sentence: "The provider takes no more requests at the moment. It is tried again."},
	21211: {sentence: "The provider says that the person's number is no valid number. Correct the phone number of their device.",
		number: true},
	21214: {sentence: "The provider cannot reach the person's number. Check the phone number of their device.", number: true},
	21408: {sentence: "The account may not text this country. Allow it under the provider's geographic permissions.", number: true},
	21606: {sentence: "The sender cannot send texts, or belongs to another account. Give a sender of this account that can."},
	21610: {sentence: "The person has answered STOP to this sender. They get texts again when they send START.", number: true,
		stopped: true},
	21612: {sentence: "The provider has no way from this sender to the person's number. Give a sender that reaches their country.",
		number: true},
	21614: {sentence: "The person's number is no mobile number. Give the number of their mobile phone.", number: true},
	21617: {sentence: "The text is too long for the provider. Make the template shorter.", number: true},
	21703: {sentence: "The messaging service has no sender. Add one to it on the provider's page."},
	21705: {sentence: "The provider knows no such messaging service. Check messaging_service_sid."},
	30003: {sentence: "The person's phone cannot be reached. It may be off.", number: true},
	30005: {sentence: "The person's number does not exist. Correct the phone number of their device.", number: true},
	30006: {sentence: "The person's number is a landline, which gets no texts. Give the number of their mobile phone.", number: true},
	30007: {sentence: "The carrier filtered the text as spam. Make the template plainer and register the sender with the provider.",
		number: true},
	30034: {sentence: "The sender is not registered for texts to the US. Register it with the provider (A2P 10DLC)."},
}

// sentText is what a Messages API said about a text.
type sentText struct {
	Answer
	SID     string // of the message; empty = it was not taken
	Unknown bool   // whether it was taken is not known: the connection broke, or the server failed
	Refusal textRefusal
}

// sendText asks a Messages API for one text (POST …/Accounts/{sid}/Messages.json). An error is a
// text that was certainly not sent, unless Unknown is set.
func sendText(ctx context.Context, client *http.Client, c tenants.Connection, token, to, text string) (sentText, error) {
	form := url.Values{"To": {to}, "Body": {text}}
	if c.SMS.Service != "" {
		form.Set("MessagingServiceSid", c.SMS.Service)
	} else {
		form.Set("From", c.SMS.From)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, accountAddress(c)+"/Messages.json", strings.NewReader(form.Encode()))
	if err != nil {
		return sentText{}, err
	}
	req.SetBasicAuth(c.SMS.AccountSID, token)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	var written atomic.Bool
	req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { written.Store(true) }, // from here on the server may act
	}))
	res, err := client.Do(req)
	if err != nil {
		return sentText{Unknown: written.Load() && !errors.Is(err, outbound.ErrRedirect)}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	s := sentText{Answer: Answer{Status: res.StatusCode, Body: body[:min(len(body), 1<<10)]}}
	if err != nil {
		s.Unknown = res.StatusCode < 300 || res.StatusCode >= 500
		return s, err
	}
	return s, s.read(body)
}

func accountAddress(c tenants.Connection) string {
	return strings.TrimRight(c.URL, "/") + "/2010-04-01/Accounts/" + c.SMS.AccountSID
}

func (s *sentText) read(body []byte) error {
	var said struct {
		SID       string `json:"sid"`
		Code      int    `json:"code"`       // of an error
		ErrorCode *int   `json:"error_code"` // of a message that failed at once
	}
	readable := json.Unmarshal(body, &said) == nil
	if said.ErrorCode != nil {
		said.Code = *said.ErrorCode
	}
	switch {
	case s.Status >= 200 && s.Status < 300 && readable && said.SID != "" && said.Code == 0:
		s.SID = said.SID
		return nil
	case s.Status >= 200 && s.Status < 300 && said.Code == 0:
		s.Unknown = true
		return errors.New("the server took the text and answered with something else than a message; check that the address is that of a " +
			"Messages API")
	case s.Status >= 500 && s.Status != http.StatusServiceUnavailable:
		s.Unknown = true
	}
	known, ok := textRefusals[said.Code]
	switch {
	case ok:
		s.Refusal = known
	case s.Status == http.StatusUnauthorized:
		s.Refusal = textRefusals[20003]
	case s.Status == http.StatusTooManyRequests:
		s.Refusal = textRefusals[20429]
	default:
		s.Refusal.sentence = fmt.Sprintf("The provider answered with status %d and code %d. Look the code up on its page of errors.",
			s.Status, said.Code)
	}
	return errors.New(s.Refusal.sentence)
}

// SignedByTwilio reports whether a webhook's signature is that of its address and form under the
// auth token: HMAC-SHA1 over the address and then each name and value, sorted by name
// (https://www.twilio.com/docs/usage/security).
func SignedByTwilio(token, address string, form url.Values, signature string) bool {
	given, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || token == "" {
		return false
	}
	mac := hmac.New(sha1.New, []byte(token))
	_, _ = io.WriteString(mac, address)
	names := make([]string, 0, len(form))
	for n := range form {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		values := slices.Clone(form[n])
		slices.Sort(values)
		for _, v := range slices.Compact(values) {
			_, _ = io.WriteString(mac, n+v)
		}
	}
	return hmac.Equal(given, mac.Sum(nil))
}

// TextWord is what a text from a person asks for.
type TextWord string

// What a text asks for. The words are Twilio's own (Twilio support for opt-out keywords), with
// REVOKE and OPTOUT and without YES: people answer that to other questions, and it must not undo a
// STOP.
const (
	TextStop  TextWord = "stop"
	TextStart TextWord = "start"
	TextHelp  TextWord = "help"
)

var textWords = map[string]TextWord{
	"STOP": TextStop, "STOPALL": TextStop, "UNSUBSCRIBE": TextStop, "CANCEL": TextStop, "END": TextStop, "QUIT": TextStop,
	"REVOKE": TextStop, "OPTOUT": TextStop, "START": TextStart, "UNSTOP": TextStart, "HELP": TextHelp, "INFO": TextHelp,
}

// WordOf finds the word in a text: the whole text must be it, but for case, spaces and a mark at
// the end. "" is a text that is something else.
func WordOf(text string) TextWord {
	return textWords[strings.ToUpper(strings.Trim(text, " \t\r\n.!\"'"))]
}
