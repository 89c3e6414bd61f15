package gateway_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"carillon/gateway"
	"carillon/gateway/phonetest"
)

// One call of a simulated phone, to an agent that hangs up after the first packet of the phone.
func ExampleNew() {
	g, err := gateway.New(gateway.Config{UDPAddr: "127.0.0.1:0", Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	defer g.Close()
	agent := agentFunc(func(ctx context.Context, l gateway.Line) error {
		_, err := l.Hear(ctx)
		return err
	})
	events := make(chan gateway.Event, 2)

	phone, err := phonetest.New(phonetest.Config{})
	if err != nil {
		panic(err)
	}
	call, err := phone.Call(context.Background(), func(ctx context.Context, offer string) (string, error) {
		answer, err := g.Answer(ctx, gateway.Offer{
			Call: "ring", Leg: "phone", SDP: offer, Agent: agent, On: func(e gateway.Event) { events <- e },
		})
		return answer.SDP, err
	})
	if err != nil {
		panic(err)
	}
	defer call.HangUp()

	fmt.Println((<-events).Kind)
	fmt.Println((<-events).Reason.Sentence())
	// Output:
	// connected
	// The agent said what it had to say and hung up.
}
