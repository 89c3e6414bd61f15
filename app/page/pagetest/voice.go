package pagetest

import (
	"context"

	"carillon/gateway"
)

// BarredVoice is a gateway that takes no offer.
type BarredVoice struct{}

func (BarredVoice) Check(string, []gateway.Codec) error {
	return &gateway.Refused{Reason: gateway.BadOffer, Msg: "The offer is no session description."}
}
func (BarredVoice) Answer(context.Context, gateway.Offer) (gateway.Answer, error) {
	return gateway.Answer{}, BarredVoice{}.Check("", nil)
}
func (BarredVoice) HangUp(string, gateway.EndReason) {}

// SilentAgent is an agent that says nothing.
type SilentAgent struct{}

// NewSilentAgent returns one.
func NewSilentAgent() gateway.Agent { return SilentAgent{} }

// Codecs returns the codec that every phone offers.
func (SilentAgent) Codecs() []gateway.Codec { return []gateway.Codec{gateway.Opus} }

// Converse waits until the call is over.
func (SilentAgent) Converse(ctx context.Context, _ gateway.Line) error {
	<-ctx.Done()
	return ctx.Err()
}
