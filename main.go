// Carillon rings iPhones for AI voice agents. Everything is in package app; start at its doc.go.
package main

import (
	"context"
	_ "embed"
	"os"
	"os/signal"
	"syscall"

	_ "time/tzdata" // a container without a zone database still knows its tenants' time zones

	"carillon/app"
)

//go:embed CHANGELOG.md
var changelog string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // from then on a second signal ends the process at once
	os.Exit(app.Run(app.WithChangelog(ctx, changelog), os.Args[1:], os.Stdout, os.Stderr))
}
