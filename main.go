// Carillon rings iPhones for AI voice agents. Everything is in package app; start at its doc.go.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	_ "time/tzdata" // a container without a zone database still knows its tenants' time zones

	"carillon/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // from then on a second signal ends the process at once
	os.Exit(app.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
