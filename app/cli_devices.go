package app

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// devicesCmd keeps the phones of a tenant.
type devicesCmd struct {
	List   devicesList   `cmd:"" help:"Devices, newest first."`
	Show   devicesShow   `cmd:"" help:"One device."`
	Add    devicesAdd    `cmd:"" help:"Register a device by its push token."`
	Change devicesChange `cmd:"" help:"Change what a device is called and whose it is."`
	Remove devicesRemove `cmd:"" help:"Remove a device. What rings on it ends."`
}

type devicesList struct {
	asking
	paging
	Person string `help:"Only devices of this person."`
	Bundle string `help:"Only devices of this app: its bundle id."`
	State  string `help:"Only devices in this state." enum:",active,disabled" default:""`
	Tag    string `help:"Only devices with this tag."`
	Search string `help:"Part of a name, a person or a model." short:"s"`
}

func (d *devicesList) Run(ctx context.Context, c terminal) error {
	q := query("person", d.Person, "bundle_id", d.Bundle, "state", d.State, "tag", d.Tag, "q", d.Search)
	return d.list(ctx, c, d.paging, "/v1/devices", q, "id", "state", "person", "name|model")
}

type devicesShow struct {
	asking
	one
}

func (d *devicesShow) Run(ctx context.Context, c terminal) error {
	return d.get(ctx, c, idPath("/v1/devices/%s", d.ID), nil)
}

// deviceFields are what a device may be given.
type deviceFields struct {
	Environment *string `help:"auto, sandbox or production."`
	Person      *string `help:"Whose it is: your name of a person."`
	Name        *string `help:"What people call it."`
	Model       *string `help:"Such as iPhone17,3."`
	OSVersion   *string `name:"os-version" help:"Such as 26.4."`
	AppVersion  *string `name:"app-version" help:"Such as 4.1."`
	TimeZone    *string `name:"time-zone" help:"Such as Europe/Berlin."`
}

func (d *deviceFields) body() map[string]any {
	return fields("environment", d.Environment, "person", d.Person, "name", d.Name, "model", d.Model, "os_version", d.OSVersion,
		"app_version", d.AppVersion, "time_zone", d.TimeZone)
}

type devicesAdd struct {
	asking
	Token  string `required:"" help:"The VoIP push token, in hex."`
	Bundle string `required:"" help:"Bundle id of the app."`
	deviceFields
}

func (d *devicesAdd) Run(ctx context.Context, c terminal) error {
	body := d.body()
	body["token"], body["bundle_id"] = d.Token, d.Bundle
	return d.ask(ctx, c, http.MethodPost, "/v1/devices", nil, body)
}

type devicesChange struct {
	asking
	one
	deviceFields
	Tags *string `help:"All its tags, with commas between them. Empty removes them."`
}

func (d *devicesChange) Run(ctx context.Context, c terminal) error {
	body := d.body()
	if d.Tags != nil {
		tags := strings.Split(*d.Tags, ",")
		for i := range tags {
			tags[i] = strings.TrimSpace(tags[i])
		}
		body["tags"] = slices.DeleteFunc(tags, func(tag string) bool { return tag == "" })
	}
	return d.ask(ctx, c, http.MethodPatch, idPath("/v1/devices/%s", d.ID), nil, body)
}

type devicesRemove struct {
	asking
	one
}

func (d *devicesRemove) Run(ctx context.Context, c terminal) error {
	return d.ask(ctx, c, http.MethodDelete, idPath("/v1/devices/%s", d.ID), nil, nil)
}

// pairingsCmd makes codes with which phones register.
type pairingsCmd struct {
	Add pairingsAdd `cmd:"" help:"Make a code for one phone. It works once, for ten minutes."`
}

type pairingsAdd struct {
	asking
	Person *string `help:"The person who uses the phone."`
}

func (p *pairingsAdd) Run(ctx context.Context, c terminal) error {
	return p.ask(ctx, c, http.MethodPost, "/v1/pairings", nil, fields("person", p.Person))
}
