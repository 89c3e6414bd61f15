package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"carillon/app/api/client"
)

// The guides of the documentation show the bodies of these functions. They need a server, so they
// are compiled and not run.

func ExampleRings_Place() {
	ctx := context.Background()
	carillon, err := client.New(os.Getenv("CARILLON_URL"), os.Getenv("CARILLON_API_KEY"))
	if err != nil {
		log.Fatal(err)
	}
	ring, err := carillon.Rings.Place(ctx, client.RingRequest{
		To: client.To{Person: new("agent-jonas")}, Caller: new("Viewing assistant"),
	})
	var refused *client.Problem
	if errors.As(err, &refused) {
		log.Fatal(refused.Code(), ": ", refused.Detail)
	}
	if err != nil {
		log.Fatal(err)
	}
	for fact, err := range carillon.Rings.Follow(ctx, ring.ID) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(fact.At, fact.Kind)
	}
}
