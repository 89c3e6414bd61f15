package app

import (
	"context"
	"net/http"
	"os"
	"path/filepath"

	"carillon/app/api/client"
)

// credentialsCmd keeps the Apple keys and certificates of a tenant.
type credentialsCmd struct {
	List     credentialsList     `cmd:"" help:"Credentials, newest first."`
	Show     credentialsShow     `cmd:"" help:"One credential. Its secret is never shown."`
	Add      credentialsAdd      `cmd:"" help:"Upload a .p8 key or a .p12 certificate."`
	Change   credentialsChange   `cmd:"" help:"Change how a credential is used."`
	Test     credentialsTest     `cmd:"" help:"Ask Apple whether it takes a credential."`
	Rollback credentialsRollback `cmd:"" help:"Bring the previous credential back."`
	Remove   credentialsRemove   `cmd:"" help:"Remove a credential."`
}

type credentialsList struct {
	asking
	paging
	Search string `help:"Part of a bundle id." short:"s"`
}

func (l *credentialsList) Run(ctx context.Context, c terminal) error {
	return l.list(ctx, c, l.paging, "/v1/credentials", query("q", l.Search), "id", "kind", "state", "bundle_id", "not_after")
}

type credentialsShow struct {
	asking
	one
}

func (l *credentialsShow) Run(ctx context.Context, c terminal) error {
	return l.get(ctx, c, idPath("/v1/credentials/%s", l.ID), nil)
}

type credentialsAdd struct {
	asking
	File        string `arg:"" help:"The file. Apple calls a key AuthKey_<key id>.p8."`
	Bundle      string `help:"Bundle id of the app, without .voip. A certificate has its own."`
	Environment string `help:"auto, sandbox or production." enum:"auto,sandbox,production" default:"auto"`
	Team        string `help:"Team id of a key, ten characters."`
	KeyID       string `name:"key-id" help:"Key id, if the name of the file does not have it."`
	Password    string `help:"Password of a certificate." env:"CARILLON_P12_PASSWORD"`
	Profile     string `name:"payload-profile" help:"Fields of its pushes: carillon, callkeep or flutter_callkit_incoming."`
}

func (l *credentialsAdd) Run(ctx context.Context, c terminal) error {
	file, err := os.ReadFile(l.File)
	if err != nil {
		return err
	}
	api, err := l.open()
	if err != nil {
		return err
	}
	credential, err := api.Credentials.Add(ctx, client.CredentialFile{Name: filepath.Base(l.File), File: file, BundleID: l.Bundle,
		Environment: client.Environment(l.Environment), TeamID: l.Team, KeyID: l.KeyID, Password: l.Password,
		PayloadProfile: client.PayloadProfile(l.Profile)})
	return l.printed(c, credential, err)
}

type credentialsChange struct {
	asking
	one
	Hedging *bool   `help:"Send a push again on another connection when Apple is slow." negatable:""`
	Profile *string `name:"payload-profile" help:"Fields of its pushes: carillon, callkeep or flutter_callkit_incoming."`
}

func (l *credentialsChange) Run(ctx context.Context, c terminal) error {
	body := fields("hedging", l.Hedging, "payload_profile", l.Profile)
	return l.ask(ctx, c, http.MethodPatch, idPath("/v1/credentials/%s", l.ID), nil, body)
}

type credentialsTest struct {
	asking
	one
}

func (l *credentialsTest) Run(ctx context.Context, c terminal) error {
	return l.ask(ctx, c, http.MethodPost, idPath("/v1/credentials/%s/probe", l.ID), nil, nil)
}

type credentialsRollback struct {
	asking
	one
}

func (l *credentialsRollback) Run(ctx context.Context, c terminal) error {
	return l.ask(ctx, c, http.MethodPost, idPath("/v1/credentials/%s/rollback", l.ID), nil, nil)
}

type credentialsRemove struct {
	asking
	one
}

func (l *credentialsRemove) Run(ctx context.Context, c terminal) error {
	return l.ask(ctx, c, http.MethodDelete, idPath("/v1/credentials/%s", l.ID), nil, nil)
}
