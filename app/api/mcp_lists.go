package api

import (
	"context"
	"encoding/json"

	"carillon/tenants"
	"carillon/tenants/store"
)

// pageOf reads the limit of a list.
func pageOf(limit *int, search, after string) (int, error) {
	n := defaultLimit
	if limit != nil {
		n = *limit
	}
	var faults []tenants.Field
	if n < 1 || n > maxLimit {
		faults = append(faults, tenants.Field{Name: "limit", Message: "1 to 200"})
	}
	if !tenants.ValidText(search, 0, 100) {
		faults = append(faults, tenants.Field{Name: "q", Message: "at most 100 characters, no control characters"})
	}
	if !tenants.ValidText(after, 0, 200) {
		faults = append(faults, tenants.Field{Name: "after", Message: "the next of the page before"})
	}
	return n, invalid(faults, correctArguments)
}

// shortList is a page of a list as a model sees it.
type shortList[T any] struct {
	Data []T    `json:"data"`
	Next string `json:"next,omitempty"`
}

func shortListOf[R, T any](rows []R, next string, show func(R) T) shortList[T] {
	return shortList[T]{listOf(rows, next, show).Data, next}
}

// personResult is a person who can be rung.
type personResult struct {
	Person  string `json:"person"`
	Devices int    `json:"devices"`
	Active  int    `json:"active_devices"`
	SeenAt  string `json:"last_seen_at,omitempty"`
}

func (m *mcpServer) listPeople(ctx context.Context, c *conversation, raw json.RawMessage) (any, error) {
	var in struct {
		Search string `json:"q"`
		Limit  *int   `json:"limit"`
		After  string `json:"after"`
	}
	if err := arguments(raw, &in); err != nil {
		return nil, err
	}
	limit, err := pageOf(in.Limit, in.Search, in.After)
	if err != nil {
		return nil, err
	}
	people, next, err := c.scope.Devices().People(ctx, store.PersonQuery{Search: in.Search, After: in.After, Limit: limit})
	if err != nil {
		return nil, err
	}
	return shortListOf(people, next, func(p store.Person) personResult {
		return personResult{p.Name, p.Devices, p.Active, known(p.SeenAt)}
	}), nil
}

// deviceResult is a device as a model sees it.
type deviceResult struct {
	Device         string `json:"device"`
	Person         string `json:"person,omitempty"`
	Name           string `json:"name,omitempty"`
	Model          string `json:"model,omitempty"`
	Platform       string `json:"platform"`
	State          string `json:"state"`
	DisabledReason string `json:"disabled_reason,omitempty"`
	SeenAt         string `json:"last_seen_at,omitempty"`
}

func (m *mcpServer) listDevices(ctx context.Context, c *conversation, raw json.RawMessage) (any, error) {
	var in struct {
		Person string `json:"person"`
		Search string `json:"q"`
		Limit  *int   `json:"limit"`
		After  string `json:"after"`
	}
	if err := arguments(raw, &in); err != nil {
		return nil, err
	}
	limit, err := pageOf(in.Limit, in.Search, in.After)
	if err != nil {
		return nil, err
	}
	if in.Person != "" && !tenants.ValidReference(in.Person) {
		return nil, wrong("person", "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'")
	}
	rows, next, err := c.scope.Devices().List(ctx, store.DeviceQuery{Person: in.Person, Search: in.Search, After: in.After, Limit: limit})
	if err != nil {
		return nil, err
	}
	return shortListOf(rows, next, func(d tenants.Device) deviceResult {
		return deviceResult{string(d.ID), d.Person, d.Name, d.Model, string(d.Platform), string(d.State), d.DisabledReason, known(d.SeenAt)}
	}), nil
}
