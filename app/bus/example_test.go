package bus_test

import (
	"context"
	"fmt"

	"carillon/app/bus"
)

// A hint only says which ring changed. The listener then reads the facts from the store.
func ExampleLocal() {
	b := bus.New()
	defer b.Close()
	l := b.Listen("tenant", "")
	defer l.Close()
	b.Tell("tenant", "ring-1")
	b.Tell("tenant", "ring-1") // merged with the first
	rings, err := l.Next(context.Background())
	fmt.Println(rings, err)
	// Output: [ring-1] <nil>
}
