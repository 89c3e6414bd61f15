package app

import (
	"context"
	"io"
	"net/http"

	"carillon/app/api/client"
)

// analyticsCmd counts rings.
type analyticsCmd struct {
	Funnel   analyticsFunnel   `cmd:"" help:"How many rings reach each step, and how fast."`
	Outcomes analyticsOutcomes `cmd:"" help:"Why phones showed no call, and how late pushes arrived."`
	Callkit  analyticsCallkit  `cmd:"" help:"Which phones and app versions no longer wake."`
}

// span is a time to look at.
type span struct {
	From string `help:"Start. Default: 24 hours before --to." placeholder:"2026-11-24T08:00:00Z"`
	To   string `help:"End. Default: now." placeholder:"2026-11-25T08:00:00Z"`
}

type analyticsFunnel struct {
	asking
	span
	By string `help:"One group for each value." enum:",hour,day,environment,app_version,os_version,agent,key" default:""`
}

func (a *analyticsFunnel) Run(ctx context.Context, c terminal) error {
	return a.get(ctx, c, "/v1/analytics/funnel", query("from", a.From, "to", a.To, "by", a.By))
}

type analyticsOutcomes struct {
	asking
	span
}

func (a *analyticsOutcomes) Run(ctx context.Context, c terminal) error {
	return a.get(ctx, c, "/v1/analytics/outcomes", query("from", a.From, "to", a.To))
}

type analyticsCallkit struct{ asking }

func (a *analyticsCallkit) Run(ctx context.Context, c terminal) error {
	return a.get(ctx, c, "/v1/analytics/callkit", nil)
}

// openapiCmd prints the description of the API. It needs no key.
type openapiCmd struct {
	URL string `help:"Address of the server." default:"http://127.0.0.1:8080" env:"CARILLON_PUBLIC_URL"`
}

// Validate refuses what is no address.
func (o *openapiCmd) Validate() error { return (&apiFlags{URL: o.URL}).Validate() }

func (o *openapiCmd) Run(ctx context.Context, c terminal) error {
	flags := apiFlags{URL: o.URL, Key: "none"}
	api, err := flags.open()
	if err != nil {
		return err
	}
	answer, err := api.Calls.Describe(ctx)
	if err != nil {
		return flags.cure(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return flags.cure(client.ProblemOf(answer))
	}
	_, err = io.Copy(c.out, answer.Body)
	return flags.cure(err)
}
