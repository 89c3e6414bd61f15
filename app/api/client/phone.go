package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// Phone is what an app on a phone does, with its device credential.
type Phone struct {
	Calls *Calls
}

// NewPhone gives a client of the phone with this device credential.
func NewPhone(address, credential string, options ...Option) (*Phone, error) {
	if credential == "" {
		return nil, errors.New("the device credential is missing; register the device, or pair it")
	}
	calls, _, err := open(address, credential, options)
	if err != nil {
		return nil, err
	}
	return &Phone{Calls: calls}, nil
}

// Ring reads whether this phone should ring, and who calls.
func (p *Phone) Ring(ctx context.Context, id string) (PhoneRing, error) {
	return read[PhoneRing](p.Calls.ShowPhoneRing(ctx, id))
}

// Report reports what happened at the moment at. A repeated or late report changes nothing.
func (p *Phone) Report(ctx context.Context, id, kind string, at time.Time) error {
	return done(p.Calls.ReportFact(ctx, id, ReportFactJSONRequestBody{Kind: kind, At: at.UTC(), SentAt: new(time.Now().UTC())}))
}

// Answer sends the SDP offer of the phone and gives the answer.
func (p *Phone) Answer(ctx context.Context, id, offer string) (sdp string, err error) {
	a, err := p.Calls.AnswerRingWithBody(ctx, id, "application/sdp", strings.NewReader(offer))
	if err != nil {
		return "", err
	}
	defer a.Body.Close()
	if a.StatusCode != http.StatusCreated {
		return "", problem(a)
	}
	body, err := io.ReadAll(io.LimitReader(a.Body, 1<<20))
	if err != nil {
		return "", cutOff(a, err)
	}
	return string(body), nil
}

// HangUp ends the call.
func (p *Phone) HangUp(ctx context.Context, id string) error {
	return done(p.Calls.HangUp(ctx, id))
}
