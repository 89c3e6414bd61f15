package pagetest

import (
	"context"

	"carillon/gateway"
)

// BarredVoice is a gateway that takes no offer.
type BarredVoice struct{}

func (BarredVoice) Check(string) error {
	return &gateway.Refused{Reason: gateway.BadOffer, Msg: "The offer is no session description."}
}
func (BarredVoice) Answer(context.Context, gateway.Offer) (gateway.Answer, error) {
	return gateway.Answer{}, BarredVoice{}.Check("")
}
func (BarredVoice) HangUp(string, gateway.EndReason) {}

// SilentAgent is an agent that says nothing.
type SilentAgent struct{}

func (SilentAgent) Converse(ctx context.Context, _ gateway.Line) error {
	<-ctx.Done()
	return ctx.Err()
}
